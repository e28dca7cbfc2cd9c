"""Counts by the hour, where a report reads them: the store's own, and the events themselves where those do not reach.

A report that reads `event_hours`, `user_hours` or `session_hours` gets rows whose `time` is the beginning of an hour.
An hour in which one of the report's times lies is read from the events, so that every row lies on one side of each of
them, and what comes out is what counting the events would give. The events alone are read when a filter, the caller's
sight or the time zone asks what the counts do not tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from whodid.reading.dialect import dialect_of
from whodid.reading.read import definition
from whodid.reading.sight import Sight
from whodid.reports.common import Shift

_COUNTED: Final = '"type", "level", "topic", "function", "user", "acting_for", "project"'
_OF_PEOPLE: Final = '"level", "topic", "user", "acting_for"'
_PRESENT: Final = '"session", "user", "acting_for"'

# Which filters a relation can answer by itself; what it has of an hour, and the same of an event.
_FILTERS: Final = {
    "event_hours": frozenset(("users", "groups", "projects", "topics", "types", "levels")),
    "user_hours": frozenset(("users", "groups", "topics", "levels")),
    "session_hours": frozenset(("users", "groups")),
}
_OF_HOUR: Final = {
    "event_hours": f'"hour" AS "time", {_COUNTED}, "events", "runs", "errors", "first", "last"',
    "user_hours": f'"hour" AS "time", {_OF_PEOPLE}, "events", "runs", "errors", "first", "last"',
    "session_hours": f'"hour" AS "time", {_PRESENT}',
}
_COUNTS_OF_EVENT: Final = (
    '1 AS "events", CASE WHEN {run} THEN 1 ELSE 0 END AS "runs", CASE WHEN {error} THEN 1 ELSE 0 END AS "errors",'
    ' e."time" AS "first", e."time" AS "last"'
)
# What tells the same with more columns, and takes longer.
_FINER: Final = {"user_hours": ("event_hours",)}
RELATIONS: Final = tuple(_FILTERS)


def relations(
    kind: str,
    *,
    times: Iterable[datetime],
    filters: Collection[str] = (),
    sight: Sight,
    zone: Sequence[Shift] = (),
    whole: bool = True,
) -> tuple[dict[str, str], dict[str, Any]]:
    """What each relation stands for in a store's words, and the parameters of that.

    Parameters
    ----------
    times
        The moments (UTC, without zone) that the report compares times with.
    filters
        Names of the common filters that are given.
    zone
        What the report's `local()` adds.
    whole
        False to read the events alone.
    """
    edges = sorted({_hour_of(at) for at in times if at != _hour_of(at)})
    turns = [shift.begins for shift in zone if shift.begins is not None]
    even = all(shift.seconds % 3600 == 0 for shift in zone) and all(turn == _hour_of(turn) for turn in turns)
    params: dict[str, Any] = {f"edge_{place}": edge for place, edge in enumerate(edges)}
    found = {}
    for name in RELATIONS:
        able = [one for one in (name, *_FINER.get(name, ())) if _FILTERS[one].issuperset(filters)]
        able = [one for one in able if whole and even and _is_told(one, sight)]
        found[name] = _split(able[0], kind, list(params)) if able else _of_events(name, kind)
    return found, params


def _split(name: str, kind: str, edges: Sequence[str]) -> str:
    """The store's own counts but those of some hours, and the events of these."""
    own = f"SELECT {_OF_HOUR[name]} FROM {getattr(dialect_of(kind), name)}"  # noqa: S608 (names of our own)
    if not edges:
        return f"({own})"
    hours = ", ".join(f"CAST(${edge} AS timestamp)" for edge in edges)
    within = " OR ".join(
        f'(e."time" >= CAST(${edge} AS timestamp) AND e."time" < CAST(${edge} AS timestamp) + INTERVAL \'1 hour\')'
        for edge in edges
    )
    columns = {"event_hours": _COUNTED, "user_hours": _OF_PEOPLE, "session_hours": _PRESENT}[name]
    return f'({own} WHERE "hour" NOT IN ({hours}) UNION ALL {_from_events(name, kind, columns)} AND ({within}))'


def _of_events(name: str, kind: str) -> str:
    """The same of the events alone, with every column that a condition may ask for."""
    return f"({_from_events(name, kind, '*')})"


def _from_events(name: str, kind: str, columns: str) -> str:
    told = "e.*" if columns == "*" else f'e."time", {", ".join(f"e.{column}" for column in columns.split(", "))}'
    if name != "session_hours":
        told += ", " + _COUNTS_OF_EVENT.format(run=definition("run"), error=definition("error"))
    among = 'e."session" IS NOT NULL' if name == "session_hours" else "TRUE"
    return f"SELECT {told} FROM {dialect_of(kind).events} e WHERE {among}"  # noqa: S608 (names of our own)


def _is_told(name: str, sight: Sight) -> bool:
    return sight.everything or not (sight.entities or (sight.projects and name != "event_hours"))


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
