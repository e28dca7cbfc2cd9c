"""What is asked of a topic itself: to be there, how it is made, and where its partitions end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from whodid.kafka.calls import Explain

ASK_S_MAX: Final = 5.0


def make(
    admin: AdminClient,
    topic: str,
    partitions: int,
    timeout_s: float,
    explain: Explain,
    *,
    replication: int = -1,
    config: Mapping[str, str] | None = None,
) -> bool:
    """Make a topic unless it is there; says whether it made it. Raises what `explain` says.

    replication  how many brokers hold each record; -1: as the cluster usually does.
    """
    wanted = NewTopic(topic, partitions, replication, config=dict(config or {}))
    try:
        admin.create_topics([wanted], request_timeout=timeout_s)[topic].result(timeout_s)
    except KafkaException as problem:
        error = problem.args[0]
        if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise explain(error) from problem
        return False
    return True


def config_of(admin: AdminClient, topic: str) -> dict[str, str] | None:
    """The topic's settings, those of the cluster included; None when they are not told, or there is no such topic."""
    asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
    try:
        told = admin.describe_configs([asked], request_timeout=ASK_S_MAX)[asked].result(ASK_S_MAX)
    except (KafkaException, TimeoutError):
        return None
    return {name: str(entry.value) for name, entry in told.items()}


def message_bytes_max(properties: dict[str, Any], topic: str) -> int | None:
    """The topic's max.message.bytes; None when it is not told, or there is no such topic."""
    told = (config_of(AdminClient(properties), topic) or {}).get("max.message.bytes", "")
    return int(told) if told.isdigit() else None
