"""An agent sends a DSS audit file to a collector: from its start until everything is stored, and CPU per event.

python -m bench.agent [--events 1000000] [--runs 5]

The peer is the same pair without the network and the outbox: `whodid import` of the same file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench import files
from bench.importing import whodid_taken
from bench.machine import describe
from bench.measure import row, spread
from bench.server import serving
from support.serving import ServerProcess

TARGET_EVENTS_S = 60_000


class Run(NamedTuple):
    """Seconds until taken, until stored; CPU seconds of agent and collector; the agent's largest memory in MB."""

    taken_s: float
    stored_s: float
    agent_cpu_s: float
    collector_cpu_s: float
    agent_mb: float


def cpu_s(pid: int) -> float:
    """CPU seconds of a process until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def high_water_mb(pid: int) -> float:
    """The most memory a process had until here; `ru_maxrss` would count that of the process it was forked from."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def sent(path: Path, folder: Path, events: int) -> Run:
    """One agent, from its start to its end, to a fresh collector."""
    folder.mkdir()
    with serving(folder / "collector") as server:
        before_s = cpu_s(server.process.pid)
        began = time.perf_counter()
        command = [sys.executable, "-m", "whodid", "agent", str(path), "--server", server.url, "--key", server.key]
        agent = subprocess.Popen([*command, "--state", str(folder / "state"), "--once"], stderr=subprocess.DEVNULL)
        peak_mb = 0.0
        while not (ended := os.wait4(agent.pid, os.WNOHANG))[0]:
            peak_mb = max(peak_mb, high_water_mb(agent.pid))
            time.sleep(0.02)
        _, status, usage = ended
        taken_s = time.perf_counter() - began
        assert status == 0, "the agent did not send everything"
        wait_until_stored(server, events)
        stored_s = time.perf_counter() - began
        collector_cpu_s = cpu_s(server.process.pid) - before_s
    return Run(taken_s, stored_s, usage.ru_utime + usage.ru_stime, collector_cpu_s, peak_mb)


def wait_until_stored(server: ServerProcess, events: int) -> None:
    deadline = time.monotonic() + 600
    while server.request("GET", "/v1/status")[1]["writer"]["stored"] < events:
        assert time.monotonic() < deadline, "not stored within 600 s"
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    events = arguments.events
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"{events:,} events of DSS audit.log (envelope A), whole processes; {describe(folder)}\n")
        path = files.write("dss_log4j", folder / "audit.log", events=events)
        runs, peers = [], []
        for number in range(arguments.runs):
            peers.append(whodid_taken(path, folder / f"import-{number}")[0].seconds)
            runs.append(sent(path, folder / str(number), events))
        print(row("figure", "value", "asked"))
        print(row("---", "---:", "---:"))
        print(
            row("agent → collector, events/s", spread([events / run.taken_s for run in runs]), f"{TARGET_EVENTS_S:,}")
        )
        print(row("the same until stored, events/s", spread([events / run.stored_s for run in runs]), ""))
        print(row("whodid import of the file, events/s", spread([events / seconds for seconds in peers]), ""))
        print(row("CPU of the agent, µs/event", spread([run.agent_cpu_s / events * 1e6 for run in runs]), ""))
        print(row("CPU of the collector, µs/event", spread([run.collector_cpu_s / events * 1e6 for run in runs]), ""))
        print(row("memory of the agent, MB", spread([run.agent_mb for run in runs]), ""))


if __name__ == "__main__":
    main()
