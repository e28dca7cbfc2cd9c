"""Axes of charts: honest, with few marks, in the units and steps that suit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any, Final

from whodid.reports import Column

# From the beginning of a period so much later lies in the next one.
_LONGEST: Final = {
    "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=31),
}  # fmt: skip
_TIME_FORMATS: Final = {
    "hour": "%-d %b %H:%M", "day": "%-d %b", "week": "%-d %b", "month": "%b %Y", "moment": "%-d %b %H:%M",
    "day of a year": "%-d %b %Y",
}  # fmt: skip
# Units whose numbers are written in larger ones too, from the smallest.
_UNIT_STEPS: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "ms": (("ms", 1), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)),
    "s": (("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400)),
    "bytes": (("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)),
    "%": (("%", 1),),
}
# Units of durations, in ms.
_DURATIONS_MS: Final = {"ms": 1.0, "s": 1e3}
GRIDLINES_MAX: Final = 4
# A shorter time has no day and month twice, so that no year is needed to tell days apart.
_SHORT: Final = timedelta(days=330)
_ROUND_STEPS_MS: Final = tuple(
    count * unit_ms
    for unit_ms, counts in (
        (0.01, (1, 2, 5)), (0.1, (1, 2, 5)), (1.0, (1, 2, 5, 10, 20, 50, 100, 200, 500)), (1e3, (1, 2, 5, 10, 20, 30)),
        (6e4, (1, 2, 5, 10, 15, 30)), (3.6e6, (1, 2, 3, 6, 12)), (8.64e7, (1, 2, 5, 10, 20, 50, 100)),
    )
    for count in counts
)  # fmt: skip


def upright(column: Column, values: Sequence[Mapping[str, Any]], *, stacked: bool = False) -> dict[str, Any]:
    """The axis and scale of the numbers `y` of a chart's values, from 0 on, where they are drawn upwards."""
    top = _top(values, stacked=stacked)
    scale: dict[str, Any] = {"zero": True}
    if column.type == "integer" and 0 < top <= 4:
        # Small whole numbers have no halves.
        return {"axis": {"values": list(range(int(top) + 1)), "format": "d", "grid": True}, "scale": scale}
    unit = column.unit or ""
    if top <= 0:
        return {"axis": {"values": [0], "format": "d", "grid": True}, "scale": scale | {"domainMax": 1}}
    if unit in _DURATIONS_MS:
        step = round_step(top * _DURATIONS_MS[unit]) / _DURATIONS_MS[unit]
        marks = [step * place for place in range(ceil(top / step) + 1)]
        return {"axis": axis(column) | {"values": marks}, "scale": scale | {"domainMax": marks[-1], "nice": False}}
    return {"axis": axis(column), "scale": scale}


def round_step(top_ms: float) -> float:
    """How far apart the marks of durations up to this one are: a round time, so that there are five at most."""
    return next((step for step in _ROUND_STEPS_MS if top_ms <= step * GRIDLINES_MAX), top_ms / GRIDLINES_MAX)


def _top(values: Sequence[Mapping[str, Any]], *, stacked: bool) -> float:
    tops: dict[Any, float] = {}
    for value in values:
        here = value["y"] or 0
        tops[value["x"]] = tops.get(value["x"], 0) + here if stacked else max(tops.get(value["x"], 0), here)
    return max(tops.values(), default=0)


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
    return f"datum.value === 0 ? '0' : {said}"


def time_axis(step: str) -> dict[str, Any]:
    return {
        "format": _TIME_FORMATS[step],
        "grid": False,
        "labelAngle": 0,
        "labelOverlap": "greedy",
        "labelSeparation": 8,
        "tickCount": 6,
    }


def told_step(step: str, times: Sequence[datetime]) -> str:
    """What an axis of these times tells: over many days no hours, beyond one year the year."""
    if not times or step == "month":
        return step
    first, last = min(times), max(times)
    if last - first <= timedelta(days=3):
        return step
    if first.year != (last - timedelta(microseconds=1)).year and last - first > _SHORT:
        return "day of a year"
    return "day" if step in ("moment", "hour") else step


def domain(step: str, ends: tuple[datetime, datetime], mark: str) -> list[dict[str, Any]]:
    """From when until when an axis goes: whole periods, and half of one at both ends where bars stand in its middle."""
    first, last = (period(step, at) for at in (ends[0], ends[1] - timedelta(microseconds=1)))
    if step == "moment":
        first, last = ends
    elif mark == "bar":
        first, last = first - _LONGEST[step] / 2, last + _LONGEST[step] / 2
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


def end(step: str, begins: datetime) -> datetime:
    """When the hour, day, week or month is over that begins at a time."""
    return period(step, begins + _LONGEST[step])


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
