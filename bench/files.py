"""Files of events for benchmarks, written by DuckDB from the statements in `bench/sql`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

SQL = Path(__file__).with_name("sql")


def write(kind: str, path: Path, *, events: int, days: float = 90, end: datetime | None = None) -> Path:
    """Write `events` lines of `kind` ("native" or "dss_log4j") over the `days` before `end` (now) to `path`."""
    end = end or datetime.now(UTC)
    statement = (
        (SQL / f"{kind}.sql")
        .read_text()
        .format(events=events, days=days, end=end.strftime("%Y-%m-%d %H:%M:%S"), path=path)
    )
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SELECT setseed(0.42)")
        connection.execute(statement)
    return path
