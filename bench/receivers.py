"""Two receivers on one PostgreSQL against one, where the database is not the limit: the receivers' processors are.

    python -m bench.receivers [--runs 3] [--seconds 10] [--share 0.3] [--batch 1]

Each receiver may use `--share` of one core, and no more (a control group of the kernel; root). What is left of the
machine is for the clients and the database, and has to be more than they take: the share of the machine that stayed
idle is printed beside the rates. Without control groups a machine with more cores does: `--share 0`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.machine import describe
from bench.measure import Spread, number, row, spread
from bench.peers.postgresql import durable_server
from bench.server import serving
from bench.sustained import result_of, start_load
from support.serving import ServerProcess
from whodid.benchmark.machine import processor_s

PERIOD_US = 10_000
GROUPS = Path("/sys/fs/cgroup")
CONNECTIONS = 64


class Run(NamedTuple):
    """Events a second that were acknowledged by all and stored, processor time an event in µs at the receivers, and
    the share of the machine that was idle."""

    acknowledged: float
    stored: float
    processor_us: float
    idle: float


@contextlib.contextmanager
def limited(server: ServerProcess, share: float) -> Iterator[None]:
    """Let a server have no more than `share` of a core (0: all it can get) for the length of the block."""
    if not share:
        yield
        return
    name = f"whodid-bench-{server.process.pid}"
    quota = round(PERIOD_US * share)
    if (GROUPS / "cgroup.controllers").exists():
        group, settings = GROUPS / name, {"cpu.max": f"{quota} {PERIOD_US}"}
    else:
        group, settings = GROUPS / "cpu" / name, {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": str(quota)}
    group.mkdir()
    try:
        for setting, value in settings.items():
            (group / setting).write_text(value)
        (group / "cgroup.procs").write_text(str(server.process.pid))
        yield
        (group.parent / "cgroup.procs").write_text(str(server.process.pid))
    finally:
        group.rmdir()


def idle_s() -> float:
    """Seconds that all processors together were idle since the machine was started."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def measured(count: int, url: str, folder: Path, arguments: argparse.Namespace) -> Run:
    """One run with so many receivers on an empty database; every event has to be there once."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serving(folder / f"r{at}", "--store", url)) for at in range(count)]
        for server in servers:
            stack.enter_context(limited(server, arguments.share))
        pids = [server.process.pid for server in servers]
        used, idle, begin = sum(processor_s(pid) or 0 for pid in pids), idle_s(), time.perf_counter()
        loads = [
            start_load(server, connections=CONNECTIONS, batch=arguments.batch, seconds=arguments.seconds, client=at)
            for at, server in enumerate(servers)
        ]
        answers = [result_of(load) for load in loads]
        over = time.perf_counter()
        idle_share = (idle_s() - idle) / (over - begin) / (os.cpu_count() or 1)
        events = sum(answer["events"] for answer in answers)
        counted = "SELECT count(*) AS n, count(DISTINCT id) AS d FROM events WHERE source = 'client'"
        while (found := servers[0].query(counted)[0])["n"] < events:
            time.sleep(0.1)
        taken = time.perf_counter() - begin
        used = sum(processor_s(pid) or 0 for pid in pids) - used
        if not found["n"] == found["d"] == events:
            raise RuntimeError(f"{events} acknowledged, {found['n']} stored, {found['d']} of them distinct")
        acknowledged = sum(answer["events_per_s"] for answer in answers)
        return Run(acknowledged, events / taken, used * 1e6 / events, idle_share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--share", type=float, default=0.3, help="of one core, for each receiver; 0: unlimited")
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name, durable_server() as postgresql:
        folder = Path(name)
        print(f"{arguments.share:g} of a core each, {arguments.batch} a request; {describe(folder)}\n")
        print(row("receivers", "acknowledged, events/s", "stored and found, events/s", "µs an event", "machine idle"))
        print(row("---", "---:", "---:", "---:", "---:"))
        rates: dict[int, Spread] = {}
        for count in (1, 2):
            runs = [
                measured(count, postgresql.create_database(), folder / f"{count}-{run}", arguments)
                for run in range(arguments.runs)
            ]
            rates[count] = spread([run.acknowledged for run in runs])
            stored = spread([run.stored for run in runs])
            spent, idle = spread([run.processor_us for run in runs]), spread([run.idle * 100 for run in runs])
            print(row(count, rates[count], stored, spent, f"{idle} %"), flush=True)
        print(row("two against one", number(rates[2].median / rates[1].median), "asked 1.6", "", ""))


if __name__ == "__main__":
    main()
