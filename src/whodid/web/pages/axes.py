"""Axes of charts: honest, with few marks, in the units and steps that suit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from whodid.reports import Column

# From the beginning of a period so much later lies in the next one.
_LONGEST: Final = {
    "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=31),
}  # fmt: skip
# Units whose numbers are written in larger ones too, from the smallest.
_UNIT_STEPS: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "ms": (("ms", 1), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)),
    "s": (("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400)),
    "bytes": (("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)),
    "%": (("%", 1),),
}


def few_ticks(values: Sequence[Mapping[str, Any]], *, stacked: bool) -> list[int]:
    """The marks of an axis of small whole numbers, which has no halves; none for one of larger numbers."""
    tops: dict[Any, float] = {}
    for value in values:
        here = value["y"] or 0
        tops[value["x"]] = tops.get(value["x"], 0) + here if stacked else max(tops.get(value["x"], 0), here)
    top = max(tops.values(), default=0)
    return list(range(int(top) + 1)) if 0 < top <= 4 else []


def axis(column: Column) -> dict[str, Any]:
    """At most five gridlines; units are written with the numbers where a number needs them."""
    unit = column.unit or ""
    axis: dict[str, Any] = {"tickCount": 4, "grid": True}
    if unit in _UNIT_STEPS:
        axis["labelExpr"] = in_units(_UNIT_STEPS[unit])
    elif column.type == "integer":
        axis["tickMinStep"] = 1
    return axis


def in_units(steps: Sequence[tuple[str, float]]) -> str:
    """The expression that writes a number in the largest unit that suits it; `steps` from the smallest."""
    (name, size), *larger = steps
    said = f"format(datum.value / {size}, '~r') + ' {name}'"
    for name, size in larger:
        said = f"abs(datum.value) >= {size} ? format(datum.value / {size}, '.3~r') + ' {name}' : {said}"
    return said


def time_axis(step: str) -> dict[str, Any]:
    formats = {"hour": "%-d %b %H:%M", "day": "%-d %b", "week": "%-d %b", "month": "%b %Y", "moment": "%-d %b %H:%M"}
    return {"format": formats[step], "grid": False, "labelAngle": 0, "labelOverlap": "greedy", "tickCount": 6}


def told_step(step: str, values: Sequence[Mapping[str, Any]]) -> str:
    """What an axis tells: over many days no hours."""
    times = [value["x"] for value in values]
    many_days = bool(times) and max(times) - min(times) > timedelta(days=3)
    return "day" if step in ("moment", "hour") and many_days else step


def domain(step: str, ends: tuple[datetime, datetime], mark: str) -> list[dict[str, Any]]:
    """From when until when an axis goes: whole periods, the last one to its end where marks fill it."""
    first, last = (period(step, at) for at in (ends[0], ends[1] - timedelta(microseconds=1)))
    if step == "moment":
        first, last = ends
    elif mark in ("bar", "area"):
        last = period(step, last + _LONGEST[step])
    names = {"year": "year", "month": "month", "date": "day", "hours": "hour", "minutes": "minute"}
    told = (
        {name: getattr(at, own) for name, own in names.items()} for at in (first, max(last, first + _LONGEST["hour"]))
    )
    return [{**one, "utc": True} for one in told]


def period(step: str, at: datetime) -> datetime:
    """Where the hour, day, week or month of a time begins."""
    if step == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if step == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == "month" else day


def unit(step: str) -> str:
    return {
        "hour": "utcyearmonthdatehours",
        "day": "utcyearmonthdate",
        "week": "utcyearweek",
        "month": "utcyearmonth",
        "moment": "utcyearmonthdatehoursminutes",
    }[step]


def step(times: Sequence[Any]) -> str:
    """What the times of a chart are: hours, days, weeks, months, or any moments."""
    found = [at if isinstance(at, datetime) else datetime(at.year, at.month, at.day) for at in times if at is not None]
    if any(at.minute or at.second or at.microsecond for at in found):
        return "moment"
    if any(at.hour for at in found):
        return "hour"
    days = sorted(set(found))
    gaps = {(after - before).days for before, after in pairwise(days)}
    if gaps and min(gaps) >= 28:
        return "month"
    return "week" if gaps and all(gap % 7 == 0 for gap in gaps) else "day"
