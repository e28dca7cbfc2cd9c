"""Kafka: each event a message, by an idempotent producer; exactly once by transactions that hold the place as well.

The place is the committed offset of partition 0 of the topic (or of `place_topic`) in a consumer group of the target's
own, committed within the transaction of the messages: `seq` and, as its metadata, the places of all receivers. So a
message and its place are there together or not at all, and whoever comes after a crash reads how far it got. The
transactional id belongs to the target on this server: opening it ends what a predecessor left behind, dead or hanging.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.kafka import calls, errors, topics
from whodid.kafka.calls import Met
from whodid.targets import kafka_errors, kafka_messages, kafka_properties
from whodid.targets.base import BaseTarget, Context, Delivery, Refusal, Sent, TargetOption
from whodid.targets.kafka_messages import Held, Message
from whodid.targets.kafka_properties import PLACE_TOPIC
from whodid.targets.naming import Naming
from whodid.typed import decode

T = TypeVar("T")

# Calls come back so often to look whether they were given up.
SLICE_S: Final = 0.25


crash.register(
    {
        "kafka.before-commit": "a delivery's messages and place are in a transaction that is not committed",
        "kafka.after-commit": "a Kafka transaction is committed; dispatch does not know",
    }
)


class KafkaTarget(BaseTarget):
    """Each event is a message with the headers id, type, topic, level, node, format and content-type. Exactly once for
    consumers with `isolation.level=read_committed`."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = kafka_properties.OPTIONS
    EVENTS_MAX: ClassVar[int | None] = 5_000
    EXACTLY_ONCE: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._met = Met()
        self._common = kafka_properties.common(options, context, self._met.note)
        if not options["brokers"]:
            raise WhodidError(
                "invalid", "brokers names nobody.", "Write them like kafka-1:9092,kafka-2:9092", field="brokers"
            )
        self._topic = Naming("topic", options["topic"], allowed=r"a-zA-Z0-9._-", most=249)
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._held = Held()
        self._passed: dict[str, tuple[int, frozenset[int]]] = {}
        """By receiver up to where events are in the topics already, beyond the place that `open` returned, and which of
        them are not."""
        self._limits: dict[str, int] = {}
        """By topic what it takes, where that is less than `message_bytes_max`."""
        self._there: set[str] = set()
        self._undelivered: tuple[KafkaError, str] | None = None
        """The first message's error, and its topic."""
        self._in_transaction = False
        self._cancelled = False
        self._until_s = 0.0

    def open(self) -> Mapping[str, int]:
        self._begin()
        self._open_producer()
        if not self.options["exactly_once"]:
            self._retried("asking the brokers", lambda: self._producing.list_topics(timeout=SLICE_S * 4))
            return {}
        if self.context.testing:
            return {}
        if not self._topic.is_plain and not self.options["place_topic"]:
            self._make_topic(PLACE_TOPIC, 1)
        self._consumer = self._made(
            Consumer,
            {
                **self._common,
                "group.id": f"whodid-{self.context.id}-{self.context.receiver}",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            },
        )
        self._held = self._retried("reading the place", self._read_places)
        self._passed = {
            receiver: (self._held.places[receiver], frozenset(seqs)) for receiver, seqs in self._held.refused.items()
        }
        return self._held.places | {receiver: seqs[0] - 1 for receiver, seqs in self._held.refused.items()}

    def send(self, delivery: Delivery) -> Sent:
        self._begin()
        try:
            return self._send(delivery)
        except WhodidError:
            if not self._has_learnt():
                raise
            return self._send(delivery)

    def flush(self) -> str:
        return "All messages are acknowledged by the brokers."

    def close(self) -> None:
        self._let_go()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def cancel(self) -> None:
        self._cancelled = True

    @property
    def _producing(self) -> Producer:
        assert self._producer is not None
        return self._producer

    def _open_producer(self) -> None:
        limit = min(self._limits.values(), default=None)
        properties = kafka_properties.producer(self.options, self.context, limit)
        self._producer = self._made(Producer, {**self._common, **properties, "on_delivery": self._delivered})
        self._undelivered = None
        if self.options["exactly_once"]:
            self._retried("beginning transactions", lambda: self._producing.init_transactions(SLICE_S * 4))

    def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaException, SystemError):
                producer.purge()
                if self._in_transaction:
                    # Else consumers would wait for it until the brokers give it up.
                    producer.abort_transaction(1.0)
        self._in_transaction = False

    def _has_learnt(self) -> bool:
        """Whether the brokers took a message for too large, and told a limit to go by from here on."""
        if self._undelivered is None or self._undelivered[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
            return False
        topic = self._undelivered[1]
        limit = topics.message_bytes_max(self._common, topic)
        if limit is None or limit >= self._limit(topic):
            return False
        self._limits[topic] = limit
        self._let_go()
        self._open_producer()
        return True

    def _limit(self, topic: str) -> int:
        return self._limits.get(topic, int(self.options["message_bytes_max"]))

    def _send(self, delivery: Delivery) -> Sent:
        messages, refused = self._messages(delivery)
        if self.options["exactly_once"]:
            self._transaction(messages, delivery, refused)
        else:
            self._deliver(messages)
        topics = sorted({message.topic for message in messages})
        answer = f"{len(messages)} messages to {', '.join(topics[:3])}{' …' if len(topics) > 3 else ''}"
        size_bytes = sum(len(message.value) for message in messages)
        return Sent(delivery.count - len(refused), size_bytes, refused, answer)

    def _transaction(self, messages: Sequence[Message], delivery: Delivery, refused: Sequence[Refusal]) -> None:
        producer = self._producing
        self._retried("beginning a transaction", producer.begin_transaction)
        self._in_transaction = True
        self._deliver(messages)
        if self._consumer is not None:
            self._held.move(delivery.receiver, delivery.last, refused)
            self._retried("noting the place", self._note_place)
        crash.point("kafka.before-commit")
        self._retried("committing", lambda: producer.commit_transaction(SLICE_S * 4))
        self._in_transaction = False
        crash.point("kafka.after-commit")

    def _deliver(self, messages: Sequence[Message]) -> None:
        """Hand messages over and wait until every broker that has to has them. Raises what the first error means."""
        producer = self._producing
        for message in messages:
            self._hand_over(message)
        while self._served("sending", producer.flush):
            self._wait("sending")
        if self._undelivered is not None:
            if self._undelivered[0].code() in errors.PURGED:
                # What they were purged for comes behind them.
                self._served("sending", producer.poll)
            raise self._explained(self._undelivered[0], "sending")

    def _hand_over(self, message: Message) -> None:
        with self._told(f"sending to {message.topic}"):
            while True:
                try:
                    self._producing.produce(message.topic, message.value, message.key, headers=message.headers)
                    return
                except BufferError:
                    self._wait("sending")
                    self._producing.poll(SLICE_S)

    def _messages(self, delivery: Delivery) -> tuple[list[Message], list[Refusal]]:
        messages: list[Message] = []
        refused: list[Refusal] = []
        headers = kafka_messages.HeadersOf(self.context.format)
        passed, pending = self._passed.get(delivery.receiver, (-1, frozenset()))
        for seq, label, line, key in kafka_messages.keyed(delivery, self.options["key"]):
            topic = self._topic.of(label)
            self._make(topic)
            message = Message(topic, key, line, headers.of(label))
            if message.size_bytes > self._limit(topic):
                told = f"It takes {message.size_bytes:,} bytes; a message of {topic} may have {self._limit(topic):,}."
                refused.append(Refusal(seq, "too_large", told))
            elif seq > passed or seq in pending:
                messages.append(message)
        return messages, refused

    def _read_places(self) -> Held:
        assert self._consumer is not None
        (found,) = self._consumer.committed([TopicPartition(self._place_topic, 0)], timeout=SLICE_S * 8)
        if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(found.error)
        if not found.metadata:
            return Held()
        try:
            return decode(found.metadata, Held)
        except msgspec.MsgspecError:
            raise WhodidError(
                "conflict",
                f"Somebody else wrote the offsets of the group whodid-{self.context.id}-…: no place in them.",
            ) from None

    def _note_place(self) -> None:
        assert self._consumer is not None
        offset = next(reversed(self._held.places.values())) + 1
        place = TopicPartition(self._place_topic, 0, offset, self._held.text())
        self._producing.send_offsets_to_transaction([place], self._consumer.consumer_group_metadata(), SLICE_S * 4)

    @property
    def _place_topic(self) -> str:
        return self.options["place_topic"] or (self._topic.text if self._topic.is_plain else PLACE_TOPIC)

    def _make(self, topic: str) -> None:
        """Make a topic where that is wanted."""
        if self.options["create_partitions"] and topic not in self._there:
            self._make_topic(topic, self.options["create_partitions"])
            self._there.add(topic)

    def _make_topic(self, topic: str, partitions: int) -> None:
        explain = partial(kafka_errors.explained, doing=f"making the topic {topic}")
        topics.make(AdminClient(self._common), topic, partitions, self.options["timeout_s"], explain)

    def _begin(self) -> None:
        self._until_s = time.monotonic() + self.options["timeout_s"]
        self._met.clear()

    def _wait(self, doing: str) -> None:
        """Raises when it is in vain to wait any longer."""
        if self._cancelled:
            raise WhodidError("unavailable", f"Kafka: {doing} was given up.")
        noted = self._met.telling
        if noted is not None and errors.is_end(noted):
            raise kafka_errors.explained(noted, doing)
        if time.monotonic() > self._until_s:
            why = f" ({noted.str()[:300]})" if noted is not None else ""
            raise WhodidError(
                "unavailable",
                f"Kafka: {doing} was not answered within {self.options['timeout_s']:g} s{why}.",
                "Look at brokers and security.",
            )

    def _retried(self, doing: str, step: Callable[[], T]) -> T:
        """What a step returns, tried for as long as there is time and trying may help."""
        while True:
            with self._told(doing) as passing:
                return step()
            self._met.note(passing[0])
            self._served(doing, self._producing.poll)
            self._wait(doing)

    def _served(self, doing: str, step: Callable[[float], int]) -> int:
        """What a step that serves the client's callbacks returns."""
        with self._told(doing):
            return step(SLICE_S)
        return 1

    def _told(self, doing: str) -> AbstractContextManager[list[KafkaError]]:
        """Raise what went wrong within the block as our error; errors that pass by themselves are only noted."""
        return calls.told(partial(self._explained, doing=doing))

    def _fatal(self) -> KafkaError:
        """The fatal error of a producer that has one: the next callbacks tell it, and all calls of a transaction."""
        for step in (self._producing.poll, self._producing.abort_transaction):
            try:
                step(SLICE_S)
            except KafkaException as problem:
                error: KafkaError = problem.args[0]
                if error.fatal() and error.code() != KafkaError._FATAL:
                    return error
            except (KafkaError, SystemError):  # type: ignore[misc]  # an exception, which its stubs do not say
                continue
        return KafkaError(KafkaError._FATAL)

    def _explained(self, error: KafkaError, doing: str) -> WhodidError:
        """What an error means, or the one that lies behind it."""
        if error.code() == KafkaError._FATAL:
            error = self._fatal()
        behind = self._met.telling
        if behind is not None and errors.is_end(behind):
            error = behind
        elif self._undelivered is not None and not errors.is_end(error):
            error = self._undelivered[0]
        return kafka_errors.explained(error, doing)

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is not None and (self._undelivered is None or self._undelivered[0].code() in errors.PURGED):
            self._undelivered = (error, message.topic())

    def _made(self, kind: Callable[[dict[str, Any]], T], properties: dict[str, Any]) -> T:
        return calls.made(kind, properties, partial(kafka_errors.explained, doing="reading the options"))
