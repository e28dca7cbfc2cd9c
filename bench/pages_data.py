"""The demo's story, many times over, in a store of each kind; and events that come in meanwhile."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import duckdb
import psycopg

from bench.files import SQL
from bench.payload import Bodies
from support.batches import Batches
from whodid import demo
from whodid.journal.base import Draft
from whodid.stores.base import Store
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.postgresql import PostgreSQLStore

STORY_EVENTS = 200_000
CHUNK_EVENTS = 50_000
COPIES_AT_ONCE = 5
# What a copy has of its own in PostgreSQL, and what the engine works out.
_OWN = ("id", "event_time", "session_id", "user", "acting_for", "request_id", "seq")


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
        }
        multiply = (SQL / "multiply_postgresql.sql").read_text()
        copies = max(1, round(events / STORY_EVENTS))
        for first in range(1, copies, COPIES_AT_ONCE):
            last = min(copies - 1, first + COPIES_AT_ONCE - 1)
            connection.execute(multiply.format(first=first, last=last, **parts))
            connection.execute("SELECT whodid.merge_hours(0)")
        connection.execute("UPDATE whodid.journal_position SET events = (SELECT count(*) FROM public.events)")
        connection.execute("VACUUM ANALYZE")
    return store


class Incoming:
    """Writes so many events a second to a store, a batch every `every_s`, from a thread of its own."""

    def __init__(self, store: Store, folder: Path, rate: int, every_s: float = 0.25):
        self.stored = 0
        self.seconds = 0.0
        self._store = store
        self._batches = Batches(folder, "receiver-b")
        self._bodies = Bodies(max(1, int(rate * every_s)))
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Incoming:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def rate(self) -> float:
        """Events a second that were stored."""
        return self.stored / self.seconds if self.seconds else 0.0

    def _run(self) -> None:
        begin = time.perf_counter()
        while not self._over.is_set():
            draft = Draft(received_at=datetime.now(UTC), events=self._bodies.next(), count=self._bodies.batch)
            self.stored += self._store.write([self._batches.of_drafts([draft])]).events
            self._store.rest()
            self.seconds = time.perf_counter() - begin
            self._over.wait(max(0.0, begin + self._every_s * self.stored / self._bodies.batch - time.perf_counter()))
