"""What a Kafka target asks of a topic itself: to be there, and how large its messages may be."""

from __future__ import annotations

from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from whodid.targets import kafka_errors

ASK_S_MAX: Final = 5.0


def make(properties: dict[str, Any], topic: str, partitions: int, timeout_s: float) -> None:
    """Make a topic with the cluster's usual replication, unless it is there. Raises WhodidError."""
    admin = AdminClient(properties)
    try:
        admin.create_topics([NewTopic(topic, partitions)], request_timeout=timeout_s)[topic].result(timeout_s)
    except KafkaException as problem:
        error = problem.args[0]
        if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise kafka_errors.explained(error, f"making the topic {topic}") from problem


def message_bytes_max(properties: dict[str, Any], topic: str) -> int | None:
    """The topic's max.message.bytes; None when it is not told, or there is no such topic."""
    admin = AdminClient(properties)
    asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
    try:
        told = admin.describe_configs([asked], request_timeout=ASK_S_MAX)[asked].result(ASK_S_MAX)
        return int(told["max.message.bytes"].value)
    except (KafkaException, KeyError, ValueError, TimeoutError):
        return None
