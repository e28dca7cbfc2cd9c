"""Kafka as the journal, on three real brokers: whoever dies or hangs, nothing acknowledged is lost, nothing doubled.

A short round by default; `WHODID_CRASH_ROUNDS=20 pytest tests/way/test_kafka_journal.py` is the long one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import absent
from support.kafka import KafkaCluster, KafkaMissing, kafka_cluster
from support.posting import Sender, assert_exactly_once, wait_until_counted
from support.serving import ServerProcess
from whodid.event import new_id

ROUNDS = int(os.environ.get("WHODID_CRASH_ROUNDS", "0"))
PARTITIONS = 4
SETTINGS = f"security=plaintext&partitions={PARTITIONS}&timeout_ms=6000&session.timeout.ms=6000"

# A machine that is busy with other tests must not look like dead brokers.
PATIENT = {"broker.session.timeout.ms": 6_000}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three brokers; the last test kills one."""
    try:
        with kafka_cluster(tmp_path_factory.mktemp("kafka"), 3, PATIENT, "b3RoZXItY2x1c3Rlci0xMjM") as cluster:
            yield cluster
    except KafkaMissing as missing:
        absent(str(missing))


@pytest.fixture
def journal(three: KafkaCluster) -> str:
    """The URL of a journal in a topic of the test's own."""
    return f"kafka://{three.bootstrap}/audit-{uuid.uuid4().hex[:8]}?{SETTINGS}"


@contextmanager
def serving(tmp_path: Path, journal: str, *names: str, store: str = "", **environment: str) -> Iterator[list[Any]]:
    """Servers of these names with one journal, on one database or each with a store of its own."""
    with ExitStack() as stack:
        servers = []
        for name in names:
            options = ["--journal", journal, *(["--store", store] if store else [])]
            server = ServerProcess(tmp_path / name, *options, environment=environment)
            stack.callback(server.kill)
            servers.append(server.start())
        yield servers


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 90.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} within {timeout_s} s"
        time.sleep(0.05)
    return found


def wait_for_death(server: ServerProcess) -> None:
    """Return when a server has died at its crash point."""
    log = server.data.parent / f"{server.data.name}.log"
    assert server.process.wait(120) == -signal.SIGKILL, log.read_text()[-2_000:]


def standing(server: ServerProcess) -> dict[str, Any]:
    status, answer = server.request("GET", "/v1/status")
    assert status == 200, answer
    told: dict[str, Any] = answer["journal"]
    return told


def holds(server: ServerProcess) -> list[int]:
    """The partitions that a server stores."""
    return [one["partition"] for one in standing(server)["partitions"] if one["here"]]


def all_is_stored(server: ServerProcess, senders: list[Sender]) -> int:
    wait_until_counted(server, senders)
    return assert_exactly_once(server, senders)


def senders_on(*servers: ServerProcess) -> list[Sender]:
    senders = [Sender(server, f"sender-{seed}", seed) for seed, server in enumerate(servers)]
    for sender in senders:
        sender.start()
    return senders


def finish(senders: list[Sender]) -> None:
    for sender in senders:
        sender.finish()


def probe(server: ServerProcess) -> tuple[int, Any]:
    """What a sender hears who sends one event of another type."""
    event = {"id": new_id(), "time": "2026-05-04T10:00:00Z", "type": "probe", "user": "ada"}
    return server.request("POST", "/v1/events", event)


def test_brokers_that_hang_cost_time_and_no_event(three: KafkaCluster, journal: str, tmp_path: Path) -> None:
    with serving(tmp_path, journal, "a") as (a,):
        senders = senders_on(a, a)
        wait_for(lambda: all(sender.acknowledged for sender in senders), "acknowledged events")
        three.freeze(0)
        three.freeze(1)
        try:
            began = time.monotonic()
            status, answer = wait_for(lambda: found if (found := probe(a))[0] != 200 else None, "refusal")
            assert status == 429 and time.monotonic() - began < 15, answer
            # By now it is known: nobody waits any longer, and nothing gathers in memory.
            wait_for(lambda: standing(a)["refusal"], "refusal at once")
            began = time.monotonic()
            assert probe(a)[0] == 429 and time.monotonic() - began < 5
            assert a.request("GET", "/readyz")[0] == 503
            told = subprocess.run(
                [sys.executable, "-m", "whodid", "status", "--data", str(a.data)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            assert f"of {PARTITIONS} partitions" in told and "takes nothing: Kafka" in told, told
        finally:
            three.thaw(0)
            three.thaw(1)
        finish(senders)
        assert all_is_stored(a, senders)


@pytest.mark.crash
def test_the_embedded_store_dies_and_comes_back(journal: str, tmp_path: Path, free_port: int) -> None:
    options = ("--journal", journal)
    point = {"WHODID_CRASH_AT": "store.after-commit:4"}
    doomed = ServerProcess(tmp_path / "one", *options, port=free_port, environment=point)
    server = ServerProcess(tmp_path / "one", *options, port=free_port)
    doomed.start(wait=False)
    server.url = f"http://127.0.0.1:{free_port}"
    try:
        senders = senders_on(server, server)
        wait_for_death(doomed)
        server.start()
        log = tmp_path / "exported" / "audit.log"
        target = {"name": "log", "kind": "log-files", "options": {"path": str(log)}, "start": "beginning"}
        assert server.request("POST", "/v1/targets", target)[0] == 201
        finish(senders)
        stored = all_is_stored(server, senders)
        users = {row["user"] for row in server.query('SELECT DISTINCT "user" FROM events')} - {None}
        known = {user["login"] for user in server.request("GET", "/v1/users")[1]["users"]}
        assert users <= known, "what was stored right before the crash is known to the directory too"
        wait_for(lambda: len(exported(log)) >= stored, "whole log")
        assert len(set(exported(log))) == len(exported(log)) == stored
    finally:
        doomed.kill()
        server.kill()


def exported(log: Path) -> list[str]:
    """The ids of the senders' events in a target's file."""
    lines = log.read_text().splitlines() if log.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return [event["id"] for event in told if event["type"] == "query-start"]


@pytest.mark.postgresql
@pytest.mark.crash
def test_brokers_and_writers_die_under_load(
    three: KafkaCluster, journal: str, tmp_path: Path, postgresql_url: str
) -> None:
    with serving(tmp_path, journal, "a", store=postgresql_url) as (a,):
        wait_for(lambda: len(holds(a)) == PARTITIONS, "partitions")
        doomed = ServerProcess(
            tmp_path / "b",
            *("--journal", journal, "--store", postgresql_url),
            environment={"WHODID_CRASH_AT": "store.before-commit:6"},
        )
        b = ServerProcess(tmp_path / "b", "--journal", journal, "--store", postgresql_url)
        try:
            senders = senders_on(a, a)
            doomed.start(wait=False)
            # A rebalance under load; then a writer dies in the middle of a batch.
            wait_for_death(doomed)
            three.kill(1)
            b.start()
            senders += senders_on(b, b)
            wait_for(lambda: len(holds(b)) == PARTITIONS // 2 == len(holds(a)), "rebalance")
            for number in range(ROUNDS):
                three.restart(1)
                b.kill()
                b.start()
                three.kill(1)
                time.sleep(number % 3)
            finish(senders)
            assert all_is_stored(a, senders) > 100
            wait_for(lambda: standing(a)["lag_records"] == 0, "lag of 0")
            assert standing(a)["lost"] == standing(a)["poisoned"] == 0
        finally:
            doomed.kill()
            b.kill()
