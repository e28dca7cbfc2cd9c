"""Agents and collectors as processes: nothing lost, nothing doubled, whatever dies or is away."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.agents import AgentProcess, wait_for, wait_for_events
from support.imports import dss_line, dss_lines
from support.serving import ServerProcess

POINTS = [
    "agent.before-keep:2",
    "agent.mid-keep:2",
    "agent.after-keep:1",
    "agent.after-keep:3",
    "agent.before-send:2",
    "agent.after-answer:1",
    "agent.after-answer:3",
    "agent.after-remove:1",
]
FILE_LINES = 4_000
LINES = 3 * FILE_LINES
BAD_LINES = [("audit.log", 1), ("audit.log", 2), ("audit.log.1", 1), ("audit.log.1", FILE_LINES + 2)]


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """The node's folder of audit files: one that is being written, two it was rotated to."""
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / "audit.log.2.gz").write_bytes(gzip.compress(dss_lines(range(FILE_LINES))))
    os.utime(folder / "audit.log.2.gz", (time.time() - 200, time.time() - 200))
    (folder / "audit.log.1").write_bytes(b"no event\n" + dss_lines(range(FILE_LINES, 2 * FILE_LINES)) + b"no event\n")
    os.utime(folder / "audit.log.1", (time.time() - 100, time.time() - 100))
    (folder / "audit.log").write_bytes(b"no event\nno event\n" + dss_lines(range(2 * FILE_LINES, LINES)))
    return folder


@pytest.fixture
def started() -> Iterator[Callable[[AgentProcess | ServerProcess], None]]:
    """Registers what has to end with the test."""
    running: list[AgentProcess | ServerProcess] = []
    yield running.append
    for one in running:
        one.end() if isinstance(one, AgentProcess) else one.kill()


@pytest.fixture
def collector(data: Path, started: Callable[[ServerProcess], None], free_port: int) -> ServerProcess:
    server = ServerProcess(data, port=free_port)
    started(server)
    return server.start()


@pytest.mark.parametrize("point", POINTS)
def test_an_agent_killed_anywhere_loses_and_doubles_nothing(
    point: str, audit: Path, collector: ServerProcess, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path / "state", [audit], [collector.url], "--node", "design-1", "--once")
    agent.environment = {"WHODID_CRASH_AT": point}
    assert agent.run() == -9, agent.said()
    agent.environment = {}
    assert agent.run() == 0, agent.said()
    wait_for_events(collector, LINES)
    rejects = collector.request("GET", "/v1/rejects?limit=100")[1]["rows"]
    assert sorted((Path(row["source"]).name, row["line"]) for row in rejects) == BAD_LINES
    assert agent.status()["live"]["waiting_events"] == agent.status()["backlog"]["waiting_events"] == 0


