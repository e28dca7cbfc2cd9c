"""The demo's story, many times over, in a store of each kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import duckdb
import psycopg

from bench.files import SQL
from support.batches import Batches
from support.clickhouse import ClickHouseServer
from whodid import demo
from whodid.stores import clickhouse_counting
from whodid.stores.base import COLUMNS, WORKED_OUT, Store
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.postgresql import PostgreSQLStore

STORY_EVENTS = 200_000
CHUNK_EVENTS = 50_000
# So many days are copied at once, one after the other, as events come in: what is of one time lies together.
DAYS_AT_ONCE = 5
# What a copy has of its own in PostgreSQL, and what the engine works out.
_OWN = ("id", "event_time", "session_id", "user", "acting_for", "request_id", "seq")
_OWN_CLICKHOUSE = ("id", "time", "session", "user", "acting_for", "request_id", "seq")
CLICKHOUSE_DATABASE = "bench"
COUNTED_S_MAX = 3_600


def fill(store: Store, folder: Path, events: int, end: datetime) -> None:
    """The first of the stories through the store's own door."""
    batches = Batches(folder, "receiver-a")
    told = demo.generate(events=min(events, STORY_EVENTS), days=90, seed=1, end=end)
    while chunk := list(islice(told, CHUNK_EVENTS)):
        store.write([batches.of(chunk)])


def duckdb_store(folder: Path, events: int, end: datetime) -> DuckDBStore:
    """A DuckDB store with so many events; the copies are made by the engine."""
    path = folder / "events.duckdb"
    store = DuckDBStore(path, journal_path=folder / "journal")
    fill(store, folder / "journal", events, end)
    store.close()
    with duckdb.connect(str(path)) as connection:
        copies = max(1, round(events / STORY_EVENTS))
        multiply = (SQL / "multiply_duckdb.sql").read_text()
        connection.execute(multiply.format(events=2 * STORY_EVENTS, copies=copies))
        connection.execute("CHECKPOINT")
    return DuckDBStore(path, journal_path=folder / "journal")


def postgresql_store(url: str, folder: Path, events: int, end: datetime) -> PostgreSQLStore:
    """The same in a PostgreSQL database."""
    store = PostgreSQLStore(url)
    fill(store, folder / "journal", events, end)
    with psycopg.connect(url, autocommit=True) as connection:
        columns = [
            row[0]
            for row in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'public.events'::regclass AND attnum > 0 "
                "AND NOT attisdropped AND attgenerated = ''"
            )
        ]
        parts = {
            "columns": ", ".join(f'"{name}"' for name in columns),
            "others": ", ".join(f'e."{name}"' for name in columns if name not in _OWN),
            "events": 2 * STORY_EVENTS,
            "copies": max(1, round(events / STORY_EVENTS)),
        }
        multiply = (SQL / "multiply_postgresql.sql").read_text()
        step = timedelta(days=DAYS_AT_ONCE)
        times = connection.execute("SELECT min(event_time), max(event_time) FROM public.events").fetchone()
        assert times is not None
        begins, until = times
        while begins <= until:
            connection.execute(multiply.format(begins=begins, ends=begins + step, **parts))
            connection.execute("SELECT whodid.merge_hours(0)")
            begins += step
        # With nothing left to count, days of things are made.
        connection.execute("SELECT whodid.merge_hours(0)")
        connection.execute("UPDATE whodid.journal_position SET events = (SELECT count(*) FROM public.events)")
        connection.execute("VACUUM ANALYZE")
    return store


def clickhouse_store(server: ClickHouseServer, folder: Path, events: int, end: datetime) -> ClickHouseStore:
    """The same in ClickHouse, all days counted that are over; with no events, what is there."""
    if events:
        store = ClickHouseStore(server.url(CLICKHOUSE_DATABASE))
        fill(store, folder / "journal", events, end)
        store.close()
        multiply_clickhouse(server, CLICKHOUSE_DATABASE, min(events, STORY_EVENTS), events)
        server.run(f"OPTIMIZE TABLE {CLICKHOUSE_DATABASE}.events FINAL")
    store = ClickHouseStore(server.url(CLICKHOUSE_DATABASE))
    with patch.object(clickhouse_counting, "STEP_S", COUNTED_S_MAX):
        store.rest()
    return store


def multiply_clickhouse(server: ClickHouseServer, database: str, first: int, events: int) -> None:
    """Further copies of the first events of a store that has counted nothing yet, until there are so many."""
    names = [column.name for column in (*COLUMNS, *WORKED_OUT)]
    parts = {
        "database": database,
        "columns": ", ".join(names),
        "others": ", ".join(f"e.{name}" for name in names if name not in _OWN_CLICKHOUSE),
        "events": 2 * first,
        "copies": max(1, round(events / first)),
    }
    server.run((SQL / "multiply_clickhouse.sql").read_text().format(**parts))
