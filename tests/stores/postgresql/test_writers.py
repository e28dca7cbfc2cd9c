"""Several writers on one PostgreSQL, one that hangs, and a server that goes away."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.batches import Batches
from support.events import event, many
from support.postgresql import PostgreSQLServer
from support.postgresql_store import told
from whodid.errors import WhodidError
from whodid.stores import migrate, postgresql, postgresql_schema, postgresql_write
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql


def test_two_stores_store_the_same_ids_once(postgresql_url: str, tmp_path: Path) -> None:
    """Two receivers are sent the same events at the same moment, with random ids, at different times."""
    stores = [PostgreSQLStore(postgresql_url) for _ in range(2)]
    ids = [str(uuid.uuid4()) for _ in range(400)]
    written: list[int] = []
    together = threading.Barrier(2)

    def write(place: int) -> None:
        own = Batches(tmp_path / str(place), f"receiver-{place}")
        for begin in range(0, len(ids), 40):
            month = timedelta(days=40 * place)
            events = [event(id=id_, time=datetime(2026, 5, 4, tzinfo=UTC) + month) for id_ in ids[begin : begin + 40]]
            together.wait(timeout=30)
            result = stores[place].write([own.of(events)])
            written.append(result.events)
            assert result.events + result.duplicates == 40

    writers = [threading.Thread(target=write, args=(place,)) for place in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert sum(written) == len(ids)
    assert told(postgresql_url, "SELECT count(*), count(DISTINCT id) FROM public.events") == [(400, 400)]
    for store in stores:
        store.close()


def test_a_partition_that_another_process_made_is_searched_for_known_ids(postgresql_url: str, tmp_path: Path) -> None:
    one, other = PostgreSQLStore(postgresql_url), PostgreSQLStore(postgresql_url)
    one.write([Batches(tmp_path / "a", "a").of([event()])])
    events = [event(id=str(uuid.uuid4()), time=datetime.now(UTC) - timedelta(days=200)) for _ in range(3)]
    other.write([Batches(tmp_path / "b", "b").of(events)])
    assert one.write([Batches(tmp_path / "c", "c").of(events)]).duplicates == 3
    one.close()
    other.close()


def test_a_new_database_may_be_opened_by_many_at_once(postgresql_url: str) -> None:
    opened: list[PostgreSQLStore] = []
    openers = [threading.Thread(target=lambda: opened.append(PostgreSQLStore(postgresql_url))) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join(timeout=60)
    assert [store.stats().version for store in opened] == [len(migrate.migrations("postgresql"))] * 4
    for store in opened:
        store.close()


def test_it_goes_on_after_the_server_was_away(own_postgresql_server: PostgreSQLServer, batches: Batches) -> None:
    store = PostgreSQLStore(own_postgresql_server.create_database())
    store.write([batches.of(many(5))])
    own_postgresql_server.crash()
    waiting = batches.of(many(3))
    for ask in (lambda: store.write([waiting]), lambda: store.query("SELECT 1"), lambda: store.position("receiver-a")):
        with pytest.raises(WhodidError) as away:
            ask()
        assert away.value.code == "unavailable"
        assert away.value.kind.temporary
    own_postgresql_server.start()
    assert store.position("receiver-a") == 1
    assert store.write([waiting]).events == 3
    assert store.stats().events == 8
    store.close()


def test_a_server_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(WhodidError) as away:
        PostgreSQLStore(f"postgresql://somebody:secret-word@/nowhere?host={tmp_path}")
    assert away.value.code == "unavailable"
    assert "secret-word" not in str(away.value)


class HangingBatch:
    """A batch that the process stops reading in the middle, as one on a machine that hangs.

    beginning  what of it is read before, by which the writer comes to its turn.
    """

    def __init__(self, batch: Any, beginning: Any):
        self._batch = batch
        self._beginning = beginning
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def frames(self) -> Iterator[Any]:
        yield from self._beginning.frames()
        self.reached.set()
        self.go_on.wait(30)
        yield from self._batch.frames()


def test_a_writer_that_hangs_loses_its_turn(
    postgresql_url: str, store: PostgreSQLStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "SILENT_TIMEOUT_MS", 300)
    monkeypatch.setattr(postgresql_write, "CHUNK_EVENTS", 2)
    other = PostgreSQLStore(postgresql_url)
    own = Batches(tmp_path / "b", "receiver-b")
    hanging = HangingBatch(beginning=own.of(many(2)), batch=own.of(many(4)))
    failed: list[str] = []

    def write() -> None:
        try:
            store.write([hanging])
        except WhodidError as error:
            failed.append(error.code)

    writer = threading.Thread(target=write)
    writer.start()
    assert hanging.reached.wait(10)
    assert other.write([Batches(tmp_path / "a", "receiver-a").of(many(3))]).events == 3
    hanging.go_on.set()
    writer.join(timeout=30)
    assert failed == ["unavailable"]
    assert store.write([hanging]).events == 6, "it is whole again at the next attempt"
    other.close()


class ReadBatch:
    """A batch that tells when it was read."""

    def __init__(self, batch: Any):
        self._batch = batch
        self.was_read = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def frames(self) -> Iterator[Any]:
        yield from self._batch.frames()
        self.was_read.set()


@pytest.mark.parametrize("meanwhile", ["nothing", "some", "all"])
def test_what_is_read_before_the_turn_is_stored_once(
    postgresql_url: str, store: PostgreSQLStore, batches: Batches, meanwhile: str
) -> None:
    """While another writer has its turn, this one reads; who takes its place then, as one after a restart, counts."""
    first, second = ReadBatch(batches.of(many(3))), batches.of(many(4))
    written: list[int] = []
    there = {"nothing": 0, "some": first.number, "all": second.number}[meanwhile]
    with psycopg.connect(postgresql_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (postgresql_schema.WRITE_LOCK,))
        writer = threading.Thread(target=lambda: written.append(store.write([first, second]).events))
        writer.start()
        assert first.was_read.wait(10)
        if there:
            other.execute("INSERT INTO whodid.journal_position VALUES (%s, %s, 0, 0)", (batches.receiver, there))
    writer.join(timeout=30)
    expected = {"nothing": 7, "some": 4, "all": 0}[meanwhile]
    assert written == [expected]
    assert told(postgresql_url, "SELECT count(*) FROM public.events") == [(expected,)]
    assert store.position(batches.receiver) == second.number
    assert told(postgresql_url, "SELECT count(*) FROM public.event_types") == [(1 if expected else 0,)]


def test_closing_breaks_off_a_write_that_waits(store: PostgreSQLStore, batches: Batches, postgresql_url: str) -> None:
    waiting = batches.of(many(3))
    failed: list[str] = []

    def write() -> None:
        try:
            store.write([waiting])
        except WhodidError as error:
            failed.append(error.code)

    with psycopg.connect(postgresql_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (postgresql_schema.WRITE_LOCK,))
        writer = threading.Thread(target=write)
        writer.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        deadline = time.monotonic() + 10
        while told(postgresql_url, waits) != [(1,)]:
            assert time.monotonic() < deadline
        began = time.monotonic()
        store.close()
        writer.join(timeout=10)
        assert time.monotonic() - began < 5
    assert failed == ["unavailable"]
    after = PostgreSQLStore(postgresql_url)
    assert after.write([waiting]).events == 3
    after.close()
