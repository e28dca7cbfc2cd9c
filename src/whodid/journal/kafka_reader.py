"""A member of the consumer group: partitions come and go, and their records become batches.

    assigned ─► (store's position asked for) ─► fetching ─► batches ─► released: committed to the group
                        │ the store is away: asked again        │ behind: paused

The store's position decides where a partition goes on. The offset in the group is how far the directory has learnt of
what is stored, and what Kafka's own tools show.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from whodid.errors import WhodidError
from whodid.journal import kafka_frames
from whodid.journal.base import Stream
from whodid.journal.kafka_partition import WAITING_BYTES_MAX, Partition
from whodid.journal.kafka_topic import HINTS, Identity
from whodid.journal.space import Reserve
from whodid.kafka import calls, errors

POLL_S: Final = 0.05
RECORDS_MAX: Final = 500
COMMIT_EVERY_S: Final = 1.0
RETRY_S: Final = 0.25
ASK_S_MAX: Final = 3.0
BATCH_BYTES_MAX: Final = 16 * 1024 * 1024

_log = logging.getLogger(__name__)


class Reader:
    """One consumer and its thread.

    common   properties of every client.
    folder   for the partitions' files.
    """

    def __init__(
        self,
        common: dict[str, Any],
        identity: Identity,
        group: str,
        folder: Path,
        reserve: Reserve,
        *,
        batch_bytes_max: int,
        batch_age_ms_max: int,
        position: Callable[[str], int],
        took: Callable[[Stream], None],
        gave: Callable[[Stream], None],
    ):
        self.partitions: dict[int, Partition] = {}
        self.poisoned = 0
        self.lost = 0
        self._identity = identity
        self._folder = folder
        self._reserve = reserve
        self._batch_bytes_max = min(batch_bytes_max, BATCH_BYTES_MAX)
        self._batch_age_ms_max = batch_age_ms_max
        self._position = position
        self._took = took
        self._gave = gave
        self._waiting: dict[int, float] = {}
        """Partitions that are assigned and not begun, and when to try again."""
        self._paused: set[int] = set()
        self._committed: dict[int, int] = {}
        self._commit_at_s = 0.0
        self._names: dict[int, bytes] = {}
        self._gaps: dict[int, int] = {}
        """By partition the last offset that came when a lower one was due."""
        self._troubles: dict[int | None, str] = {}
        """By partition, or of all, what went wrong last and did not go well since."""
        self._handed: set[int] = set()
        """Partitions that somebody stores here."""
        self._stopping = threading.Event()
        self._consumer: Consumer = calls.made(
            Consumer,
            {
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 2_000,
                "max.poll.interval.ms": 120_000,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 4 * 1024,
                **common,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "cooperative-sticky",
                "isolation.level": "read_committed",
            },
            self._explained,
        )
        self._thread = threading.Thread(target=self._run, name="whodid-kafka-reader", daemon=True)

    @property
    def trouble(self) -> str | None:
        """What keeps it from reading."""
        return next(iter(list(self._troubles.values())), None)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Leave the group; others take over at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._consumer.subscribe(
            [self._identity.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._dropped
        )
        try:
            while not self._stopping.is_set():
                try:
                    self._step()
                    self._troubles.pop(None, None)
                except Exception as problem:
                    self._note(problem)
                    # What was fetched and not gathered has to come again.
                    self._waiting.update(dict.fromkeys(self.partitions, 0.0))
                    self._stopping.wait(RETRY_S)
        finally:
            with contextlib.suppress(KafkaException):
                self._consumer.close()
            for number in list(self.partitions):
                self._end(number)

    def _step(self) -> None:
        messages: list[Any] = []
        with calls.told(self._explained):
            messages = self._consumer.consume(RECORDS_MAX, POLL_S)
        for message in messages:
            self._take(message)
        for partition in list(self.partitions.values()):
            self._guarded(partition, partition.seal_due)
            self._regulate(partition)
            self._hand_over(partition)
        for number, at_s in list(self._waiting.items()):
            if time.monotonic() >= at_s:
                self._try_begin(number)
        with contextlib.suppress(KafkaException):
            self._commit()

    def _take(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            self._failed(message, error)
            return
        partition = self.partitions.get(message.partition())
        offset = message.offset()
        if partition is None or partition.number in self._waiting or offset < partition.next:
            return
        if offset > partition.next and self._gaps.get(partition.number) != offset:
            # Numbers that no record has are left out twice at the same place.
            self._gaps[partition.number] = offset
            self._waiting[partition.number] = 0.0
            return
        line = kafka_frames.renumbered(message.value() or b"", offset, self._names[partition.number])
        if line is None:
            line = self._apology(partition, message)
        self._guarded(partition, partial(partition.add, line, offset))

    def _apology(self, partition: Partition, message: Any) -> bytes:
        """The line that tells of a record which is no frame, in its place."""
        self.poisoned += 1
        source = f"{self._identity.topic}/{partition.number}@{message.offset()}"
        told = (
            f"Record {message.offset()} of partition {partition.number} of the topic {self._identity.topic} is no "
            "frame that whodid wrote, or was changed since."
        )
        _log.warning("%s It is kept with the rejections.", told)
        stamp_ms = message.timestamp()[1]
        at = datetime.fromtimestamp(max(0, stamp_ms) / 1000, UTC)
        name = self._names[partition.number]
        return kafka_frames.apology(message.value(), told, source, message.offset(), name, at)

    def _guarded(self, partition: Partition, step: Callable[[], None]) -> None:
        """Do what writes a partition's file; where there is no room, what is open is read again later."""
        try:
            step()
        except (OSError, WhodidError) as problem:
            self._note(problem, partition.number)
            with contextlib.suppress(KafkaException):
                self._consumer.pause([TopicPartition(self._identity.topic, partition.number)])
            partition.rewind()
            self._waiting[partition.number] = time.monotonic() + RETRY_S

    def _regulate(self, partition: Partition) -> None:
        """Fetch no further ahead of the store than so far."""
        number = partition.number
        here = [TopicPartition(self._identity.topic, number)]
        if number not in self._paused and partition.waiting_bytes > WAITING_BYTES_MAX:
            self._consumer.pause(here)
            self._paused.add(number)
        elif number in self._paused and partition.waiting_bytes < WAITING_BYTES_MAX // 2:
            self._consumer.resume(here)
            self._paused.discard(number)

    def _hand_over(self, partition: Partition) -> None:
        """Have it stored here, once what the store has already is there to be looked through."""
        if partition.number not in self._handed and partition.next >= partition.position:
            self._handed.add(partition.number)
            self._took(partition)

    def _failed(self, message: Any, error: KafkaError) -> None:
        number = message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET and number in self.partitions:
            # The records that come next were deleted: see where it goes on.
            self._waiting[number] = time.monotonic()
        elif error.code() not in errors.PASSING and error.code() != KafkaError._PARTITION_EOF:
            self._note(self._explained(error), number)

    # The group.

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        here = [TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in partitions]
        consumer.incremental_assign(here)
        if here:
            consumer.pause(here)
        for one in here:
            self._waiting[one.partition] = 0.0

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._end(one.partition)
        with contextlib.suppress(KafkaException):
            self._commit(at_once=True)
        for one in partitions:
            self._forget(one.partition)
        consumer.incremental_unassign(partitions)

    def _dropped(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others store these already: what this process still does there changes nothing."""
        for one in partitions:
            self._end(one.partition)
            self._forget(one.partition)
        consumer.incremental_unassign(partitions)

    def _end(self, number: int) -> None:
        partition = self.partitions.get(number)
        if partition is None:
            return
        if number in self._handed:
            self._handed.discard(number)
            self._gave(partition)
        partition.close()

    def _forget(self, number: int) -> None:
        self.partitions.pop(number, None)
        self._waiting.pop(number, None)
        self._paused.discard(number)
        self._committed.pop(number, None)
        self._gaps.pop(number, None)
        self._troubles.pop(number, None)

    def _try_begin(self, number: int) -> None:
        """`_begin`, again and again while the store or the brokers do not answer."""
        self._waiting[number] = time.monotonic() + RETRY_S
        try:
            self._begin(number)
        except (WhodidError, KafkaException, OSError) as problem:
            self._note(problem, number)
        else:
            del self._waiting[number]
            self._troubles.pop(number, None)

    def _begin(self, number: int) -> None:
        """Fetch a partition from where the store is."""
        here = TopicPartition(self._identity.topic, number)
        low, high = self._consumer.get_watermark_offsets(here, ASK_S_MAX)
        partition = self.partitions.get(number)
        if partition is None:
            partition = self.partitions[number] = self._new(number, low, high)
        elif partition.next < low:
            self._tell_lost(number, partition.next, low)
            partition.seal_open()
            partition.next = low
        self._consumer.seek(TopicPartition(here.topic, number, partition.next))
        self._consumer.resume([here])
        self._paused.discard(number)

    def _new(self, number: int, low: int, high: int) -> Partition:
        name = self._identity.stream(number)
        self._names[number] = msgspec.json.encode(name)
        position = self._position(name)
        if position > high:
            raise WhodidError(
                "conflict",
                f"The store has {position:,} records of partition {number} of the topic {self._identity.topic}, which "
                f"ends at {high:,}: it lost its end, or was replaced.",
                "Nothing of this partition is stored until then. Name another topic in the journal's URL.",
            )
        if 0 < position < low:
            self._tell_lost(number, position, low)
        (group,) = self._consumer.committed([TopicPartition(self._identity.topic, number)], timeout=ASK_S_MAX)
        start = max(low, min(group.offset, position) if group.offset >= 0 else position)
        return Partition(
            number,
            name,
            self._folder / str(number),
            self._reserve,
            start=start,
            position=position,
            batch_bytes_max=self._batch_bytes_max,
            batch_age_ms_max=self._batch_age_ms_max,
        )

    def _tell_lost(self, number: int, first: int, low: int) -> None:
        self.lost += low - first
        _log.error(
            "Records %d to %d of partition %d of the topic %s were deleted before they were stored.",
            first,
            low - 1,
            number,
            self._identity.topic,
        )

    def _commit(self, *, at_once: bool = False) -> None:
        """Tell the group how far partitions are released."""
        if not at_once and time.monotonic() < self._commit_at_s:
            return
        self._commit_at_s = time.monotonic() + COMMIT_EVERY_S
        moved = {
            number: partition.released
            for number, partition in self.partitions.items()
            if partition.released > self._committed.get(number, -1)
        }
        if moved:
            offsets = [TopicPartition(self._identity.topic, number, offset) for number, offset in moved.items()]
            if at_once:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets)
            self._committed |= moved

    def _note(self, problem: Exception, number: int | None = None) -> None:
        text = str(problem) or type(problem).__name__
        if text != self._troubles.get(number):
            unexpected = not isinstance(problem, WhodidError | OSError | KafkaException)
            _log.warning("Reading the journal: %s", text, exc_info=problem if unexpected else None)
        self._troubles[number] = text

    def _explained(self, error: KafkaError) -> WhodidError:
        return errors.explained(error, f"reading {self._identity.topic}", HINTS)
