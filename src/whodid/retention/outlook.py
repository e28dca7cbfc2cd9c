"""What is stored by level, and what a retention would take away, before it does."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from whodid.reading.cells import python_rows
from whodid.reading.dialect import dialect_of
from whodid.retention.rule import Retention
from whodid.stores.base import Store, whole_hour

# From what the store counts by the hour: exact, and quick at any size. Whole hours are also what goes.
_BY_LEVEL: Final = (
    'SELECT h."level" AS level, sum(h.events) AS events, min(h."first") AS oldest FROM {hours} h GROUP BY 1'
)
_OF_EVENTS: Final = '(SELECT e."time" AS hour, e."level", 1 AS events, e."time" AS "first" FROM {events} e)'
_OLDER: Final = 'SELECT sum(h.events) AS events FROM {hours} h WHERE h."level" = $level AND h.hour < $before'


def stored_by_level(store: Store) -> dict[str, dict[str, Any]]:
    """Rows with `events` and `oldest` (UTC), by level; blocks."""
    sql = _BY_LEVEL.format(hours=_hours(store))
    return {row["level"]: row for row in python_rows(store.query(sql, trusted=True).table)}


def would_go(store: Store, retention: Retention, at: datetime) -> dict[str, int]:
    """How many events of each level a retention would take away at a time (UTC); blocks."""
    sql = _OLDER.format(hours=_hours(store))
    gone = {}
    for level in retention.levels:
        before = whole_hour(retention.before(level, at))
        found = store.query(sql, {"level": level, "before": before}, trusted=True).table
        gone[level] = int(found.column("events")[0].as_py() or 0)
    return gone


def _hours(store: Store) -> str:
    dialect = dialect_of(store.kind)
    return dialect.kept.get("event_hours") or _OF_EVENTS.format(events=dialect.events)
