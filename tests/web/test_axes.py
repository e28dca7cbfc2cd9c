"""Axes of charts: what they go over, and how they are told."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from whodid import reports
from whodid.web.pages import axes, charts
from whodid.web.pages.answers import parameters, period_of
from whodid.web.pages.catalogue import page_of
from whodid.web.pages.choice import Choice
from whodid.web.pages.event_shape import shaped
from whodid.web.pages.found import Shape
from whodid.web.pages.rows import Tile
from whodid.web.pages.tiles import framed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "step", "told"),
    [
        ("2026-10-01", "2026-11-01", "day", "%-d %b"),
        ("2026-12-20", "2027-01-10", "week", "%-d %b"),
        ("2024-01-01", "2026-11-01", "week", "%-d %b %Y"),
        ("2024-01-01", "2026-11-01", "moment", "%-d %b %Y"),
        ("2024-01-01", "2026-11-01", "month", "%b %Y"),
        ("2026-11-01", "2026-11-02", "hour", "%-d %b %H:%M"),
        ("2026-11-01", "2026-11-09", "hour", "%-d %b"),
    ],
)
def test_axes_tell_years_where_days_would_come_twice(first: str, last: str, step: str, told: str) -> None:
    times = [datetime.fromisoformat(first), datetime.fromisoformat(last)]
    assert axes.time_axis(axes.told_step(step, times))["format"] == told


@pytest.mark.parametrize(
    ("step", "begins", "over"),
    [
        ("hour", datetime(2026, 12, 31, 23), datetime(2027, 1, 1)),
        ("day", datetime(2026, 2, 28), datetime(2026, 3, 1)),
        ("week", datetime(2026, 12, 28), datetime(2027, 1, 4)),
        ("month", datetime(2026, 2, 1), datetime(2026, 3, 1)),
        ("month", datetime(2026, 12, 1), datetime(2027, 1, 1)),
    ],
)
def test_a_period_is_over_when_the_next_one_begins(step: str, begins: datetime, over: datetime) -> None:
    assert axes.end(step, begins) == over


def test_an_axis_of_time_goes_over_all_of_the_range() -> None:
    rows = [{"period": datetime(2026, 11, 3), "events": 2}, {"period": datetime(2026, 11, 5), "events": 1}]
    ends = (datetime(2026, 11, 1, 23), datetime(2026, 11, 8, 12))
    for mark, zone, first, last in (
        ("bar", "UTC", (31, 12), (8, 12)), ("bar", "Europe/Berlin", (1, 12), (8, 12)), ("line", "UTC", (1, 0), (8, 0)),
    ):  # fmt: skip
        found = charts.spec(reports.report("activity"), rows, chart=f"{mark} x=period y=events", zone=zone, ends=ends)
        assert found is not None
        domain = found["encoding"]["x"]["scale"]["domain"]
        assert [(one["date"], one["hours"]) for one in domain] == [first, last], "no bar stands on the axis"
        assert all(one["utc"] for one in domain)


def test_events_over_time_are_drawn_over_all_of_the_range() -> None:
    choice = Choice(zone="Europe/Berlin", since="2026-11-01", until="2026-11-09")
    told = shaped(Shape("day", [{"at": datetime(2026, 11, 3), "events": 2, "errors": 0}]), choice)
    domain = msgspec.json.decode(told["spec"])["encoding"]["x"]["scale"]["domain"]
    assert [(one["month"], one["date"], one["hours"]) for one in domain] == [(10, 31, 12), (11, 8, 12)]
    assert msgspec.json.decode(told["spec"])["encoding"]["y"]["axis"]["values"] == [0, 1, 2], "events have no halves"


def test_an_axis_of_nothing_begins_at_zero() -> None:
    found = charts.spec(reports.report("activity"), [{"period": datetime(2026, 11, 3), "users": 0}])
    assert found is not None
    assert found["encoding"]["y"]["axis"]["values"] == [0]
    assert found["encoding"]["y"]["scale"] == {"zero": True, "domainMax": 1}


@pytest.mark.parametrize(
    ("longest_ms", "marks_ms"),
    [
        (316_000, [0, 120_000, 240_000, 360_000]),
        (87_000, [0, 30_000, 60_000, 90_000]),
        (20 * 3_600_000, [0, 6 * 3_600_000, 12 * 3_600_000, 18 * 3_600_000, 24 * 3_600_000]),
        (3.2, [0, 1, 2, 3, 4]),
    ],
)
def test_an_axis_of_durations_has_round_times(longest_ms: float, marks_ms: list[float]) -> None:
    rows = [{"time": NOW, "duration_ms": took, "status": "done"} for took in (longest_ms, 1.0)]
    found = charts.spec(reports.report("runs"), rows)
    assert found is not None
    assert found["encoding"]["y"]["axis"]["values"] == marks_ms
    assert found["encoding"]["y"]["scale"]["domainMax"] == marks_ms[-1]


def test_days_are_as_long_as_days_where_there_are_few() -> None:
    tile = Tile("errors-days", "activity", "chart", chart="bar x=period y=errors")
    report = reports.report("activity")
    rows = [{"period": datetime(2026, 11, day), "errors": 1} for day in (2, 9)]
    step = period_of(report, tile, Choice(zone="UTC", range="30d"))
    found = charts.spec(report, rows, chart=tile.chart, step=step)
    assert found is not None
    assert found["usermeta"]["step"] == "day"
    assert period_of(reports.report("runs"), Tile("times", "runs", "chart"), Choice(zone="UTC", range="24h")) == ""


@pytest.mark.parametrize(("range_", "by", "title"), [("24h", "hour", "Errors an hour"), ("7d", None, "Errors a day")])
def test_a_short_time_is_told_by_the_hour(range_: str, by: str | None, title: str) -> None:
    tile = Tile("errors-days", "activity", "chart", title="Errors a day", chart="bar x=period y=errors")
    choice = Choice(zone="UTC", range=range_)
    assert parameters(reports.report("activity"), tile, choice, {}).get("by") == by
    page = page_of("overview")
    assert page is not None
    assert framed(page, tile, choice, {}).title == title
