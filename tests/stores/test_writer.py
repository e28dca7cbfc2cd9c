"""The store writer over a real journal and a real store; what fails is made to fail by a thin layer over the store."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.batches import RECEIVED_AT, Batches
from support.events import entity, event, many
from support.journals import open_journal
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.journal.base import Batch, Draft
from whodid.journal.disk import DiskJournal
from whodid.stores.base import Mentions, Written
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.writer import TRIES_MAX, StoreWriter
from whodid.stores.writer_batches import groups, mentions_of


class TroubledStore(DuckDBStore):
    """A real store whose writes can be made to fail."""

    trouble: Callable[[Sequence[Batch]], None] = staticmethod(lambda batches: None)

    def write(self, batches: Sequence[Batch]) -> Written:
        self.trouble(batches)
        return super().write(batches)


class Directory:
    """Remembers what it was told; can be made to fail."""

    def __init__(self) -> None:
        self.told: list[Mentions] = []
        self.failures: list[Exception] = []
        self.listening = threading.Event()
        self.listening.set()

    def observe(self, mentions: Mentions) -> None:
        assert self.listening.wait(10)
        if self.failures:
            raise self.failures.pop()
        self.told.append(mentions)

    @property
    def logins(self) -> set[str]:
        return {seen.login for mentions in self.told for seen in mentions.users}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[DiskJournal]:
    journal = open_journal(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TroubledStore]:
    store = TroubledStore(tmp_path / "events.duckdb", journal_path=tmp_path / "journal")
    yield store
    store.close()


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def writer(journal: DiskJournal, store: TroubledStore, directory: Directory) -> Iterator[StoreWriter]:
    writer = StoreWriter(journal, store, directory, pause_s_max=0.05)
    yield writer
    writer.close(drain_s=0)


def append(journal: DiskJournal, events: Sequence[Event], *, sealed: bool = False) -> None:
    payload = msgspec.json.encode(list(events))
    journal.append_blocking(Draft(received_at=RECEIVED_AT, events=payload, count=len(events)))
    if sealed:
        journal.seal()


def wait_for(what: Callable[[], Any], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def unavailable() -> WhodidError:
    return WhodidError("unavailable", "The database is away.")


def wait_until_stored(store: TroubledStore, events: int) -> None:
    wait_for(lambda: store.stats().events == events)


def test_what_was_appended_before_a_flush_is_stored(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter, directory: Directory
) -> None:
    writer.start()
    for number in range(3):
        append(journal, many(10, user=f"user-{number}"))
    writer.flush(10)
    assert store.stats().events == 30
    assert directory.logins == {"user-0", "user-1", "user-2"}
    status = writer.status()
    assert (status.stored, status.duplicates, status.lag_batches, status.last_error) == (30, 0, 0, None)
    assert status.rate > 0


def test_the_journal_lets_go_of_what_is_stored(journal: DiskJournal, writer: StoreWriter) -> None:
    writer.start()
    append(journal, many(5), sealed=True)
    writer.flush(10)
    assert list(journal.sealed()) == []
    assert journal.backlog_bytes == 0


def test_a_store_that_is_older_than_the_journal_goes_on_with_what_comes(
    tmp_path: Path, journal: DiskJournal, writer: StoreWriter, caplog: pytest.LogCaptureFixture
) -> None:
    writer.start()
    for _ in range(3):
        append(journal, many(5), sealed=True)
        writer.flush(10)
    writer.close()
    other = TroubledStore(tmp_path / "other.duckdb", journal_path=tmp_path / "journal")
    later = StoreWriter(journal, other, pause_s_max=0.05)
    try:
        later.start()
        later.flush(5)
        assert "Batches 1 to 3 of receiver" in caplog.text
        assert later.status().missing == 3
        append(journal, many(2))
        later.flush(10)
        assert other.stats().events == 2
        told = other.query("SELECT code, message FROM rejected_events", trusted=True).table.to_pylist()
        assert [one["code"] for one in told] == ["missing"] and "Batches 1 to 3" in told[0]["message"]
        later.close(drain_s=0)
        again = StoreWriter(journal, other)
        again.start()
        again.close(drain_s=5)
        assert again.status().missing == 0, "it is told once"
    finally:
        later.close(drain_s=0)
        other.close()


def test_events_are_stored_without_a_flush_once_their_segment_is_old_enough(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter
) -> None:
    writer.start()
    append(journal, many(5), sealed=True)
    wait_for(lambda: store.stats().events == 5)


def test_closing_stores_what_waits(journal: DiskJournal, store: TroubledStore, writer: StoreWriter) -> None:
    writer.start()
    append(journal, many(7))
    writer.close(drain_s=10)
    assert store.stats().events == 7
    assert not writer.status().running
    writer.close()


def test_a_store_that_is_away_for_a_while_loses_nothing(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter
) -> None:
    failures = [unavailable() for _ in range(2 * TRIES_MAX)]

    def trouble(batches: Sequence[Batch]) -> None:
        if failures:
            raise failures.pop()

    store.trouble = trouble
    for _ in range(3):
        append(journal, many(4), sealed=True)
    writer.start()
    wait_for(lambda: writer.status().last_error)
    assert "The database is away." in str(writer.status().last_error)
    writer.flush(20)
    assert store.stats().events == 12
    assert (writer.status().poisoned, writer.status().last_error) == (0, None)


def test_a_closing_stores_nothing_behind_a_batch_that_could_not_be_stored_yet(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter
) -> None:
    alone: list[int] = []

    def trouble(batches: Sequence[Batch]) -> None:
        alone.extend(batch.number for batch in batches if len(batches) == 1)
        if batches[0].number == 1:
            raise unavailable()

    store.trouble = trouble
    for _ in range(2):
        append(journal, many(4), sealed=True)
    writer.start()
    wait_for(lambda: 1 in alone)
    writer.close(drain_s=0)
    assert store.position(journal.receiver) == 0
    assert [batch.number for batch in journal.sealed()] == [1, 2]


def test_a_flush_that_takes_too_long_says_why(journal: DiskJournal, store: TroubledStore, writer: StoreWriter) -> None:
    def trouble(batches: Sequence[Batch]) -> None:
        raise unavailable()

    store.trouble = trouble
    writer.start()
    append(journal, many(4))
    wait_for(lambda: journal.seal() and writer.status().last_error)
    with pytest.raises(WhodidError) as late:
        writer.flush(0.05)
    assert late.value.code == "timeout"
    assert "The database is away." in str(late.value)
    status = writer.status()
    assert (status.lag_batches, status.stored) == (1, 0)
    assert status.lag_bytes > 0
    assert status.lag_seconds >= 0


@pytest.mark.parametrize("problem", [WhodidError("invalid", "No engine takes this."), ZeroDivisionError("a mistake")])
def test_a_batch_that_fails_for_good_is_put_aside_and_told_of(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter, tmp_path: Path, problem: Exception
) -> None:
    def trouble(batches: Sequence[Batch]) -> None:
        if any(batch.number == 2 and batch.count for batch in batches):
            raise problem

    store.trouble = trouble
    for number in range(3):
        append(journal, many(4 + number), sealed=True)
    kept = (tmp_path / "journal" / "000000000002.sealed").read_bytes()
    writer.start()
    writer.flush(30)
    assert store.stats().events == 4 + 6
    (told,) = store.query("SELECT code, message FROM rejected_events", trusted=True).table.to_pylist()
    assert told["code"] == "internal"
    assert str(problem) in told["message"]
    assert "5 events" in told["message"]
    (aside,) = (tmp_path / "journal").glob("*.poison")
    assert aside.read_bytes() == kept
    assert aside.name in told["message"]
    assert writer.status().poisoned == 1


def test_the_directory_is_told_again_until_it_listens(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter, directory: Directory
) -> None:
    directory.failures = [unavailable() for _ in range(3)]
    writer.start()
    append(journal, many(2, user="ann"))
    writer.flush(10)
    assert directory.logins == {"ann"}
    assert store.stats().events == 2


def test_the_next_batch_is_stored_while_the_directory_learns_and_none_is_let_go_before(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter, directory: Directory
) -> None:
    directory.listening.clear()
    writer.start()
    for number in range(3):
        append(journal, many(2, user=f"user-{number}"), sealed=True)
        wait_until_stored(store, 2 * (number + 1))
    assert [batch.number for batch in journal.sealed()] == [1, 2, 3]
    assert writer.status().lag_batches == 3
    directory.listening.set()
    writer.flush(10)
    assert [seen.login for told in directory.told for seen in told.users] == ["user-0", "user-1", "user-2"]
    assert list(journal.sealed()) == []


def test_what_the_directory_did_not_learn_before_a_closing_it_learns_at_the_next_start(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter, directory: Directory
) -> None:
    directory.failures = [unavailable() for _ in range(1_000)]
    writer.start()
    for number in range(2):
        append(journal, many(2, user=f"user-{number}"), sealed=True)
        wait_until_stored(store, 2 * (number + 1))
    writer.close(drain_s=0)
    assert (directory.told, len(journal.sealed())) == ([], 2)
    directory.failures = []
    following = StoreWriter(journal, store, directory)
    following.start()
    following.flush(10)
    following.close(drain_s=0)
    assert directory.logins == {"user-0", "user-1"}
    assert list(journal.sealed()) == []


def test_what_a_crash_left_between_store_and_journal_is_finished_at_the_start(
    journal: DiskJournal, store: TroubledStore, writer: StoreWriter, directory: Directory
) -> None:
    append(journal, [event(user="ann", acting_for="ben", entities=[entity("query", "q", "Q")])], sealed=True)
    store.write(journal.sealed())
    writer.start()
    wait_for(lambda: not journal.sealed())
    append(journal, many(2))
    writer.flush(10)
    assert directory.logins == {"ann", "ben"}
    assert store.stats().events == 3
    assert writer.status().stored == 2


def test_mentions_read_from_frames_are_those_of_the_store(tmp_path: Path) -> None:
    session = "0b0e9f0a-7f50-4b0c-8f0e-1f2a3b4c5d6e"
    batches = Batches(tmp_path / "journal")
    batch = batches.of(
        [
            event(5, user="ann", session=session, entities=[entity("query", "q", "Q"), entity("model", "m")]),
            event(1, user="ann", session=session, entities=[entity("query", "q", "Q")]),
            event(3, user="robot", acting_for="ben"),
        ]
    )
    store = DuckDBStore(tmp_path / "events.duckdb", journal_path=tmp_path / "journal")
    stored = store.write([batch]).mentions
    store.close()
    read = mentions_of([batch])

    def plain(seen: Sequence[Any]) -> list[Any]:
        return sorted((msgspec.structs.astuple(one) for one in seen), key=str)

    assert plain(read.users) == plain(stored.users)
    assert plain(read.sessions) == plain(stored.sessions)
    assert plain(read.entities) == plain(stored.entities)


def test_batches_are_grouped_up_to_a_size(tmp_path: Path) -> None:
    batches = Batches(tmp_path)
    small = [batches.of(many(1)) for _ in range(5)]
    large = batches.of(many(100))
    size = small[0].size_bytes
    assert [len(group) for group in groups(small, 2 * size + size // 2)] == [2, 2, 1]
    assert [len(group) for group in groups([*small[:2], large, small[2]], 3 * size)] == [2, 1, 1]
    assert list(groups([], 10)) == []


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="needs Linux")
def test_the_writing_thread_gives_way_to_the_others(journal: DiskJournal, writer: StoreWriter) -> None:
    writer.start()
    writer.flush(10)
    thread = writer._thread
    assert thread is not None
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) > os.getpriority(os.PRIO_PROCESS, os.getpid())


def test_the_directory_can_be_told_of_many_writes_at_once(
    journal: DiskJournal, store: TroubledStore, directory: Directory
) -> None:
    writer = StoreWriter(journal, store, directory, settle_s=3_600)
    writer.start()
    for number in range(3):
        append(journal, [event(number, user="ann", entities=[entity("query", "q", "Q")])], sealed=True)
        wait_until_stored(store, number + 1)
    assert (directory.told, len(journal.sealed())) == ([], 3)
    writer.flush(10)
    writer.close(drain_s=0)
    (told,) = directory.told
    assert [(seen.login, (seen.last - seen.first).seconds) for seen in told.users] == [("ann", 2)]
    assert [(seen.name, (seen.last - seen.first).seconds) for seen in told.entities] == [("Q", 2)]
    assert list(journal.sealed()) == []


def test_each_name_of_a_thing_is_told_even_when_many_writes_are_told_at_once(
    journal: DiskJournal, store: TroubledStore, directory: Directory
) -> None:
    writer = StoreWriter(journal, store, directory, settle_s=3_600)
    writer.start()
    for number, name in enumerate(("old", "old", "new")):
        append(journal, [event(number, entities=[entity("query", "q", name)])], sealed=True)
        wait_until_stored(store, number + 1)
    writer.close()
    assert sorted({seen.name or "" for told in directory.told for seen in told.entities}) == ["new", "old"]
