"""A Kafka target's options, and the properties of librdkafka that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from whodid.event import new_id
from whodid.kafka import properties
from whodid.kafka.properties import OVERHEAD_BYTES
from whodid.targets.base import Context, TargetOption

PLACE_TOPIC: Final = "whodid-places"
BATCH_BYTES_MAX: Final = 1_000_000
TRANSACTION_TIMEOUT_MS_MIN: Final = 60_000

OPTIONS: Final[tuple[TargetOption, ...]] = (
    TargetOption("brokers", None, "list", "host:port of a few brokers, with commas between", kind="list"),
    TargetOption("topic", None, "name", "topic of an event; may hold %{topic} %{routing_key} %{type} %{level} "
                 "%{node} %{node_type} %{user} %Y %M %D %H"),
    TargetOption("key", "user", "name", "what messages are keyed by; those of one key stay in order", kind="choice",
                 choices=("user", "entity", "node", "session", "none")),
    TargetOption("exactly_once", True, "flag", "transactions; without them a crash may send some events twice",
                 kind="flag"),
    TargetOption("place_topic", None, "name", "existing topic at whose offsets the place is kept; empty: the topic "
                 f"itself, or {PLACE_TOPIC} (made when missing) if its name has % signs", optional=True),
    TargetOption("compression", "zstd", "name", "of messages", kind="choice",
                 choices=("zstd", "lz4", "snappy", "gzip", "none")),
    TargetOption("message_bytes_max", 1_048_588, "bytes", "larger events are refused; a smaller "
                 "max.message.bytes of the topic counts where the target may read it", kind="whole"),
    TargetOption("create_partitions", 0, "partitions", "missing topics are made with so many; 0: they are not",
                 kind="whole"),
    TargetOption("security", "ssl", "name", "Kafka's security.protocol", kind="choice",
                 choices=("ssl", "sasl_ssl", "plaintext", "sasl_plaintext")),
    TargetOption("mechanism", "SCRAM-SHA-512", "name", "of SASL", kind="choice",
                 choices=("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")),
    TargetOption("username", None, "text", "for SASL", optional=True),
    TargetOption("password", None, "text", "for SASL", secret=True, optional=True),
    TargetOption("ca_file", None, "file", "certificates to trust (PEM) instead of the system's", optional=True),
    TargetOption("certificate_file", None, "file", "certificate to show (PEM)", optional=True),
    TargetOption("key_file", None, "file", "its private key (PEM)", optional=True),
    TargetOption("key_password", None, "text", "of the private key", secret=True, optional=True),
    TargetOption("settings", {}, "map", "more properties of librdkafka: name => value, …", secret=True, kind="map"),
    TargetOption("timeout_s", 30.0, "s", "how long opening and a delivery may each take", kind="number"),
)  # fmt: skip


def common(options: Mapping[str, Any], context: Context, on_error: Callable[[Any], None]) -> dict[str, Any]:
    """What every client of the target is made with. Raises WhodidError("invalid")."""
    return properties.client(options, client_id=f"whodid-{context.node}", on_error=on_error)


def producer(options: Mapping[str, Any], context: Context, topic_bytes_max: int | None) -> dict[str, Any]:
    """What the producer is made with besides; `topic_bytes_max` is the topic's limit where it is known."""
    timeout_ms = properties.milliseconds(options["timeout_s"])
    given = {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": options["compression"],
        "partitioner": "murmur2_random",
        "message.max.bytes": max(options["message_bytes_max"], 1_000) + OVERHEAD_BYTES,
        "batch.size": max(1_000, min(topic_bytes_max or options["message_bytes_max"], BATCH_BYTES_MAX)),
        "delivery.timeout.ms": timeout_ms,
        "topic.metadata.propagation.max.ms": min(10_000, timeout_ms // 2),
    }
    if options["exactly_once"]:
        name = f"whodid-{context.id}-{context.receiver}"
        given |= {
            "transactional.id": f"{name}-test-{new_id()}" if context.testing else name,
            "transaction.timeout.ms": max(TRANSACTION_TIMEOUT_MS_MIN, timeout_ms),
        }
    return given
