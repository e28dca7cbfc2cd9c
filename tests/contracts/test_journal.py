"""What every journal promises to whoever takes events in, on disk and in Kafka."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.journals import draft, ids_of, open_journal
from support.kafka import KafkaCluster
from whodid.errors import WhodidError
from whodid.event import Event, Rejection
from whodid.journal.base import Draft, Frame, Intake, Outcome, Position, Stream
from whodid.journal.disk import DiskJournal
from whodid.journal.kafka import KafkaJournal

PARTITIONS = 3


class Place:
    """A journal that can be closed and opened again, and what a store would get out of it."""

    def __init__(self, kind: str, open_: Callable[[], Any]):
        self.kind = kind
        self._open = open_
        self._opened: list[Any] = []

    def open(self) -> Intake:
        journal: Intake = self._open()
        self._opened.append(journal)
        return journal

    def frames(self, journal: Intake, events: int, rejects: int = 0) -> list[Frame]:
        """All frames of its batches, once so many events and rejections are in them."""
        found: list[Frame] = []
        deadline = time.monotonic() + 40
        for streams in _streams(journal, deadline):
            found = [frame for one in streams for batch in one.sealed() for frame in batch.frames()]
            if (sum(len(one.events) for one in found), sum(len(one.rejects) for one in found)) == (events, rejects):
                break
        return found

    def close(self) -> None:
        for journal in self._opened:
            journal.close()


def _streams(journal: Any, deadline: float) -> Iterator[Sequence[Stream]]:
    """The streams of a journal, again and again until the deadline."""
    taken: list[Stream] = []
    if isinstance(journal, KafkaJournal):
        journal.begin(lambda stream: 0, taken.append, taken.remove)
    else:
        journal.seal()
        taken = [journal]
    while time.monotonic() < deadline:
        yield list(taken)
        time.sleep(0.05)


@pytest.fixture(params=["disk", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = _on_disk(tmp_path) if request.param == "disk" else _in_kafka(request.getfixturevalue("kafka"), tmp_path)
    yield made
    made.close()


@pytest.fixture
def journal(place: Place) -> Intake:
    return place.open()


def _on_disk(folder: Path) -> Place:
    return Place("disk", lambda: open_journal(folder / "journal"))


def _in_kafka(cluster: KafkaCluster, folder: Path) -> Place:
    topic = cluster.create_topic(f"journal-{uuid.uuid4().hex[:12]}", PARTITIONS)

    def opened() -> KafkaJournal:
        return KafkaJournal(
            f"kafka://{cluster.bootstrap}/{topic}?security=plaintext&min_insync=1&keep_ms=-1",
            folder / "journal",
            group=f"group-{topic}",
            segment_bytes_max=64 * 1024 * 1024,
            segment_age_ms_max=50,
            backlog_bytes_max=1024**3,
            disk_free_bytes_min=0,
        )

    return Place("kafka", opened)


def events_of(frames: Sequence[Frame]) -> list[Event]:
    return [event for frame in frames for event in frame.events]


def numbers_of(frames: Sequence[Frame]) -> list[tuple[str, int]]:
    return [(frame.provenance.receiver, frame.seq + place) for frame in frames for place in range(len(frame.events))]


def test_what_is_appended_comes_out_once_with_its_provenance(place: Place, journal: Intake) -> None:
    sent = [draft(3, key_id="k1", orig_address="10.1.2.3", format="dss-log4j"), draft(2)]
    for each in sent:
        assert isinstance(journal.append_blocking(each), Position)
    frames = place.frames(journal, 5)
    assert sorted(event.id for event in events_of(frames)) == sorted(ids_of(sent))
    told = {(one.provenance.key_id, one.provenance.orig_address, one.provenance.format) for one in frames}
    assert told == {("k1", "10.1.2.3", "dss-log4j"), (None, None, "native")}
    assert {one.provenance.received_at for one in frames} == {sent[0].received_at}


def test_rejections_come_out_too(place: Place, journal: Intake) -> None:
    reject = Rejection(index=4, code="invalid", message="type is missing", raw='{"a":"\n\x00ü"}')
    journal.append_blocking(draft(2, rejects=[reject]))
    journal.append_blocking(draft(0, rejects=[reject] * 3))
    frames = place.frames(journal, 2, 4)
    assert [one for frame in frames for one in frame.rejects] == [reject] * 4


def test_every_event_has_a_number_of_its_own_under_a_name_that_the_journal_tells(place: Place, journal: Intake) -> None:
    for _ in range(20):
        journal.append_blocking(draft(5))
    numbers = numbers_of(place.frames(journal, 100))
    assert len(set(numbers)) == 100
    assert {name for name, _ in numbers} <= set(journal.streams)
    for name in journal.streams:
        mine = [number for one, number in numbers if one == name]
        assert mine == sorted(mine)


def test_events_of_one_user_stay_in_order(place: Place, journal: Intake) -> None:
    users = [f"user{n}" for n in range(5)]
    for n in range(30):
        journal.append_blocking(_of(users[n % 5], n))
    events = events_of(place.frames(journal, 30))
    for user in users:
        mine = [float(event.duration_ms or 0) for event in events if event.user == user]
        assert mine == sorted(mine) and len(mine) == 6


def _of(user: str, n: int) -> Draft:
    event = f'[{{"id":"0190a000-0000-7000-8000-{n:012d}","time":"2025-03-01T12:30:15Z","type":"t","user":"{user}"'
    return draft(1, events=f'{event},"duration_ms":{n}}}]'.encode())


def test_tasks_callbacks_and_threads_may_append_at_once(place: Place, journal: Intake) -> None:
    sent = [draft(2) for _ in range(150)]
    threads = [threading.Thread(target=journal.append_blocking, args=(each,)) for each in sent[100:]]

    async def some() -> list[Outcome]:
        told: asyncio.Queue[Outcome] = asyncio.Queue()
        for each in sent[:50]:
            journal.submit(each, told.put_nowait)
        await asyncio.gather(*(journal.append(each) for each in sent[50:100]))
        return [await told.get() for _ in range(50)]

    for thread in threads:
        thread.start()
    outcomes = asyncio.run(some())
    for thread in threads:
        thread.join()
    assert all(isinstance(one, Position) for one in outcomes)
    assert {event.id for event in events_of(place.frames(journal, 300))} == set(ids_of(sent))


def test_numbers_go_on_after_a_restart(place: Place, journal: Intake) -> None:
    journal.append_blocking(draft(5))
    journal.close()
    again = place.open()
    again.append_blocking(draft(5))
    assert again.receiver == journal.receiver and again.streams == journal.streams
    assert len(set(numbers_of(place.frames(again, 10)))) == 10


def test_a_closed_journal_refuses(journal: Intake) -> None:
    journal.append_blocking(draft())
    journal.close()
    journal.close()
    with pytest.raises(WhodidError, match="is closed") as refused:
        journal.append_blocking(draft())
    assert refused.value.code == "unavailable"


def test_large_drafts_go_through(place: Place, journal: Intake) -> None:
    sent = draft(100, parameters={"text": "x" * 50_000})
    journal.append_blocking(sent)
    assert sorted(event.id for event in events_of(place.frames(journal, 100))) == sorted(ids_of([sent]))


@pytest.mark.parametrize("broken", [{"events": b"[{}\n]"}, {"events": b'{"id":1}'}, {"events": b""}])
def test_a_draft_that_is_no_array_on_one_line_is_refused(journal: Intake, broken: dict[str, Any]) -> None:
    with pytest.raises(WhodidError) as refused:
        journal.append_blocking(draft(**broken))
    assert refused.value.code == "invalid"


def test_status_counts_what_is_durable(journal: DiskJournal | KafkaJournal) -> None:
    journal.append_blocking(draft(3))
    journal.append_blocking(draft(4))
    status = journal.status()
    assert (status.receiver, status.frames, status.events, status.waiting_bytes) == (journal.receiver, 2, 7, 0)
    assert status.bytes > 0 and status.commit_mean_ms > 0 and status.refusal is None
