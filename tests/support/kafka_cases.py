"""Kafka as the other side of a target."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.kafka import SILENT, KafkaCluster, read_topic
from support.target_cases import Case


@contextmanager
def mock_kafka(folder: Path) -> Iterator[Case]:
    """librdkafka's own broker: the real wire protocol, without transactions that hold."""
    with mock_brokers() as bootstrap:
        options = {"brokers": bootstrap, "topic": "audit", "security": "plaintext", "exactly_once": "no"}
        yield Case(
            kind="kafka",
            options={**options, "timeout_s": 10},
            received=lambda: [json.loads(one.value())["id"] for one in read_topic(bootstrap, "audit")],
            unreachable={**options, "brokers": "127.0.0.1:1", "timeout_s": 1},
            ordered=False,
            exactly_once=False,
        )


@contextmanager
def real_kafka(folder: Path, cluster: KafkaCluster) -> Iterator[Case]:
    topic = cluster.create_topic(f"audit-{uuid.uuid4().hex[:12]}")
    options = {"brokers": cluster.bootstrap, "topic": topic, "security": "plaintext"}
    yield Case(
        kind="kafka",
        options=options,
        received=lambda: [json.loads(one.value())["id"] for one in read_topic(cluster.bootstrap, topic)],
        unreachable={**options, "brokers": "127.0.0.1:1", "timeout_s": 1},
        forbidden={**signed_in(cluster, "ada", "wrong-secret"), "topic": topic, "timeout_s": 10},
    )


def signed_in(cluster: KafkaCluster, username: str, password: str) -> dict[str, Any]:
    """Options with which a user signs in over TLS."""
    return {
        "brokers": cluster.secure_bootstrap,
        "security": "sasl_ssl",
        "mechanism": "PLAIN",
        "username": username,
        "password": password,
        "ca_file": str(cluster.ca_file),
    }


@contextmanager
def mock_brokers() -> Iterator[str]:
    """The address of librdkafka's mock cluster, which lives within a client of its own."""
    from confluent_kafka import Producer

    settings: dict[str, Any] = {"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "logger": SILENT}
    owner = Producer(settings)
    broker = owner.list_topics(timeout=10).brokers[1]
    yield f"{broker.host}:{broker.port}"
    del owner
