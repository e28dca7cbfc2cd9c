"""Memory over a long time under a steady, low load: does it stay flat?

    python -m bench.soak [--minutes 30] [--rate 2000] [--warm-up-minutes 76] [--warm-up-rate 3000] [--settle-minutes 10]
                         [--duckdb-memory-mb 128] [--output soak.json]

A server takes in events, keeps them, and is asked every few seconds as people ask: reports, pages of events, the tail
of what came in, a page of the web application. Resident memory, open files and threads are read every few seconds, and
what of the memory the engine says it holds: pages of the file (up to its limit) and what is not in the file yet (a saw
with teeth of 128 MB of log). A server that just began fills for hours at so low a rate what the engine bounds: pages
of its file, and lists of blocks that are gone, which it cleans when they are long (42 MB in all, after 20,000 joins; a
load leaves as much in them as three). The warm-up takes in more events than the engine's limit holds, then questions
fill these, and then both settle at the rate that is watched. From then on all has to stay where it is: the exit code is
1 if it does not.
Runs beside other work: after the warm-up it takes about a quarter of a core.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.machine import describe
from bench.measure import number, row
from bench.server import serving
from bench.sustained import result_of, start_load
from support.serving import ServerProcess

SAMPLE_S = 5.0
ASK_S = 3.0
# Questions that fill the engine's lists of blocks that are gone; the joins of one are worked out at once.
LISTS_QUESTIONS = 1_500
LISTS_JOINS = 8
_JOIN = (
    "SELECT count(*) AS n FROM (SELECT id FROM events LIMIT {0}) AS a "
    "JOIN (SELECT id FROM events LIMIT {0}) AS b USING (id)"
)
_ALL_PAGES = (
    "SELECT max(id), max(description), max(CAST(parameters AS VARCHAR)), max(CAST(entities AS VARCHAR)) FROM events"
)
# What a series may grow by, of its mean.
GROWTH_MAX = 0.025
ASKED = (
    "/v1/reports/users?since=7d",
    "/v1/reports/errors?since=1d",
    "/v1/events?limit=100",
    "/v1/status",
    "/metrics",
    "/v1/entities/query/00000000-0000-0000-0000-000000000001/activity",
    "/?full=1",
)


# What is told of samples, their field, and what it may grow by anyhow: threads that answer come and go, and each has
# files of its own.
SERIES = (
    ("memory MB", "rss", 0.0),
    ("pages of the file, MB", "pages", 0.0),
    ("not in the file yet, and questions, MB", "open", 0.0),
    ("the rest, MB", "rest", 0.0),
    ("open files", "files", 4.0),
    ("threads", "threads", 4.0),
)


class Sample(NamedTuple):
    """A server at a moment, so many seconds after the start; memory in MB.

    pages  of the store's file, that the engine keeps.
    open   what the engine has that is not in the file yet, and what questions take.
    rest   all else of the resident memory.
    """

    at_s: float
    rss: float
    pages: float
    open: float
    rest: float
    files: int
    threads: int


class Verdict(NamedTuple):
    """What became of a series: its mean, its slope an hour by least squares with the standard error of that, and if it
    is flat."""

    mean: float
    slope_an_hour: float
    error_an_hour: float
    is_flat: bool


def judge(times_s: Sequence[float], values: Sequence[float], least: float = 0.0) -> Verdict:
    """Whether a series is flat: it grows by no more than `least` or a fortieth of its mean, or by no more than chance
    might make it look (two standard errors).
    """
    slope, level = statistics.linear_regression(times_s, values)
    mean, middle_s = statistics.fmean(values), statistics.fmean(times_s)
    left = sum((value - level - slope * at) ** 2 for at, value in zip(times_s, values, strict=True))
    error = math.sqrt(left / (len(values) - 2) / sum((at - middle_s) ** 2 for at in times_s))
    grown = slope * (times_s[-1] - times_s[0])
    is_flat = grown <= max(least, GROWTH_MAX * mean) or slope <= 2 * error
    return Verdict(mean, slope * 3_600, error * 3_600, is_flat)


class Watch(threading.Thread):
    """Asks the server and reads what it takes, until `finish`."""

    def __init__(self, server: ServerProcess):
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self.answers: dict[int, int] = {}
        self._server = server
        self._begin = time.monotonic()
        self._over = threading.Event()

    def run(self) -> None:
        sample_at = ask_at = time.monotonic()
        asked = 0
        while not self._over.wait(0.2):
            now = time.monotonic()
            if now >= sample_at:
                sample_at = now + SAMPLE_S
                self._sample(now)
            if now >= ask_at:
                ask_at = now + ASK_S
                status = self._ask(ASKED[asked % len(ASKED)])
                self.answers[status] = self.answers.get(status, 0) + 1
                asked += 1

    def finish(self) -> None:
        self._over.set()
        self.join()

    def _sample(self, now: float) -> None:
        process = Path(f"/proc/{self._server.process.pid}")
        files, threads = len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))
        held = self._held()
        if held is not None:
            rss, pages = self._server.rss_mb(), held.pop("base_table", 0) / 1024**2
            within = sum(held.values()) / 1024**2
            self.samples.append(Sample(now - self._begin, rss, pages, within, rss - pages - within, files, threads))

    def _held(self) -> dict[str, int] | None:
        """Bytes that the engine holds, by what they are for; None where the server does not answer."""
        try:
            held: dict[str, int] = self._server.request("GET", "/v1/status")[1]["events"]["memory_bytes"]
        except (OSError, TypeError):
            return None
        return held

    def _ask(self, path: str) -> int:
        try:
            return self._server.ask("GET", path)[0]
        except OSError:
            return 0


class Stretch(NamedTuple):
    """So many minutes at so many events a second."""

    minutes: float
    rate: float


def offered(server: ServerProcess, stretch: Stretch) -> int:
    """Offers events for a stretch; how many were acknowledged."""
    load = start_load(server, connections=4, batch=100, seconds=stretch.minutes * 60, rate=stretch.rate)
    return int(result_of(load)["events"])


def watched(server: ServerProcess, stretch: Stretch) -> tuple[Watch, int]:
    """Who watched the server through a stretch, and how many events were acknowledged meanwhile."""
    watch = Watch(server)
    watch.start()
    acknowledged = offered(server, stretch)
    watch.finish()
    return watch, acknowledged


def fill(server: ServerProcess) -> None:
    """Fill what the engine keeps up to a bound: its lists of blocks that are gone, and pages of the file."""
    # Joins that are alike would be worked out once.
    lists = " UNION ALL ".join(_JOIN.format(200 + number) for number in range(LISTS_JOINS))
    for _ in range(LISTS_QUESTIONS):
        server.query(lists)
    server.query(_ALL_PAGES)


def soak(
    warm_up: Stretch, settling: Stretch, stretch: Stretch, folder: Path, memory_mb: int
) -> tuple[Watch, Watch, int]:
    """Who watched the warm-up and what came after it had settled, and events that were acknowledged and never found."""
    environment = {"WHODID_DUCKDB_MEMORY_BYTES_MAX": str(memory_mb * 1024 * 1024)}
    with serving(folder / "data", environment=environment) as server:
        before, acknowledged = watched(server, warm_up)
        fill(server)
        _, settled = watched(server, settling)
        watch, last = watched(server, stretch)
        acknowledged += settled + last
        deadline = time.monotonic() + 60
        count = "SELECT count(*) FROM events WHERE source = 'client'"
        while (found := server.scalar(count)) < acknowledged and time.monotonic() < deadline:
            time.sleep(0.2)
    return before, watch, acknowledged - found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2_000.0, help="events a second")
    parser.add_argument("--warm-up-minutes", type=float, default=76.0)
    parser.add_argument("--warm-up-rate", type=float, default=3_000.0, help="events a second")
    parser.add_argument("--settle-minutes", type=float, default=10.0)
    parser.add_argument("--duckdb-memory-mb", type=int, default=128)
    parser.add_argument("--output", type=Path, help="the samples, as JSON")
    arguments = parser.parse_args()
    warm_up = Stretch(arguments.warm_up_minutes, arguments.warm_up_rate)
    settling = Stretch(arguments.settle_minutes, arguments.rate)
    stretch = Stretch(arguments.minutes, arguments.rate)
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"{stretch.minutes:g} minutes at {stretch.rate:,.0f} events/s after {warm_up.minutes:g} at "
              f"{warm_up.rate:,.0f}, DuckDB; {describe(folder)}\n", flush=True)  # fmt: skip
        before, watch, lost = soak(warm_up, settling, stretch, folder, arguments.duckdb_memory_mb)
    samples = watch.samples
    if arguments.output:
        told = {"warm_up": before.samples, "samples": samples}
        arguments.output.write_text(json.dumps({name: [one._asdict() for one in kept] for name, kept in told.items()}))
    print(row("after the warm-up", "mean", "slope an hour", "flat"))
    print(row("---", "---:", "---:", "---"))
    times_s = [sample.at_s for sample in samples]
    verdicts = []
    for title, field, least in SERIES:
        verdict = judge(times_s, [float(getattr(sample, field)) for sample in samples], least)
        slope = f"{verdict.slope_an_hour:+.1f} ± {verdict.error_an_hour:.1f}"
        verdicts.append(verdict.is_flat)
        print(row(title, number(verdict.mean), slope, "yes" if verdict.is_flat else "no"))
    print(row("memory MB, peak", number(max(sample.rss for sample in samples)), "", ""))
    print(row("asked; by status", sum(watch.answers.values()), json.dumps(watch.answers), ""))
    print(row("acknowledged and not found", lost, "", ""))
    if not all(verdicts) or lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
