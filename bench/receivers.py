"""Two receivers on one PostgreSQL against one, where the receivers' processors are the limit and the database is not.

    python -m bench.receivers [--runs 2] [--seconds 6] [--share 0.4] [--batch 1]                  about 4 minutes

Each receiver may use `--share` of one core and no more, and has it whatever else the machine does (a control group of
the kernel; root). Clients and database are outside of it. What counts is the highest steady rate at which everything is
acknowledged, and stored within two seconds after the last answer: it is searched for by halves. Beside it stands what
the receivers used of their shares, and how many processors the database used. Without control groups a machine with
more cores does: `--share 0`.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from bench.machine import describe
from bench.measure import row, spread
from bench.peers.postgresql import durable_server
from bench.server import serving
from bench.sustained import result_of, start_load
from support.postgresql import PostgreSQLServer
from support.serving import ServerProcess
from whodid.benchmark.machine import processor_s

PERIOD_US: Final = 10_000
# Of an ordinary group's: what a receiver may use it gets, also on a machine that is busy with other things.
WEIGHT: Final = 50
GROUPS: Final = Path("/sys/fs/cgroup")
CONNECTIONS: Final = 64
LAG_S: Final = 2.0
HALVES: Final = 4
_STORED: Final = "SELECT count(*), count(DISTINCT id) FROM whodid.events WHERE source = 'client'"


class Offer(NamedTuple):
    """What became of a steady rate.

    events          acknowledged, a second.
    lag_s           from the last answer until all of them were stored.
    used            of the receivers' shares, 0 to 1; of a core each without shares.
    database_cores  processors that the database used.
    processor_us    the receivers' processor time an event.
    """

    events: float
    lag_s: float
    used: float
    database_cores: float
    processor_us: float


@contextlib.contextmanager
def limited(server: ServerProcess, share: float) -> Iterator[None]:
    """Let a server have no more than `share` of a core (0: all it can get) for the length of the block."""
    if not share:
        yield
        return
    name = f"whodid-bench-{server.process.pid}"
    quota = round(PERIOD_US * share)
    if (GROUPS / "cgroup.controllers").exists():
        group = GROUPS / name
        settings: dict[str, object] = {"cpu.max": f"{quota} {PERIOD_US}", "cpu.weight": 100 * WEIGHT}
    else:
        group = GROUPS / "cpu" / name
        settings = {"cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": quota, "cpu.shares": 1024 * WEIGHT}
    group.mkdir()
    try:
        for setting, value in settings.items():
            (group / setting).write_text(str(value))
        (group / "cgroup.procs").write_text(str(server.process.pid))
        yield
        (group.parent / "cgroup.procs").write_text(str(server.process.pid))
    finally:
        group.rmdir()


class Measured:
    """Some receivers on an empty database, and what they were offered."""

    def __init__(self, servers: Sequence[ServerProcess], postgresql: PostgreSQLServer, url: str, share: float):
        self._servers = servers
        self._postgresql = postgresql
        self._database = psycopg.connect(url, autocommit=True)
        self._share = share or 1.0
        self._events = 0
        self._loads = 0

    def offer(self, rate: float, seconds: float, batch: int) -> Offer:
        """Offer `rate` events a second, parted among the receivers (0: as fast as answers come), until all is stored.

        Raises  RuntimeError  an event is lost or doubled.
        """
        receivers, database, begin = self._receivers_s(), self._database_s(), time.perf_counter()
        loads = []
        for server in self._servers:
            # Clients of the same number say the same ids.
            self._loads += 1
            options = {"connections": CONNECTIONS, "batch": batch, "client": self._loads}
            loads.append(start_load(server, **options, seconds=seconds, rate=rate / len(self._servers)))
        answers = [result_of(load) for load in loads]
        answered = time.perf_counter()
        self._events += sum(answer["events"] for answer in answers)
        found = self._stored(self._events)
        over = time.perf_counter()
        if found != (self._events, self._events):
            raise RuntimeError(f"{self._events} acknowledged, {found[0]} stored, {found[1]} of them distinct")
        receivers, database = self._receivers_s() - receivers, self._database_s() - database
        return Offer(
            events=sum(answer["events_per_s"] for answer in answers),
            lag_s=over - answered,
            used=receivers / (over - begin) / self._share / len(self._servers),
            database_cores=database / (over - begin),
            processor_us=1e6 * receivers / sum(answer["events"] for answer in answers),
        )

    def highest(self, seconds: float, batch: int) -> Offer:
        """The highest rate that is taken and stored as it comes, to a sixteenth of what is taken when nobody waits for
        the store."""
        best, low, high = None, 0.0, self.offer(0, seconds, batch).events
        for _ in range(HALVES):
            rate = (low + high) / 2
            tried = self.offer(rate, seconds, batch)
            if tried.lag_s <= LAG_S and tried.events >= 0.95 * rate:
                low, best = rate, tried
            else:
                high = rate
        if best is None:
            raise RuntimeError(f"no rate from {high:,.0f} events a second on is stored as it comes")
        return best

    def _stored(self, wanted: int) -> tuple[int, int]:
        while True:
            events, distinct = self._database.execute(_STORED).fetchone() or (0, 0)
            if events >= wanted:
                return events, distinct
            time.sleep(0.05)

    def _receivers_s(self) -> float:
        return sum(processor_s(server.process.pid) or 0.0 for server in self._servers)

    def _database_s(self) -> float:
        """Processor time of the database's processes; they live as long as their connections."""
        parent = int((self._postgresql.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return sum(processor_s(int(child)) or 0.0 for child in children)


def measured(count: int, postgresql: PostgreSQLServer, folder: Path, arguments: argparse.Namespace) -> Offer:
    """The highest rate of so many receivers on an empty database."""
    folder.mkdir()
    url = postgresql.create_database()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serving(folder / f"r{at}", "--store", url)) for at in range(count)]
        for server in servers:
            stack.enter_context(limited(server, arguments.share))
        return Measured(servers, postgresql, url, arguments.share).highest(arguments.seconds, arguments.batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--share", type=float, default=0.4, help="of one core, for each receiver; 0: unlimited")
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name, durable_server() as postgresql:
        folder = Path(name)
        print(f"{arguments.share:g} of a core each, {arguments.batch} a request; {describe(folder)}\n")
        print(row("receivers", "events/s", "used of their shares, %", "µs an event", "database, processors"))
        print(row("---", "---:", "---:", "---:", "---:"))
        runs: dict[int, list[Offer]] = {1: [], 2: []}
        for run in range(arguments.runs):
            for count, offers in runs.items():
                offers.append(measured(count, postgresql, folder / f"{count}-{run}", arguments))
        for count, offers in runs.items():
            events, used = spread([one.events for one in offers]), spread([100 * one.used for one in offers])
            spent, database = spread([one.processor_us for one in offers]), [one.database_cores for one in offers]
            print(row(count, events, used, spent, spread(database)), flush=True)
        ratios = spread([two.events / one.events for one, two in zip(runs[1], runs[2], strict=True)])
        print(row("two against one", ratios, "asked 1.6", "", ""))


if __name__ == "__main__":
    main()
