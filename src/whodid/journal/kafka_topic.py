"""The topic that is a journal: made when missing, refused when it would lose what was acknowledged, and watched."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from whodid.amounts import counted
from whodid.errors import WhodidError
from whodid.journal.kafka_options import KafkaUrl
from whodid.kafka import errors, topics
from whodid.kafka.calls import Met

HINTS: Final = {
    "credentials": "Check user, password, security and mechanism in the journal's URL.",
    "rights": "The user needs Read, Write and Describe on the topic and Read on the group; to make it Create, to learn "
    "its settings DescribeConfigs, to let go of what is stored Delete.",
    "topic": "Make the topic, or allow its user to make it.",
    "trust": "Check the address and ca_file.",
    "name": "Check the name of the topic in the journal's URL.",
    "policy": "The cluster's policy does not allow it.",
    "options": "Check the options in the journal's URL.",
    "passing": "Look at the brokers.",
}
MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
MESSAGE_BYTES_USUAL: Final = 1_048_588
ASK_S_MAX: Final = 5.0
_READY_S_MAX: Final = 20.0
_PAUSE_S: Final = 0.1
# Whoever waits for longer wants to know for whom.
_TELL_S: Final = 2.0

_log = logging.getLogger(__name__)


class Identity(NamedTuple):
    """Which topic it is: a topic of the same name that is made anew, or elsewhere, has another id."""

    cluster: str
    topic: str
    topic_id: str

    def __str__(self) -> str:
        return f"topic {self.topic} ({self.topic_id}) of cluster {self.cluster}"

    def stream(self, partition: int) -> str:
        """The name of a partition's events in the store: `receiver` there, and whose position it is."""
        return f"kafka-{self.topic_id}-{partition}"

    @property
    def marker(self) -> str:
        """The name by which a store remembers that it has positions of this topic."""
        return f"kafka:{self.cluster}/{self.topic}@{self.topic_id}"


def identity_of(marker: str) -> Identity | None:
    """What a name in the store remembers, if it is a marker."""
    kind, _, rest = marker.partition(":")
    cluster, _, named = rest.partition("/")
    topic, _, topic_id = named.partition("@")
    return Identity(cluster, topic, topic_id) if kind == "kafka" and topic_id else None


class Standing(NamedTuple):
    """How a topic stands: by partition the offset that comes next, the brokers that have it, and those that should."""

    identity: Identity
    ends: Mapping[int, int]
    in_sync: Mapping[int, int]
    replicas: Mapping[int, int]


