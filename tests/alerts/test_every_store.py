"""Every kind of alert looks the same way at every store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.beside import Clock, House
from support.reading import event
from whodid.alerts.kinds import KINDS
from whodid.alerts.row import NewAlert

# For each kind: options, and the titles of what it finds in the story below.
EXPECTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "new-error-group": ({}, ["New error: ValueError: no column in total (sales.py)"]),
    "error-rate": (
        {"per": "project", "above": 20, "at_least": 2, "users": ["erika"]},
        ["2 errors of 2 events of project SALES"],
    ),
    "failed-logins": ({"per": "address", "above": 2}, ["3 failed logins of address 10.0.0.7"]),
    "event-count": (
        {"types": ["query-*"], "per": "entity", "above": 3}, ["4 events of entity query:q-1"],
    ),
    "event": ({"types": ["role-granted"], "projects": ["SALES"]}, ["role-granted of user Otto"]),
    "node-silent": ({"nodes": ["design-1"]}, ["Node design-1 is silent"]),
    "fading-user": ({"users": ["old"]}, ["old fades"]),
    "report": ({"report": "users", "column": "events", "value": 5, "parameters": {"since": "1h"}},
               ["Users: erika: events is 6"]),
    "self": ({"measure": "rejects", "value": 1, "comparison": "below"}, ["rejects of whodid server server-1 is 0"]),
}  # fmt: skip


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    options = {}
    if request.param == "postgresql":
        options = {"store": request.getfixturevalue("postgresql_server").create_database()}
    made = House(tmp_path_factory.mktemp("data"), Clock(datetime.now(UTC)), **options)
    now = made.clock.at
    trace = (
        'Traceback (most recent call last):\n  File "/app/sales.py", line 1, in total\n    x()\nValueError: no column'
    )
    in_sales: dict[str, Any] = {
        "user": "erika",
        "at": now - timedelta(minutes=1),
        "parameters": {"projectKey": "SALES"},
    }
    made.store(
        [
            *(event("run-failed", level="error", error_message="no column", error_stack_trace=trace, **in_sales)
              for _ in range(2)),
            *(event("query-start", at=now - timedelta(minutes=2), user="erika", entities=[("query", "q-1")])
              for _ in range(4)),
            *(event("login-failed", at=now - timedelta(seconds=9), parameters={"login": f"a{n}", "ip": "10.0.0.7"})
              for n in range(3)),
            event("role-granted", user="admin", at=now, entities=[("user", "otto", "Otto")],
                  parameters={"projectKey": "SALES"}),
            event("node-silent", level="warning", at=now, entities=[("node", "design-1", "design-1")]),
            *(event("query-start", at=now - timedelta(days=day, minutes=n), user="old")
              for day in range(16, 60) for n in range(3)),
        ]
    )  # fmt: skip
    yield made
    made.close()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_finds_the_same_everywhere(house: House, kind: str) -> None:
    options, expected = EXPECTED[kind]
    found = house.beside.alerts.try_out(NewAlert(name="it", kind=kind, options=options))
    assert [one.title for one in found] == expected


def test_rules_are_looked_for_without_a_problem(house: House) -> None:
    for kind, (options, _) in EXPECTED.items():
        house.beside.alerts.create(NewAlert(name=f"all-{kind}", kind=kind, options=options), by="admin")
    house.beside.alerts.look()
    shown = house.beside.alerts.shown()
    assert [one["problem"] for one in shown] == [None] * len(EXPECTED)
    assert all(one["checked_at"] for one in shown)
    for one in shown:
        house.beside.alerts.delete(one["name"], by="admin")


def test_what_is_usual_is_asked_of_every_store(house: House) -> None:
    options = {"compare": "usual", "window_minutes": 60, "at_least": 1}
    assert house.beside.alerts.try_out(NewAlert(name="u", kind="failed-logins", options=options)) == []
    options = {"types": ["query-*"], "compare": "usual", "window_minutes": 60, "k": 1}
    (found,) = house.beside.alerts.try_out(NewAlert(name="u", kind="event-count", options=options))
    assert found.title == "4 events" and "Usual at this time of the week is" in found.message
