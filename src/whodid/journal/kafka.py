"""The journal in a Kafka topic: durable on several machines when the sender hears "yes", shared by many servers.

    append ─► parts by key ─► records (acks=all) ─► partitions ─┬─► Reader here ─► batches ─► a writer each ─► store
                                                                └─► Reader elsewhere …       (its position decides)

A server keeps nothing that matters: its id for the record, and files of what it is about to store, which come again out
of the topic.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from whodid.errors import WhodidError
from whodid.journal import frame, kafka_frames, receiver
from whodid.journal.base import Batch, Draft, Frame, Outcome, Position, Stream
from whodid.journal.committer import Append, own, settle
from whodid.journal.disk import JournalStatus
from whodid.journal.kafka_frames import SEQ_STEP
from whodid.journal.kafka_options import parse
from whodid.journal.kafka_reader import Reader
from whodid.journal.kafka_sender import Record, Sender
from whodid.journal.kafka_standing import PartitionStatus, Watch
from whodid.journal.kafka_topic import Topic
from whodid.journal.quarantine import Quarantine, Quarantined
from whodid.journal.space import Reserve
from whodid.kafka import properties
from whodid.kafka.calls import Met

_log = logging.getLogger(__name__)

# A frame's head, and what a record of the least size may hold besides.
FRAME_BYTES: Final = 4_096
FORGET_EVERY_S: Final = 30.0
CLOSE_S: Final = 10.0
START_S_MAX: Final = 30.0


class KafkaStatus(JournalStatus, kw_only=True):
    """Where the journal stands. `poisoned` records were no frames, `lost` were deleted before they were stored."""

    topic: str
    cluster: str
    topic_id: str
    writer: bool
    partitions: list[PartitionStatus]
    lag_records: int
    poisoned: int
    lost: int
    warnings: list[str]


class Marker:
    """The empty batch by which a store remembers whose positions it has."""

    path: Path | None = None
    number = 1
    count = 0
    rejects_count = 0
    size_bytes = 0

    def __init__(self, name: str):
        self.receiver = name

    def frames(self) -> Iterator[Frame]:
        yield from ()

    def array(self) -> None:
        return None


class KafkaJournal:
    """A topic as a journal; see `whodid.journal.base.Shared` for what each method promises.

    Parameters
    ----------
    url
        `kafka://host:port,…/topic?…` with the options of `kafka_options.OPTIONS`.
    folder
        For this server's id and for what it is about to store.
    group
        The consumer group of those who store into the same store, unless the URL names one.
    segment_bytes_max, segment_age_ms_max
        A batch is complete at this size (16 MiB at most) or age.
    backlog_bytes_max
        Bytes of records, as far as they can be told, that may wait for the store; beyond it appends are "busy".
    disk_free_bytes_min
        Free disk kept in reserve; below it nothing is fetched.

    Raises
    ------
    WhodidError("unavailable")
        Temporary: no broker answers.
    WhodidError("conflict")
        The topic does not keep what it takes (see `kafka_topic.Topic.open`), or the folder holds a journal of its own
        with events that are not stored.
    """

    kind = "kafka"

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        group: str,
        segment_bytes_max: int,
        segment_age_ms_max: int,
        backlog_bytes_max: int,
        disk_free_bytes_min: int,
    ):
        self.folder = folder
        self.keeps = False
        self.url = parse(url)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_leftovers(folder)
        self._known = receiver.load(folder)
        self._receiver_json = msgspec.json.encode(self._known.receiver)
        self._group = self.url.group or group or f"whodid-{self.receiver}"
        self._segment_bytes_max = segment_bytes_max
        self._segment_age_ms_max = segment_age_ms_max
        self._backlog_bytes_max = backlog_bytes_max
        self._reserve = Reserve(folder, disk_free_bytes_min)
        met = Met()
        self._common = properties.client(self.url.connection, client_id=f"whodid-{self.receiver}", on_error=met.note)
        self._topic = Topic(self.url, self._common, met)
        self._watch = Watch(
            self._topic,
            self._topic.open(START_S_MAX),
            min_insync=self.url.min_insync,
            backlog_bytes_max=backlog_bytes_max,
        )
        self._forget_at_s = 0.0
        self._turn = 0
        self._seq_next = 1
        self._numbering = threading.Lock()
        self._wakes = threading.Condition()
        self._closed = False
        self._reader: Reader | None = None
        self._sender = Sender(
            self._common,
            self.url.topic,
            compression=self.url.compression,
            linger_ms=self.url.linger_ms,
            timeout_ms=self.url.timeout_ms,
            waiting_bytes_max=self.url.waiting_bytes_max,
            message_bytes_max=self._topic.message_bytes_max,
            met=met,
        )

    @property
    def receiver(self) -> str:
        return self._known.receiver

    @property
    def streams(self) -> Sequence[str]:
        return [self._watch.identity.stream(number) for number in self._watch.numbers]

    # Taking in.

    async def append(self, draft: Draft) -> Position:
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self.submit(draft, partial(settle, future))
        return await future

    def submit(self, draft: Draft, done: Callable[[Outcome], None]) -> None:
        self._send(draft, asyncio.get_running_loop(), done)

    def append_blocking(self, draft: Draft) -> Position:
        append = self._send(draft)
        assert append.written is not None
        append.written.wait()
        if isinstance(append.outcome, Position):
            return append.outcome
        assert append.outcome is not None
        raise own(append.outcome)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.wake()
        if self._reader is not None:
            self._reader.close()
        self._sender.close(CLOSE_S)

    # Storing.

    def recognise(self, positions: Mapping[str, int]) -> Batch | None:
        is_known = self._watch.recognise(positions, self.url.accept)
        return None if is_known else Marker(self._watch.identity.marker)

    def begin(
        self, position: Callable[[str], int], took: Callable[[Stream], None], gave: Callable[[Stream], None]
    ) -> None:
        if not self.url.writer:
            return
        self._reader = Reader(
            self._common,
            self._watch.identity,
            self._group,
            self.folder / "kafka",
            self._reserve,
            batch_bytes_max=self._segment_bytes_max,
            batch_age_ms_max=self._segment_age_ms_max,
            position=position,
            took=took,
            gave=gave,
        )
        self._reader.start()

    def end(self) -> None:
        """Take part in storing no more; others take over at once."""
        if self._reader is not None:
            self._reader.close()

    def look(self, positions: Mapping[str, int]) -> None:
        sender = self._sender
        self._watch.look(positions, sender.bytes / max(1, sender.records), sender.heard_at_s)
        self._forget()

    @property
    def lag_s(self) -> float:
        return max((one.lag_seconds for one in self._watch.partitions()), default=0.0)

    def horizons(self) -> Mapping[str, int]:
        return {self._watch.identity.stream(one.partition): one.stored * SEQ_STEP for one in self._watch.partitions()}

    def written(self) -> Mapping[str, int]:
        return {self._watch.identity.stream(number): end for number, end in self._sender.ends.items()}

    # What dispatch sees: nothing is kept here, targets read the store.

    @property
    def seq_next(self) -> int:
        return 1

    def kept(self) -> Sequence[Batch]:
        return ()

    def wait_kept(self, after: int, timeout_s: float) -> Sequence[Batch]:
        with self._wakes:
            if not self._closed:
                self._wakes.wait(timeout_s)
        return ()

    def drop(self, number: int) -> None:
        return None

    def wake(self) -> None:
        with self._wakes:
            self._wakes.notify_all()

    def status(self) -> KafkaStatus:
        """Where the journal stands at this moment."""
        sender, reader = self._sender, self._reader
        here = dict(reader.partitions) if reader is not None else {}
        partitions = list(self._watch.partitions(here.keys()))
        sealed = [batch for one in here.values() for batch in one.sealed()]
        identity, refusal = self._watch.identity, self._watch.refusal
        trouble = [reader.trouble] if reader is not None and reader.trouble else []
        return KafkaStatus(
            receiver=self.receiver,
            seq_next=self._seq_next,
            released=0,
            segment_sealed=0,
            segment_open=None,
            sealed_segments=len(sealed),
            kept_segments=0,
            kept_bytes=0,
            backlog_bytes=self._watch.backlog_bytes,
            backlog_bytes_max=self._backlog_bytes_max,
            oldest_sealed_s=max((one.lag_seconds for one in partitions), default=0.0) or None,
            frames=sender.frames,
            events=sender.events,
            bytes=sender.bytes,
            commits=sender.commits,
            commit_mean_ms=1000 * sender.commit_seconds / max(1, sender.commits),
            events_per_second=sender.rate.per_second(),
            waiting_bytes=sender.waiting_bytes,
            disk_free_bytes=self._reserve.free_bytes(),
            disk_free_bytes_min=self._reserve.disk_free_bytes_min,
            refusal=str(refusal) if refusal is not None else None,
            torn_bytes=0,
            quarantine=self._quarantined(),
            topic=self.url.topic,
            cluster=identity.cluster,
            topic_id=identity.topic_id,
            writer=self.url.writer,
            partitions=partitions,
            lag_records=sum(one.lag for one in partitions),
            poisoned=reader.poisoned if reader is not None else 0,
            lost=reader.lost if reader is not None else 0,
            warnings=[*self._topic.warnings, *self._watch.short(), *trouble],
        )

    def _send(
        self, draft: Draft, loop: asyncio.AbstractEventLoop | None = None, done: Callable[[Outcome], None] | None = None
    ) -> Append:
        if self._closed:
            raise WhodidError("unavailable", "The journal is closed.")
        if (refusal := self._watch.refusal) is not None:
            raise own(refusal)
        append = Append(frame.prepare(draft, self._receiver_json), loop, done)
        self._sender.send(append, list(self._records(draft)), draft.count)
        return append

    def _records(self, draft: Draft) -> Iterator[Record]:
        """The records of a draft: its events by partition, then its rejections."""
        self._turn += 1
        partitions = len(self._watch.numbers)
        room = self._topic.message_bytes_max - FRAME_BYTES
        if draft.count or not draft.rejects:
            for part in kafka_frames.parts_of(draft, self.url.key, partitions, self._turn, room):
                some = msgspec.structs.replace(draft, events=part.events, count=part.events_count, rejects=())
                yield part.partition, part.key, self._numbered(some)
        for rejects in kafka_frames.rejects_of(draft.rejects, room):
            some = msgspec.structs.replace(draft, events=b"[]", count=0, rejects=rejects)
            yield self._turn % partitions, None, self._numbered(some)

    def _numbered(self, draft: Draft) -> bytes:
        prepared = frame.prepare(draft, self._receiver_json)
        with self._numbering:
            seq = self._seq_next
            self._seq_next += draft.count
        return b"".join(frame.number(prepared, seq))[:-1]

    def _forget(self) -> None:
        """Let the brokers delete what is stored, if this server stores and it is old enough."""
        if self._reader is None or self.url.keep_ms < 0 or time.monotonic() < self._forget_at_s:
            return
        self._forget_at_s = time.monotonic() + FORGET_EVERY_S
        before = {number: one.released for number, one in dict(self._reader.partitions).items() if one.released}
        if before:
            try:
                self._topic.forget(before, self.url.keep_ms)
            except WhodidError as error:
                _log.warning("%s", error)

    def _quarantined(self) -> list[Quarantined]:
        folders = sorted((self.folder / "kafka").glob("*"))
        return [item for folder in folders if folder.is_dir() for item in Quarantine(folder).items()]


def _refuse_leftovers(folder: Path) -> None:
    """Events that wait in a journal on disk would wait for ever."""
    waiting = [path for state in ("open", "sealed") for path in folder.glob(f"*.{state}")]
    if waiting:
        raise WhodidError(
            "conflict",
            f"{folder} holds {len(waiting)} segments of a journal on disk that are not stored.",
            "Start once more with --journal disk until whodid status says that nothing waits; then change to Kafka.",
        )