class Topic:
    """What is asked of the brokers about one topic. Methods block, for a few seconds at most.

    met  what the client's callback told, with `properties["error_cb"]`.

    `warnings` are what an administrator should know of its settings.
    """

    def __init__(self, url: KafkaUrl, properties: dict[str, Any], met: Met):
        self.name = url.topic
        self.warnings: list[str] = []
        self.message_bytes_max = MESSAGE_BYTES_USUAL
        self._url = url
        self._met = met
        self._admin = AdminClient(properties)

    def open(self, timeout_s: float) -> Standing:
        """Make the topic if it is missing, and see whether it keeps what it takes.

        Raises
        ------
        WhodidError("unavailable")
            Temporary: no broker answers within the time.
        WhodidError("conflict")
            It has fewer replicas, or asks for fewer that are in sync, than `min_insync`; or it forgets by key.
        """
        # By a clock of its own: a question to brokers that do not answer takes longer than that.
        telling = threading.Timer(_TELL_S, self._tell_of_waiting)
        telling.daemon = True
        telling.start()
        try:
            standing = self._awaited(time.monotonic() + timeout_s, timeout_s)
        finally:
            telling.cancel()
        self._check(standing)
        return standing

    def _awaited(self, deadline: float, timeout_s: float) -> Standing:
        while True:
            try:
                return self.standing()
            except WhodidError as error:
                if error.code == "not_found":
                    self._make(timeout_s)
                    deadline = max(deadline, time.monotonic() + _READY_S_MAX)
                if not (error.code == "not_found" or error.kind.temporary) or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)

    def _tell_of_waiting(self) -> None:
        _log.warning("Waiting for the brokers at %s.", ", ".join(self._url.brokers))

    def standing(self) -> Standing:
        """How it stands at this moment. Raises WhodidError("unavailable"), WhodidError("not_found")."""
        explain = partial(self._explained, doing=f"asking for {self.name}")
        try:
            # This also learns anew which brokers there are, which the calls below do not.
            cluster_id = self._admin.list_topics(self.name, timeout=ASK_S_MAX).cluster_id
            asked = self._admin.describe_topics(TopicCollection([self.name]), request_timeout=ASK_S_MAX)[self.name]
            told = asked.result(ASK_S_MAX)
            identity = Identity(str(cluster_id), self.name, _as_shown(str(told.topic_id)))
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # its stubs leave it out
            wanted = {TopicPartition(self.name, one.id): latest for one in told.partitions}
            found = self._admin.list_offsets(wanted, request_timeout=ASK_S_MAX)
            ends = {one.partition: future.result(ASK_S_MAX).offset for one, future in found.items()}
            if min(ends.values()) < 0:
                raise explain(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        except KafkaException as problem:
            raise explain(problem.args[0]) from None
        except TimeoutError:
            raise explain(KafkaError(KafkaError._TIMED_OUT)) from None
        self._met.clear()
        return Standing(
            identity,
            ends,
            {one.id: len(one.isr) for one in told.partitions},
            {one.id: len(one.replicas) for one in told.partitions},
        )

    def forget(self, before: Mapping[int, int], older_than_ms: int) -> None:
        """Let the brokers delete records before these offsets that are older than that. Raises WhodidError."""
        moment = int(time.time() * 1000) - older_than_ms
        wanted = {TopicPartition(self.name, number): OffsetSpec.for_timestamp(moment) for number in before}
        try:
            found = self._admin.list_offsets(wanted, request_timeout=ASK_S_MAX)
            # Where nothing is younger the answer is -1: then all of it is old enough.
            young = {one.partition: future.result(ASK_S_MAX).offset for one, future in found.items()}
            ends = {n: min(offset, young[n]) if young[n] >= 0 else offset for n, offset in before.items()}
            gone = [TopicPartition(self.name, number, offset) for number, offset in ends.items() if offset > 0]
            for deleted in self._admin.delete_records(gone, request_timeout=ASK_S_MAX).values() if gone else ():
                deleted.result(ASK_S_MAX)
        except KafkaException as problem:
            raise self._explained(problem.args[0], doing="deleting what is stored") from None
        except TimeoutError:
            raise self._explained(KafkaError(KafkaError._TIMED_OUT), doing="deleting what is stored") from None

    def _make(self, timeout_s: float) -> None:
        url = self._url
        explain = partial(self._explained, doing=f"making the topic {self.name}")
        try:
            brokers = len(self._admin.list_topics(timeout=ASK_S_MAX).brokers)
        except KafkaException as problem:
            raise explain(problem.args[0]) from None
        replication = min(url.replication, brokers)
        if replication < url.min_insync:
            raise WhodidError(
                "conflict",
                f"The topic {self.name} is missing, and the cluster has {counted(brokers, 'broker')}: too few for "
                f"min_insync={url.min_insync}.",
                "Start more brokers; or, where events may be lost with a broker, add min_insync=1 to the URL.",
            )
        config = {
            "min.insync.replicas": str(url.min_insync),
            "cleanup.policy": "delete",
            # What is not stored is never too old; whodid deletes what is.
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "unclean.leader.election.enable": "false",
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }
        topics.make(self._admin, self.name, url.partitions, timeout_s, explain, replication=replication, config=config)

    def _check(self, standing: Standing) -> None:
        asked = self._url.min_insync
        fewest = min(standing.replicas.values())
        if fewest < asked:
            raise WhodidError(
                "conflict",
                f"The topic {self.name} has {counted(fewest, 'replica')} of a partition; min_insync={asked} needs as "
                "many.",
                "Give it more with kafka-reassign-partitions.sh; or, where events may be lost with a broker, add "
                "min_insync=1 to the URL.",
            )
        config = topics.config_of(self._admin, self.name)
        if config is None:
            self.warnings.append(
                "Its settings cannot be read (DescribeConfigs): whether it keeps what it takes is not known."
            )
            return
        insync = int(config.get("min.insync.replicas", "1"))
        if insync < asked:
            raise WhodidError(
                "conflict",
                f"The topic {self.name} has min.insync.replicas={insync}: acknowledged events could be lost with "
                f"{counted(insync, 'broker')}.",
                f"Set it: kafka-configs.sh --alter --topic {self.name} --add-config min.insync.replicas={asked}; or "
                f"add min_insync={insync} to the URL.",
            )
        if "compact" in config.get("cleanup.policy", ""):
            raise WhodidError(
                "conflict",
                f"The topic {self.name} is compacted: it keeps only the last record of a user.",
                f"Set it: kafka-configs.sh --alter --topic {self.name} --add-config cleanup.policy=delete",
            )
        if insync >= fewest > 1:
            self.warnings.append(f"min.insync.replicas={insync} of {fewest} replicas: one lost broker stops it.")
        for name in ("retention.ms", "retention.bytes"):
            if config.get(name, "-1") != "-1":
                self.warnings.append(
                    f"{name}={config[name]}: what is not stored by then is lost. -1 leaves deleting to whodid."
                )
        if config.get("unclean.leader.election.enable") == "true":
            self.warnings.append("unclean.leader.election.enable=true: acknowledged events may be lost.")
        self.message_bytes_max = int(config.get("max.message.bytes", MESSAGE_BYTES_USUAL))

    def _explained(self, error: KafkaError, doing: str) -> WhodidError:
        """What an error means, or the one that lies behind it: a wrong password looks like brokers that are away."""
        self._admin.poll(0)
        behind = self._met.telling
        if behind is None:
            return errors.explained(error, doing, HINTS)
        if errors.is_end(behind):
            return errors.explained(behind, doing, HINTS)
        reason = (
            f"The reason: {behind.str()[:300].rstrip('.')}. Look at the brokers, and at security in the journal's URL."
        )
        return errors.explained(error, doing, {**HINTS, "passing": reason})


def _as_shown(topic_id: str) -> str:
    """An id as Kafka's own tools write it."""
    return topic_id.replace("+", "-").replace("/", "_")
