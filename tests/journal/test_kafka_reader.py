"""The reader of a topic, without brokers: what it lets go of when a partition goes to somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from whodid.journal.kafka_partition import BUFFER_BYTES, Partition
from whodid.journal.kafka_reader import Reader
from whodid.journal.kafka_topic import Identity
from whodid.journal.space import Reserve


class Nobody:
    """A consumer that is in no group."""

    def incremental_unassign(self, partitions: object) -> None: ...


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(
        {"bootstrap.servers": "127.0.0.1:1"},
        Identity("cluster", "topic", "id"),
        "group",
        tmp_path,
        Reserve(tmp_path, 0),
        batch_bytes_max=10 * BUFFER_BYTES,
        batch_age_ms_max=60_000,
        position=lambda name: 0,
        took=lambda stream: None,
        gave=lambda stream: None,
    )
    yield made
    made._consumer.close()


def test_a_partition_that_goes_before_it_was_caught_up_with_leaves_no_file_open(reader: Reader, tmp_path: Path) -> None:
    """What the store has already is looked through first: until then nobody here stores it."""
    partition = Partition(
        0, "kafka-id-0", tmp_path / "0", Reserve(tmp_path, 0), start=0, position=100,
        batch_bytes_max=10 * BUFFER_BYTES, batch_age_ms_max=60_000,
    )  # fmt: skip
    partition.add(b"x" * BUFFER_BYTES, 0)
    assert partition._descriptor >= 0
    reader.partitions[0] = partition
    reader._dropped(Nobody(), [TopicPartition("topic", 0)])  # type: ignore[arg-type]  # all that is asked of one
    assert partition._descriptor == -1
    assert reader.partitions == {}
