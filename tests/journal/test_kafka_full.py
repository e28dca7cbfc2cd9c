"""A topic whose broker has no room for it: a real disk that is full, and larger later."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import absent
from support.journals import draft, ids_of
from support.kafka import KafkaCluster, KafkaMissing, kafka_cluster
from support.stores import ids
from whodid.config import Config
from whodid.engine import Engine
from whodid.errors import WhodidError
from whodid.journal.base import Draft


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.decode().strip()}")
    yield folder / "logs"
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def cluster(tmp_path: Path, small: Path) -> Iterator[KafkaCluster]:
    """A broker with two disks, of which one is small; all but topics lies on the other."""
    large = tmp_path / "kafka" / "data-0"
    settings = {
        "log.dirs": f"{large},{small}",
        "metadata.log.dir": large,
        "log.segment.bytes": 2_000_000,
        "log.index.size.max.bytes": 4_096,
    }
    try:
        with kafka_cluster(tmp_path / "kafka", 1, settings) as running:
            yield running
    except KafkaMissing as missing:
        absent(str(missing))


def topic_on(cluster: KafkaCluster, disk: Path) -> str:
    """A topic that the broker put there: it takes turns."""
    for number in range(10):
        topic = cluster.create_topic(f"audit-{number}")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = list(disk.parent.parent.glob(f"*/**/{topic}-0"))
            if found:
                break
            time.sleep(0.05)
        if found and found[0].parent == disk:
            return topic
    raise AssertionError("the broker puts nothing on the small disk")


def appended(opened: Engine, sent: list[Draft], what: Draft) -> WhodidError | None:
    try:
        opened.journal.append_blocking(what)
    except WhodidError as error:
        return error
    sent.append(what)
    return None


def test_a_full_topic_costs_time_and_no_event(cluster: KafkaCluster, small: Path, tmp_path: Path) -> None:
    topic = topic_on(cluster, small)
    url = f"kafka://{cluster.bootstrap}/{topic}?security=plaintext&min_insync=1&timeout_ms=2000&compression=none&keep_ms=-1"
    with Engine.open(Config(data=str(tmp_path / "data"), journal=url)) as opened:
        sent: list[Draft] = []
        refused = None
        while refused is None:
            refused = appended(opened, sent, draft(10, parameters={"text": "x" * 100_000}))
        assert sent and refused.code in ("busy", "full") and refused.retry_after_s
        assert opened.journal.status().waiting_bytes == 0, "what was refused is not kept in memory"
        began = time.monotonic()
        late = draft(5)
        again = appended(opened, sent, late)
        assert again is not None and again.code in ("busy", "full") and time.monotonic() - began < 10
        subprocess.run(["mount", "-o", "remount,size=200m", small.parent], check=True)
        cluster.kill()
        cluster.restart()
        deadline = time.monotonic() + 60
        # The same ids again, as a good sender does.
        while appended(opened, sent, late) is not None:
            assert time.monotonic() < deadline, "still refused"
            time.sleep(0.2)
        opened.flush(60)
        stored = ids(opened.store)
        assert set(ids_of(sent)) <= set(stored) and len(stored) == len(set(stored))
