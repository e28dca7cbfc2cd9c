"""Security and API nodes, counted by hand on small events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from support.reporting import Desk, at
from whodid.event import Entity, Event, new_id


def event(when: datetime, kind: str, *, parameters: dict[str, Any] | None = None, **fields: Any) -> Event:
    told = msgspec.Raw(msgspec.json.encode(parameters or {}))
    return Event(id=new_id(int(when.timestamp() * 1000)), time=when, type=kind, parameters=told, **fields)


def login(when: datetime, user: str, address: str, *, failed: bool = False) -> Event:
    kind = "login-failure" if failed else "login-success"
    return event(when, kind, user=user, source="server", parameters={"clientIP": address, "login": user})


def test_an_address_is_new_for_an_account_that_never_came_from_it(desk: Desk) -> None:
    desk.put(
        login(at(-20), "ann", "10.0.0.1"),
        login(at(2), "ann", "10.0.0.1"),
        login(at(3), "ann", "10.0.0.2"),
        login(at(4), "ann", "10.0.0.2"),
        login(at(4), "bob", "10.0.0.2", failed=True),
    )
    found = {(row["account"], row["address"]): row for row in desk.rows("new-addresses")}
    assert set(found) == {("ann", "10.0.0.2"), ("bob", "10.0.0.2")}
    ann = found["ann", "10.0.0.2"]
    assert (ann["logins"], ann["failed"], ann["known_addresses"], ann["accounts"]) == (2, 0, 1, 2)
    assert found["bob", "10.0.0.2"]["known_addresses"] == 0


def test_an_account_is_probed_from_addresses_it_never_logged_in_from(desk: Desk) -> None:
    desk.put(login(at(1), "ann", "10.0.0.1"))
    desk.put(*(login(at(5, 2, seconds=n), "ann", f"185.1.1.{n}", failed=True) for n in range(5)))
    desk.put(*(login(at(5, 9, seconds=n), "ann", "10.0.0.1", failed=True) for n in range(9)))
    desk.put(login(at(5, 12), "ann", "185.1.1.3"))
    row = desk.row("probed-accounts")
    assert (row["account"], row["failed"], row["addresses"], row["networks"]) == ("ann", 5, 5, 1)
    assert row["got_in"] == 1


def test_logins_show_the_worst_hour(desk: Desk) -> None:
    desk.put(*(login(at(5, 2, seconds=n), "ann", "1.1.1.1", failed=True) for n in range(3)))
    desk.put(login(at(5, 4), "ann", "1.1.1.1", failed=True), login(at(5, 5), "ann", "1.1.1.1"))
    row = desk.row("logins")
    assert (row["logins"], row["failed"], row["failed_percent"], row["worst_hour"]) == (1, 4, pytest.approx(80), 3)


def read(when: datetime, user: str, number: int) -> Event:
    thing = Entity(type="dataset", id=f"d{number}", name=f"d{number}")
    return event(when, "dataset-read-data", user=user, source="server", entities=[thing], parameters={"rows": 10})


def test_a_day_counts_against_the_median_of_the_own_days(desk: Desk) -> None:
    for day in range(1, 9):
        desk.put(*(read(at(day, 9, seconds=n), "ann", n) for n in range(4)))
    desk.put(*(read(at(10, 9, seconds=n), "ann", n) for n in range(40)))
    row = desk.row("mass-reads")
    assert (row["person"], str(row["day"]), row["kind"], row["events"]) == ("ann", "2026-11-10", "read", 40)
    assert (row["usual"], row["times_usual"], row["things"], row["rows"]) == (4, 10, 40, 400)


def test_who_is_seldom_here_counts_against_everybody(desk: Desk) -> None:
    for day in range(1, 9):
        desk.put(*(read(at(day, 9, seconds=n), "ann", n) for n in range(4)))
    desk.put(*(read(at(10, 9, seconds=n), "guest", n) for n in range(40)))
    assert [(row["person"], row["usual"]) for row in desk.rows("mass-reads")] == [("guest", 4)]


def test_what_is_usual_is_no_mass_however_much_it_is(desk: Desk) -> None:
    for day in range(1, 9):
        desk.put(*(read(at(day, 9, seconds=n), "ann", n) for n in range(60)))
    assert desk.rows("mass-reads") == []


def failed(when: datetime, message: str = "disk is full", **fields: Any) -> Event:
    return event(when, "error", level="error", error_message=message, **fields)


def test_a_group_came_back_when_the_equal_time_before_had_none(desk: Desk) -> None:
    desk.put(failed(at(-40)), failed(at(3)))
    desk.put(failed(at(-10), "net is down"), failed(at(3), "net is down"))
    desk.put(failed(at(3), "sun is gone"))
    found = {row["title"]: row["status"] for row in desk.rows("error-groups")}
    assert found == {"disk is full": "came back", "net is down": "known", "sun is gone": "new"}


def test_a_group_counts_people_and_parts_of_the_time(desk: Desk) -> None:
    desk.put(failed(at(1, 1), user="ann"), failed(at(1, 2), user="bob"), failed(at(20, 23), user="ann"))
    desk.put(failed(at(5), user="api:shop"))
    row = desk.row("error-groups")
    trend = msgspec.json.decode(row["trend"])
    assert (row["errors"], row["people"]) == (4, 2)
    assert (trend[0], trend[2], trend[-1], sum(trend)) == (2, 1, 1, 4)


def test_before_an_error_is_the_last_act_of_its_session_else_of_its_request(desk: Desk) -> None:
    one, other = "5b1d4d3e-0000-4000-8000-000000000001", "5b1d4d3e-0000-4000-8000-000000000002"
    desk.put(
        event(at(3, 9), "query-start", session=one, function="Old", user="ann"),
        event(at(3, 9, seconds=5), "dialog-ok", session=one, parameters={"dialog": "Save"}, user="ann"),
        event(at(3, 9, seconds=6), "click", session=other, user="ann"),
        failed(at(3, 9, seconds=7), session=one, user="ann"),
        event(at(3, 10), "job-start", request_id="r1", function="Build", user="bob"),
        failed(at(3, 10, seconds=60), request_id="r1", user="bob"),
        event(at(3, 11), "query-start", session=other, function="Long ago", user="ann"),
        failed(at(3, 12), session=other, user="ann"),
    )
    found = {(row["type"], row["what"]): row for row in desk.rows("errors-before")}
    assert set(found) == {("dialog-ok", "Save"), ("job-start", "Build")}
    assert found["dialog-ok", "Save"]["median_s"] == 2
    assert found["job-start", "Build"]["share_percent"] == 50


def asked(when: datetime, ms: float, *, caller: str = "crm", version: str = "v1", ok: bool = True) -> Event:
    return event(
        when,
        "prediction-query",
        topic="apinode-query",
        source="server",
        function="churn/predict",
        duration_ms=ms,
        status="ok" if ok else "failed",
        node="api-1",
        parameters={"serviceId": "churn", "endpointId": "predict", "version": version, "context": {"caller": caller}},
    )


def test_services_have_latency_errors_and_callers_for_each_version(desk: Desk) -> None:
    desk.put(*(asked(at(3, 9, seconds=n), float(n)) for n in range(1, 102)))
    desk.put(asked(at(4), 500, ok=False, caller="shop"), asked(at(-5), 1), asked(at(5), 1, version="v2"))
    first, second = desk.rows("api-services")
    assert (first["service"], first["endpoint"], first["version"]) == ("churn", "predict", "v1")
    assert (first["queries"], first["previous"], first["errors"], first["callers"]) == (102, 1, 1, 2)
    assert (first["p50_ms"], first["p99_ms"]) == (pytest.approx(51.5), pytest.approx(100.99))
    assert first["error_percent"] == pytest.approx(100 / 102)
    assert first["per_hour"] == pytest.approx(102 / (20 * 24))
    assert (second["version"], second["queries"]) == ("v2", 1)
    assert {row["caller"]: row["queries"] for row in desk.rows("api-callers")} == {"crm": 102, "shop": 1}
