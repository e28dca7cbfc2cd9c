"""The shape for the largest installations: Kafka as the journal, ClickHouse as the store, servers between them."""

from __future__ import annotations

import signal
import uuid
from pathlib import Path

import pytest

from support.clickhouse import ClickHouseServer
from support.kafka import KafkaCluster
from support.posting import Sender, assert_exactly_once, wait_until_counted
from support.serving import ServerProcess


@pytest.mark.crash
def test_events_come_out_once_though_the_writer_dies_between_rows_and_position(
    kafka: KafkaCluster, clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path, free_port: int
) -> None:
    topic = f"audit-{uuid.uuid4().hex[:8]}"
    journal = f"kafka://{kafka.bootstrap}/{topic}?security=plaintext&min_insync=1&partitions=2&session.timeout.ms=6000"
    options = ("--journal", journal, "--store", clickhouse_url)
    point = {"WHODID_CRASH_AT": "clickhouse.rows-written:3"}
    doomed = ServerProcess(tmp_path / "one", *options, port=free_port, environment=point)
    server = ServerProcess(tmp_path / "one", *options, port=free_port)
    doomed.start(wait=False)
    server.url = f"http://127.0.0.1:{free_port}"
    sender = Sender(server, "sender", 1)
    try:
        sender.start()
        assert doomed.process.wait(60) == -signal.SIGKILL, (tmp_path / "one.log").read_text()[-2_000:]
        database = clickhouse_url.rpartition("/")[2]
        assert int(clickhouse_server.run(f"SELECT count() FROM {database}.events")) > 0
        server.start()
        sender.finish()
        wait_until_counted(server, [sender])
        assert assert_exactly_once(server, [sender]) == len(sender.acknowledged) > 0
        assert server.request("GET", "/v1/status")[1]["journal"]["lost"] == 0
    finally:
        doomed.kill()
        server.kill()
