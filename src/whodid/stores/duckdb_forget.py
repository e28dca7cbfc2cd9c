"""Taking old events away from DuckDB: a stretch of whole hours at a time, with what was counted of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import duckdb

from whodid.stores import duckdb_engine, duckdb_hours, migrate
from whodid.stores.base import Forgotten, whole_hour

# A day at once, or the hours of a day that has more events than this.
EVENTS_AT_ONCE: Final = 200_000
_STEPS: Final = (
    "entities", "events", "thing_hours", "touched_hours", "flow_hours", "usage_hours", "user_hours", "users_again",
    "session_hours", "sessions_again",
)  # fmt: skip


def forget(cursor: duckdb.DuckDBPyConnection, level: str, before: datetime) -> Forgotten:
    """Take the oldest stretch of a level away; see `Store.forget`."""
    sql = migrate.statements("duckdb", "forget")
    end = whole_hour(before)
    oldest = _one(cursor, sql["oldest"], {"level": level})
    if oldest is None or oldest >= end:
        return Forgotten(events=0, more=False)
    since = whole_hour(oldest)
    given: dict[str, Any] = {"level": level, "since": since, "until": min(since + timedelta(days=1), end)}
    if _one(cursor, sql["waiting"], given) > EVENTS_AT_ONCE:
        given["until"] = since + timedelta(hours=1)
    events = 0
    with duckdb_engine.transaction(cursor):
        for step in _STEPS:
            asked = {name: value for name, value in given.items() if f"${name}" in sql[step]}
            counted = cursor.execute(sql[step], asked).fetchall()
            if step == "events":
                events = int(counted[0][0])
        duckdb_hours.count_days_anew(cursor, given["since"], given["until"])
        for relation in duckdb_hours.EVENTS:
            gone = cursor.execute(sql["kept_events"].format(relation=relation), given).fetchall()
            if relation == "pod_events" and gone[0][0]:
                duckdb_hours.reopen_pods(cursor, given["since"] - timedelta(hours=1))
    return Forgotten(events=events, more=given["until"] < end)


def _one(cursor: duckdb.DuckDBPyConnection, sql: str, given: dict[str, Any]) -> Any:
    row = cursor.execute(sql, given).fetchone()
    return row[0] if row else None