def test_rotation_and_packing_while_the_collector_is_away(
    audit: Path, collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    agent = AgentProcess(tmp_path / "state", [audit / "audit.log"], [collector.url], "--node", "design-1")
    started(agent)
    agent.start()
    wait_for_events(collector, LINES)
    collector.kill()
    log = audit / "audit.log"
    with log.open("ab") as file:
        file.write(dss_lines(range(LINES, LINES + 500)))
    wait_for(lambda: agent.status().get("live", {}).get("waiting_events", 0) >= 500, agent.said)
    (audit / "audit.log.1").write_bytes(b"")
    log.rename(audit / "audit.log.1")
    log.write_bytes(dss_lines(range(LINES + 500, LINES + 900)))
    wait_for(lambda: agent.status()["live"]["waiting_events"] >= 900, agent.said)
    # Killed as well, and packed while neither runs.
    agent.kill()
    (audit / "audit.log.1.gz").write_bytes(gzip.compress((audit / "audit.log.1").read_bytes()))
    (audit / "audit.log.1").unlink()
    with log.open("ab") as file:
        file.write(dss_lines(range(LINES + 900, LINES + 1000)))
    agent.start()
    collector.start()
    wait_for_events(collector, LINES + 1000)
    assert agent.stop() == 0
    assert "cannot be reached" in agent.said()
    assert "takes events again" in agent.said()


def test_it_waits_for_a_file_that_is_not_there_and_tells_it_is_alive(
    collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    log = tmp_path / "later" / "audit.log"
    agent = AgentProcess(tmp_path / "state", [log], [collector.url], "--node", "auto-1", "--node-type", "automation")
    started(agent)
    agent.start()
    wait_for(lambda: collector.request("GET", "/v1/nodes")[1]["nodes"] != [], agent.said)
    node = collector.request("GET", "/v1/nodes/auto-1")[1]
    assert (node["node_type"], node["events"], node["has_agent"], node["state"]) == ("automation", 0, True, "sending")
    log.parent.mkdir()
    log.write_bytes(dss_lines(range(10)))
    wait_for_events(collector, 10, "node = 'auto-1' AND node_type = 'automation'")
    wait_for(lambda: collector.request("GET", "/v1/nodes/auto-1")[1]["events"] == 10)


def test_what_is_no_event_reaches_the_centre_with_file_and_line(
    collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(dss_line(1) + b"\xff\x00 garbage\n" + dss_line(2) + dss_line(3)[:40])
    agent = AgentProcess(tmp_path / "state", [log], [collector.url])
    started(agent)
    agent.start()
    wait_for_events(collector, 2)
    with log.open("ab") as file:
        # The line that was cut off goes on.
        file.write(dss_line(3)[40:] + b"{cut off\n")
    wait_for_events(collector, 3)
    wait_for(lambda: len(collector.request("GET", "/v1/rejects")[1]["rows"]) == 2)
    rejects = collector.request("GET", "/v1/rejects")[1]["rows"]
    assert sorted((row["source"], row["line"]) for row in rejects) == [(str(log), 2), (str(log), 5)]


def test_a_wrong_key_is_told_and_waited_out(
    data: Path, tmp_path: Path, started: Callable[[AgentProcess | ServerProcess], None]
) -> None:
    server = ServerProcess(data)
    started(server)
    server.start()
    body = {"name": "agent", "scopes": ["write"], "nodes": ["design-1"], "node_type": "design"}
    secret = server.request("POST", "/v1/keys", body)[1]["secret"]
    key = tmp_path / "agent.key"
    key.write_text("no-such-secret\n")
    log = tmp_path / "audit.log"
    log.write_bytes(dss_lines(range(100)))
    agent = AgentProcess(tmp_path / "state", [log], [server.url], "--key", f"@{key}")
    started(agent)
    agent.start()
    wait_for(lambda: "unknown, revoked or expired" in (agent.status().get("trouble") or ""), agent.said)
    wait_for(lambda: agent.status()["live"]["waiting_events"] == 100, agent.status)
    assert "no-such-secret" not in agent.said()
    key.write_text(secret)
    wait_for_events(server, 100, "node = 'design-1' AND node_type = 'design'")
    wait_for(lambda: agent.status()["trouble"] is None, agent.status)


def test_a_clock_that_is_off_is_known_on_both_sides(
    collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(dss_lines(range(10)))
    # The process sees another time: what it asks the clock for is an hour late.
    (tmp_path / "sitecustomize.py").write_text(LATE_CLOCK)
    late = {"PYTHONPATH": str(tmp_path)}
    agent = AgentProcess(tmp_path / "state", [log], [collector.url], "--node", "late-1", environment=late)
    started(agent)
    agent.start()
    wait_for_events(collector, 10)

    def clock() -> int:
        status, node = collector.request("GET", "/v1/nodes/late-1")
        return round((node["clock_ahead_ms"] or 0) / 60_000) if status == 200 else 0

    wait_for(lambda: clock() == -60, agent.said)
    assert collector.request("GET", "/v1/nodes/late-1")[1]["clock_off"] is True
    assert "clock is -3600 s off" in agent.said()


LATE_CLOCK = """
import datetime, sys
class Late(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) - datetime.timedelta(hours=1)
import whodid.agent.run, whodid.agent.courier
whodid.agent.run.datetime = whodid.agent.courier.datetime = Late
"""


def test_what_is_old_goes_at_its_pace_and_what_is_written_at_once(
    audit: Path, collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    agent = AgentProcess(tmp_path / "state", [audit], [collector.url], "--rate-events-s", "800")
    started(agent)
    agent.start()
    old = f"CAST((parameters ->> 'n') AS integer) < {2 * FILE_LINES}"
    wait_for_events(collector, FILE_LINES, f"NOT {old}")
    with (audit / "audit.log").open("ab") as file:
        file.write(dss_lines(range(LINES, LINES + 5)))
    wait_for_events(collector, 5, f"CAST((parameters ->> 'n') AS integer) >= {LINES}")
    assert collector.scalar(f"SELECT count(*) FROM events WHERE {old}") < 2 * FILE_LINES, "what is old went at once"
    wait_for_events(collector, LINES + 5)


@pytest.mark.postgresql
def test_agents_that_switch_between_two_collectors(
    tmp_path: Path, postgresql_url: str, started: Callable[[AgentProcess | ServerProcess], None]
) -> None:
    """Two collectors on one PostgreSQL, three nodes that know both; one collector is killed in the middle, and back."""
    stores = [ServerProcess(tmp_path / name, "--store", postgresql_url) for name in ("one", "two")]
    for server in stores:
        started(server)
        server.start()
    one, two = stores
    nodes, lines = 3, 6_000
    agents = []
    for number in range(nodes):
        log = tmp_path / f"node-{number}" / "audit.log"
        log.parent.mkdir()
        log.touch()
        options = ("--node", f"n{number}", "--rate-bytes-s", "0")
        urls = [one.url, two.url] if number % 2 else [two.url, one.url]
        # Killed between answer and note: what the first collector has is sent to the other.
        crash = {"WHODID_CRASH_AT": "agent.after-answer:4"} if number == 0 else {}
        agent = AgentProcess(tmp_path / f"state-{number}", [log], urls, *options, environment=crash)
        started(agent)
        agents.append((agent.start(), log))
    for step in range(0, lines, 500):
        for number, (_, log) in enumerate(agents):
            with log.open("ab") as file:
                file.write(dss_lines(range(number * lines + step, number * lines + step + 500)))
        if step == 2_000:
            # Both have taken something, and more is under way.
            wait_for(lambda: len(two.query(RECEIVERS)) == 2, agents[1][0].said)
            one.kill()
        if step == 4_000:
            one = ServerProcess(tmp_path / "one", "--store", postgresql_url, port=int(one.url.rpartition(":")[2]))
            started(one)
            one.start()
        revive(agents[0][0])
        time.sleep(0.3)
    wait_for(lambda: revive(agents[0][0]) and not agents[0][0].environment, agents[0][0].said)
    wait_for_events(two, nodes * lines)
    by_node = two.query("SELECT node, count(*) AS n FROM events WHERE format = 'dss-log4j' GROUP BY node ORDER BY node")
    assert [(row["node"], row["n"]) for row in by_node] == [(f"n{number}", lines) for number in range(nodes)]
    assert len(two.query(RECEIVERS)) == 2
    assert [node["node"] for node in one.request("GET", "/v1/nodes")[1]["nodes"]] == ["n0", "n1", "n2"]
    registered = two.query("SELECT entity_id FROM events WHERE type = 'node-registered' ORDER BY 1")
    assert [row["entity_id"] for row in registered] == ["n0", "n1", "n2"]
    for agent, _ in agents:
        assert agent.stop() == 0, agent.said()


RECEIVERS = "SELECT DISTINCT receiver FROM events WHERE format = 'dss-log4j'"


def revive(agent: AgentProcess) -> bool:
    """Start an agent that was killed once more, this time to live; True when it runs."""
    assert agent.process is not None
    if agent.process.poll() is None:
        return True
    agent.environment = {}
    agent.start()
    return True


def test_a_node_that_stops_sending_is_missed_once_and_is_back_once(
    data: Path, tmp_path: Path, started: Callable[[AgentProcess | ServerProcess], None]
) -> None:
    server = ServerProcess(data, environment={"WHODID_NODE_SILENT_S": "1"})
    started(server)
    server.start()
    log = tmp_path / "audit.log"
    log.write_bytes(dss_lines(range(3)))
    agent = AgentProcess(tmp_path / "state", [log], [server.url], "--node", "design-1")
    started(agent)
    agent.start()
    wait_for_events(server, 3)
    agent.kill()

    def state() -> str:
        return str(server.request("GET", "/v1/nodes/design-1")[1].get("state"))

    wait_for(lambda: state() == "silent")
    assert server.request("GET", "/v1/status")[1]["nodes"]["silent"] == ["design-1"]
    agent.start()
    wait_for(lambda: state() == "sending")
    agent.kill()
    wait_for(lambda: state() == "silent")
    assert server.request("DELETE", "/v1/nodes/design-1")[0] == 200
    sql = "SELECT type FROM events WHERE entity_type = 'node' ORDER BY seq"
    wanted = ["node-registered", "node-silent", "node-back", "node-silent", "node-retired"]
    wait_for(lambda: [row["type"] for row in server.query(sql)] == wanted, lambda: server.query(sql))


def test_a_full_disk_at_the_node_loses_nothing(
    collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    """The state lies on a file system of 1 MB that something else fills."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        (small / "filler").write_bytes(b"x" * 600_000)
        log = tmp_path / "audit.log"
        log.write_bytes(dss_lines(range(100)))
        agent = AgentProcess(small / "state", [log], [collector.url])
        agent.log = tmp_path / "agent.log"
        started(agent)
        agent.start()
        wait_for_events(collector, 100)
        fill = os.statvfs(small)
        (small / "more").write_bytes(b"x" * (fill.f_bavail * fill.f_frsize))
        with log.open("ab") as file:
            file.write(dss_lines(range(100, 3_100)))
        wait_for(lambda: "cannot be written" in agent.said() or "disk is full" in agent.said(), agent.said)
        (small / "more").unlink()
        (small / "filler").unlink()
        wait_for_events(collector, 3_100)
        agent.end()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_a_hundred_writes_while_it_is_stopped_and_started(
    collector: ServerProcess, tmp_path: Path, started: Callable[[AgentProcess], None]
) -> None:
    """kill -9 again and again while lines come in."""
    log = tmp_path / "audit.log"
    log.touch()
    done = threading.Event()

    def write() -> None:
        for step in range(0, 10_000, 100):
            with log.open("ab") as file:
                file.write(dss_lines(range(step, step + 100)))
            if step == 5_000:
                log.rename(tmp_path / "audit.log.1")
                log.touch()
            time.sleep(0.1)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    agent = AgentProcess(tmp_path / "state", [log], [collector.url])
    started(agent)
    while not done.is_set():
        agent.start()
        time.sleep(1.5)
        agent.kill()
    writer.join()
    agent.start()
    wait_for_events(collector, 10_000)
