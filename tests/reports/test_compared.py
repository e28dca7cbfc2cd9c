"""Which of a report's times its sessions are compared with."""

from __future__ import annotations

from datetime import datetime

import pytest

from whodid import reports
from whodid.reading.sight import EVERYTHING
from whodid.reports import kept
from whodid.reports.compared import compared

SESSIONS = kept.OF_SESSIONS


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT count(DISTINCT e.session) FROM session_days e WHERE e.time >= $a AND e.time < $b", {"a", "b"}),
        ("SELECT count(*) FILTER (WHERE e.time >= $a) FROM session_hours e WHERE $b = 'yes'", {"a"}),
        ("WITH v AS (SELECT e.session FROM session_days e), o AS (SELECT e.time FROM user_days e) SELECT 1", set()),
        ("SELECT min(e.time) FROM session_days e WHERE e.time < $a", None),
        ("SELECT e.* FROM session_days e WHERE e.time < $a", None),
        ("SELECT 1 FROM session_days e WHERE e.time < CASE WHEN $a = 'x' THEN $b END", None),
        ("SELECT date_trunc('day', local(e.time)) FROM session_days e WHERE e.time < $a", None),
        ("SELECT e.time FROM events e WHERE e.time < $a", set()),
    ],
)
def test_times_that_sessions_are_compared_with(sql: str, expected: set[str] | None) -> None:
    assert compared(sql, SESSIONS) == expected


def test_sessions_of_the_overview_are_compared_with_three_times() -> None:
    assert compared(reports.report("overview").sql, SESSIONS) == frozenset({"before", "since", "until"})


def test_only_days_in_which_sessions_are_compared_are_read_by_the_hour() -> None:
    times = [datetime(2026, 11, day, 9, 30) for day in (1, 2, 3)]
    found = kept.relations("duckdb", str, times=times, sight=EVERYTHING, visited=times[1:2])
    assert found.params["edge_day_1"] == datetime(2026, 11, 2)
    assert found.params["edge_1"] == datetime(2026, 11, 2, 9)
    for edge, is_read in (("_0 ", False), ("_1 ", True), ("_2 ", False), ("_day_0 ", False), ("_day_1 ", True)):
        assert (f"$edge{edge}" in found.told["session_days"]) == is_read
        assert f"$edge{edge}" in found.told["user_days"]
