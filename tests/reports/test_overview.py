"""Overview, activity over time, projects: hand-made events, counted by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.events import entity, event
from support.reporting import Desk, at

SESSION_1 = "00000000-0000-4000-8000-000000000001"
SESSION_2 = "00000000-0000-4000-8000-000000000002"


def measures(desk: Desk, **given: Any) -> dict[str, tuple[int, int | None, float | None]]:
    return {
        row["measure"]: (row["value"], row["previous"], row["change_percent"]) for row in desk.rows("overview", **given)
    }


def test_the_overview_counts_users_sessions_events_and_errors_against_the_equal_time_before(desk: Desk) -> None:
    desk.put(
        event(time=at(1, 1), user="ann", session=SESSION_1),
        event(time=at(2), user="bob"),
        event(time=at(11), user="ann", session=SESSION_2),
        event(time=at(12), user="api:etl", acting_for="cleo", duration_ms=5.0),
        event(time=at(13), user="api:etl"),
        event(time=at(14), level="error"),
        event(time=at(20), user="ann", session=SESSION_2, error_message="no"),
    )
    found = measures(desk, since=at(11, 0), until=at(21, 0))
    assert found["active users"] == (2, 2, 0.0)
    assert found["new users"] == (1, 2, -50.0)
    assert found["sessions"] == (1, 1, 0.0)
    assert found["events"] == (5, 2, 150.0)
    assert found["runs"] == (1, 0, None)
    assert found["errors"] == (2, 0, None)
    assert found["active users, last day"] == (1, 0, None)
    assert found["active users, last 7 days"] == (1, 2, -50.0)


def test_what_was_not_recorded_is_empty_and_not_zero(desk: Desk) -> None:
    desk.put(event(time=at(12), user="ann"), event(time=at(19), user="ann"))
    found = measures(desk, since=at(11, 0), until=at(21, 0))
    assert found["events"] == (2, None, None)
    assert found["active users, last 30 days"] == (1, None, None)
    assert found["active users, last day"] == (0, 1, -100.0)


@pytest.mark.parametrize("asked", [{"users": "ann"}, {"entities": "project:SALES"}])
def test_a_quiet_time_that_was_recorded_is_zero(desk: Desk, asked: dict[str, str]) -> None:
    desk.put(
        event(time=at(1, 0), user="bob"),
        event(time=at(12), user="ann", entities=[entity("project", "SALES")]),
    )
    found = measures(desk, since=at(11, 0), until=at(21, 0), **asked)
    assert found["events"] == (1, 0, None)


def test_sessions_need_not_be_counted(desk: Desk) -> None:
    desk.put(event(time=at(12), user="ann", session=SESSION_1, entities=[entity("project", "SALES")]))
    assert "sessions" not in measures(desk, since=at(11), until=at(21), sessions="no")
    for name in ("activity", "users", "projects"):
        (row,) = desk.rows(name, since=at(11), until=at(21), sessions="no")
        (counted,) = desk.rows(name, since=at(11), until=at(21))
        assert row == {**counted, "sessions": None}, name
        assert counted["sessions"] == 1


def test_days_are_those_of_the_readers_zone(desk: Desk) -> None:
    desk.put(event(time=at(2, 22.9), user="ann"), event(time=at(2, 23.5), user="bob"), event(time=at(3, 1), user="bob"))
    in_utc = [(row["period"], row["events"]) for row in desk.rows("activity")]
    in_berlin = [(row["period"], row["events"]) for row in desk.rows("activity", zone="Europe/Berlin")]
    assert in_utc == [("2026-11-02 00:00:00", 2), ("2026-11-03 00:00:00", 1)]
    assert in_berlin == [("2026-11-02 00:00:00", 1), ("2026-11-03 00:00:00", 2)]


def test_periods_are_hours_days_weeks_or_months(desk: Desk) -> None:
    desk.put(
        event(time=at(8, 23.5), user="ann"), event(time=at(9, 0.5), user="ann"), event(time=at(9, 0.7), user="bob")
    )
    counted = {by: [row["users"] for row in desk.rows("activity", by=by)] for by in ("hour", "day", "week", "month")}
    assert counted == {"hour": [1, 2], "day": [1, 2], "week": [1, 2], "month": [2]}


def test_clocks_that_are_turned_back_in_the_time_are_followed(desk: Desk) -> None:
    # In New York clocks were turned back on 1 November 2026 at 6:00 UTC.
    desk.put(event(time=at(1, 5.5)), event(time=at(1, 6.5)), event(time=at(2, 4.5)))
    found = desk.rows("activity", by="hour", zone="America/New_York", since="2026-10-25")
    assert [(row["period"], row["events"]) for row in found] == [
        ("2026-11-01 01:00:00", 2),
        ("2026-11-01 23:00:00", 1),
    ]


def test_types_beyond_the_top_are_counted_together(desk: Desk) -> None:
    desk.put(*[event(time=at(2, 9, number), type=kind) for number, kind in enumerate("aaabbcd")])
    found = [(row["type"], row["events"]) for row in desk.rows("activity-by-type", top=2)]
    assert found == [("a", 3), ("b", 2), (None, 2)]


def test_a_type_is_one_line_whatever_levels_and_topics_it_has(desk: Desk) -> None:
    desk.put(
        event(type="run", time=at(12), user="ann"), event(type="run", time=at(13), user="ann", topic="apinode-query"),
        event(type="run", time=at(14), user="bob", level="error"), event(type="stop", time=at(12), user="bob"),
    )  # fmt: skip
    run, stop = desk.rows("types")
    assert (run["type"], run["events"], run["people"], run["errors"]) == ("run", 3, 2, 1)
    assert (run["level"], run["topic"]) == (None, None), "there are several"
    assert (stop["level"], stop["topic"]) == ("audit", "generic")


def test_a_project_is_what_the_parameters_name_else_an_entity(desk: Desk) -> None:
    sales = entity("project", "SALES")
    desk.put(
        event(time=at(2), user="ann", parameters={"projectKey": "A", "project": "B"}, entities=[sales]),
        event(time=at(3), user="ann", parameters={"project": "B"}),
        event(time=at(4), user="bob", entities=[entity("query", "q-1"), sales]),
        event(time=at(5), user="cleo", entities=[sales]),
        event(time=at(6), user="cleo"),
    )
    found = [(row["project"], row["uses"], row["users"]) for row in desk.rows("projects")]
    assert found == [("SALES", 2, 2), ("A", 1, 1), ("B", 1, 1)]
    assert desk.row("projects", projects="B")["project"] == "B"


def test_the_trend_of_a_project_is_its_uses_in_twelve_equal_parts(desk: Desk) -> None:
    desk.put(*(event(time=at(day, 1.5), user="ann", parameters={"project": "A"}) for day in (1, 2, 2, 7, 12, 13)))
    whole = desk.row("projects", since=at(1, 0), until=at(13, 0))
    assert json.loads(whole["trend"]) == [1, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    odd = desk.row("projects", since=at(1, 1.7), until=at(12, 1.6))
    assert sum(json.loads(odd["trend"])) == odd["uses"] == 4
