"""Frames on their way to the brokers: an idempotent producer, and who waits for which records."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from whodid.errors import WhodidError
from whodid.journal.base import Position
from whodid.journal.committer import Append, tell
from whodid.journal.kafka_standing import RETRY_AFTER_S
from whodid.journal.kafka_topic import HINTS
from whodid.journal.space import Rate
from whodid.kafka import calls, errors, properties
from whodid.kafka.calls import Met

POLL_S: Final = 0.1
RETRY_AFTER_FULL_S: Final = 5
# More records wait in memory than any limit in bytes allows with the smallest of them.
RECORDS_MAX: Final = 10_000_000

_log = logging.getLogger(__name__)


class Sending:
    """An append whose records are on their way; `left` of them are not acknowledged."""

    __slots__ = ("append", "began_s", "error", "events", "left", "position", "records", "size_bytes")

    def __init__(self, append: Append, records: int, events: int, size_bytes: int):
        self.append = append
        self.left = self.records = records
        self.events = events
        self.size_bytes = size_bytes
        self.began_s = time.monotonic()
        self.position: Position | None = None
        self.error: KafkaError | None = None


Record = tuple[int, bytes | None, bytes]
"""Partition, key and value."""


class Sender:
    """One producer and the thread that hears what became of its records.

    common  properties of every client; options of the journal beside.
    """

    def __init__(self, common: dict[str, Any], topic: str, *, compression: str, linger_ms: int, timeout_ms: int,
                 waiting_bytes_max: int, message_bytes_max: int, met: Met):  # fmt: skip
        self.rate = Rate()
        self.frames = self.records = self.events = self.bytes = self.commits = 0
        self.commit_seconds = 0.0
        self.waiting_bytes = 0
        self.heard_at_s = 0.0
        """When a record was acknowledged last (monotonic)."""
        self.ends: dict[int, int] = {}
        """By partition the offset behind the last record of this process that was acknowledged."""
        self._topic = topic
        self._met = met
        self._timeout_ms = timeout_ms
        self._waiting_bytes_max = waiting_bytes_max
        self._properties = {
            **common,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": compression,
            "linger.ms": linger_ms,
            "batch.size": min(message_bytes_max, 1_000_000),
            "message.max.bytes": message_bytes_max + properties.OVERHEAD_BYTES,
            "delivery.timeout.ms": timeout_ms,
            "queue.buffering.max.messages": RECORDS_MAX,
            "queue.buffering.max.kbytes": 2 * waiting_bytes_max // 1024 + 1,
            "sticky.partitioning.linger.ms": 0,
        }
        self._lock = threading.Lock()
        self._done: list[Sending] = []
        self._broken = False
        self._closed = False
        self._producer = self._made()
        self._thread = threading.Thread(target=self._run, name="whodid-journal", daemon=True)
        self._thread.start()

    def send(self, append: Append, records: Sequence[Record], events: int) -> None:
        """Hand over the records of an append, which hears of it when all are acknowledged or one is not.

        Raises
        ------
        WhodidError("busy")
            Temporary: too much waits for the brokers already.
        WhodidError("unavailable")
            Permanent: the journal is closed.
        """
        size_bytes = sum(len(value) for _, _, value in records)
        sending = Sending(append, len(records), events, size_bytes)
        with self._lock:
            if self._closed:
                raise WhodidError("unavailable", "The journal is closed.")
            if self.waiting_bytes and self.waiting_bytes + size_bytes > self._waiting_bytes_max:
                raise WhodidError(
                    "busy",
                    f"{self.waiting_bytes:,} bytes wait for Kafka's brokers; the limit is {self._waiting_bytes_max:,}.",
                    "Send again a little later. If it stays so, look at the brokers.",
                    retry_after_s=RETRY_AFTER_S,
                )
            self.waiting_bytes += size_bytes
            producer = self._producer
        delivered = partial(self._delivered, sending)
        for place, (partition, key, value) in enumerate(records):
            try:
                producer.produce(self._topic, value, key, partition, on_delivery=delivered)
            except (BufferError, KafkaException) as problem:
                full = KafkaError(KafkaError._QUEUE_FULL)
                error = problem.args[0] if isinstance(problem, KafkaException) else full
                self._settled(sending, len(records) - place, error)
                return

    def close(self, timeout_s: float) -> None:
        """Wait for what is on its way, for so long; what is not acknowledged by then hears so."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with contextlib.suppress(KafkaException, SystemError):
            self._producer.flush(timeout_s)
            self._producer.purge()
            self._producer.flush(1.0)
        self._thread.join()
        self._tell()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._producer.poll(POLL_S)
            except (KafkaException, SystemError) as problem:
                _log.warning("Kafka's producer: %s", problem)
            except KafkaError as error:  # type: ignore[misc]  # an exception, which its stubs do not say
                self._broken = self._broken or error.fatal()
            try:
                self._tell()
                if self._broken:
                    self._replace()
            except Exception:
                _log.exception("Kafka's producer")

    def _replace(self) -> None:
        """Go on with a new producer: the old one has given itself up, and all its records have heard so."""
        with self._lock:
            old, self._producer, self._broken = self._producer, self._made(), False
        _log.warning("Kafka's producer gave up; another one goes on.")
        with contextlib.suppress(KafkaException, SystemError):
            old.purge()
            old.flush(POLL_S)

    def _made(self) -> Producer:
        return calls.made(
            Producer, self._properties, partial(errors.explained, doing="reading the options", hints=HINTS)
        )

    def _delivered(self, sending: Sending, error: KafkaError | None, message: Any) -> None:
        if error is None:
            partition, offset = message.partition(), message.offset()
            sending.position = Position(partition, offset)
            self.heard_at_s = time.monotonic()
            if self.ends.get(partition, 0) <= offset:
                self.ends[partition] = offset + 1
        elif error.fatal() or error.code() == KafkaError._FATAL:
            self._broken = True
        self._settled(sending, 1, error)

    def _settled(self, sending: Sending, records: int, error: KafkaError | None) -> None:
        with self._lock:
            sending.left -= records
            sending.error = sending.error or error
            if sending.left:
                return
            self.waiting_bytes -= sending.size_bytes
            self._done.append(sending)

    def _tell(self) -> None:
        """Tell everybody whose records are all settled."""
        with self._lock:
            done, self._done = self._done, []
        if not done:
            return
        now_s = time.monotonic()
        for sending in done:
            self.commits += 1
            self.commit_seconds += now_s - sending.began_s
            if sending.error is None:
                self.frames += 1
                self.records += sending.records
                self.events += sending.events
                self.bytes += sending.size_bytes
                self.rate.add(sending.events)
        tell(
            [sending.append for sending in done],
            [
                self._refused(sending.error) if sending.error or sending.position is None else sending.position
                for sending in done
            ],
        )

    def _refused(self, error: KafkaError | None) -> WhodidError:
        """What a sender hears: to come again, unless only an administrator can help."""
        behind = self._met.telling
        error = behind if behind is not None and errors.is_end(behind) else error or KafkaError(KafkaError._FAIL)
        told = f"{error.str()[:200]} ({error.name()})"
        again = "Send again with the same ids: what is there already changes nothing."
        if error.code() in _FULL:
            return WhodidError(
                "full", f"Kafka's brokers have no room: {told}.", again, retry_after_s=RETRY_AFTER_FULL_S
            )
        if error.code() in _TOO_LARGE:
            return WhodidError("too_large", f"Kafka takes no event that large: {told}.", "Raise max.message.bytes.")
        if errors.is_end(error) and not error.fatal():
            why = errors.explained(error, "sending", HINTS)
            return WhodidError("unavailable", why.message, why.hint, retry_after_s=RETRY_AFTER_FULL_S)
        limit = f"Kafka did not acknowledge the events within {self._timeout_ms:,} ms: {told}."
        return WhodidError("busy", limit, again, retry_after_s=RETRY_AFTER_S)


_FULL: Final = frozenset({KafkaError.KAFKA_STORAGE_ERROR})
_TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
