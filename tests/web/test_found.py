"""Counts of the events page are those of the events, on every store and in the reader's own days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from reading.conftest import filled as filled
from support.reading import NOW, NoGroups, event
from whodid.reading.sight import EVERYTHING, Sight
from whodid.web.pages import found
from whodid.web.pages.choice import Choice

TIMEOUT_MS = 30_000
CHOICE = Choice(zone="Europe/Berlin", since="2026-11-01", until="2026-11-21")


@pytest.fixture(scope="module")
def services(filled: Any) -> Any:
    late = NOW.replace(hour=23, minute=30)
    store = filled(
        [
            event("query-start", user="erika", level="audit", node="design-1"),
            event("query-start", user="robot", acting_for="erika", level="audit", status="ok"),
            event("query-failed", user="otto", level="error", error_message="no"),
            event("click", user="otto", level="usage", at=late - timedelta(days=2)),
            event("click", user="otto", level="usage", at=NOW - timedelta(days=40)),
        ]
    )
    return SimpleNamespace(store=store, together=store, directory=NoGroups())


def test_the_shape_counts_days_of_the_reader(services: Any) -> None:
    shape = found.shape(services, CHOICE, EVERYTHING, TIMEOUT_MS)
    assert shape.step == "day"
    told = [(f"{row['at']:%Y-%m-%d}", row["events"], row["errors"]) for row in shape.rows]
    assert told == [("2026-11-19", 1, 0), ("2026-11-20", 3, 1)]


def test_facets_count_each_value(services: Any) -> None:
    facets = found.facets(services, CHOICE, EVERYTHING, TIMEOUT_MS)
    assert [(row["value"], row["events"]) for row in facets["type"]] == [
        ("query-start", 2), ("click", 1), ("query-failed", 1)
    ]  # fmt: skip
    assert {row["value"]: row["events"] for row in facets["user"]} == {"erika": 2, "otto": 2}
    assert facets["node"][0]["of"] == 1


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("user", "erika", 2),
        ("user", "!erika", 2),
        ("type", "query-*", 3),
        ("level", "!error", 3),
        ("text", "no", 1),
        ("status", "ok", 1),
        ("node", "design-2", 0),
    ],
)
def test_counts_are_those_of_the_rows(services: Any, name: str, value: str, count: int) -> None:
    choice = CHOICE.with_value(name, value)
    rows, _ = found.page(services, found.wanted_by(choice), EVERYTHING, TIMEOUT_MS)
    assert found.count(services, choice, EVERYTHING, TIMEOUT_MS) == len(rows) == count


@pytest.mark.parametrize(("since", "until", "count"), [("", "", 5), ("2026-11-01", "", 4), ("", "2026-11-01", 1)])
def test_a_count_has_the_ends_that_are_said(services: Any, since: str, until: str, count: int) -> None:
    choice = Choice(zone="UTC", range="all", since=since, until=until)
    assert found.count(services, choice, EVERYTHING, TIMEOUT_MS) == count


def test_events_of_clocks_far_ahead_are_found_among_all_alone(filled: Any) -> None:
    ahead = event("click", user="futura", at=datetime.now(UTC) + timedelta(days=3))
    near = event("click", user="futura", at=datetime.now(UTC) - timedelta(minutes=5))
    store = filled([ahead, near])
    services: Any = SimpleNamespace(store=store, together=store, directory=NoGroups())
    for range, count in (("7d", 1), ("24h", 1), ("all", 2)):
        choice = Choice(zone="UTC", range=range)
        rows, _ = found.page(services, found.wanted_by(choice), EVERYTHING, TIMEOUT_MS)
        assert found.count(services, choice, EVERYTHING, TIMEOUT_MS) == len(rows) == count, range
    later = Choice(zone="UTC", since=f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}")
    assert found.count(services, later, EVERYTHING, TIMEOUT_MS) == 1


def test_a_reader_counts_only_what_they_may_see(services: Any) -> None:
    own = Sight(users=("erika",))
    assert found.count(services, CHOICE, own, TIMEOUT_MS) == 2
    assert {row["value"] for row in found.facets(services, CHOICE, own, TIMEOUT_MS)["type"]} == {"query-start"}
