"""What counts as usual."""

from __future__ import annotations

from datetime import datetime, timedelta

from whodid.alerts.usual import usual, windows

HOUR = timedelta(hours=1)
AT = datetime(2026, 11, 20, 12)


def test_the_same_hours_of_four_weeks_and_those_beside_them() -> None:
    found = windows(AT, HOUR, datetime(2020, 1, 1))
    assert len(found) == 12
    assert found[:3] == [(datetime(2026, 11, 13, hour), datetime(2026, 11, 13, hour + 1)) for hour in (11, 12, 13)]
    assert found[-1][0] == datetime(2026, 10, 23, 13)


def test_before_there_were_events_nothing_is_known() -> None:
    assert windows(AT, HOUR, None) == []
    assert len(windows(AT, HOUR, datetime(2026, 11, 6))) == 6


def test_too_few_weeks_tell_nothing() -> None:
    assert usual([1, 2, 3, 4, 5], 5, is_rate=False) is None
    assert usual([1, 2, 3, 4, 5, 6], 5, is_rate=False) is not None


def test_one_bad_day_before_does_not_hide_the_next() -> None:
    known = usual([3, 4, 3, 5, 4, 3, 4, 900, 4, 3, 5, 4], 5, is_rate=False)
    assert known is not None and known.median == 4
    assert known.limit == 4 + 5 * 2
    assert "Usual at this time of the week is 4" in known.said() and "went from 3 to 900" in known.said()


def test_where_nothing_happens_one_event_is_not_unusual() -> None:
    known = usual([0] * 12, 5, is_rate=False)
    assert known is not None and known.limit == 5


def test_a_rate_that_never_changes_may_change_by_some_points() -> None:
    known = usual([2.0] * 12, 5, is_rate=True)
    assert known is not None and known.limit == 7
