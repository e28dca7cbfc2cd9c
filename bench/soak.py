"""Memory over a long time under a steady, low load: does it stay flat?

    python -m bench.soak [--minutes 30] [--rate 2000] [--duckdb-memory-mb 256] [--output soak.json]

A server takes in events, keeps them, and is asked every few seconds as people ask: reports, pages of events, the tail
of what came in, a page of the web application. Resident memory, open files and threads are read every few seconds. The
first third fills caches (the engine's may take as much as it is told); the rest has to stay where it is: the exit code
is 1 if it does not. Runs beside other work: it takes less than a fifth of a core.
"""

from __future__ import annotations

import argparse
import json
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
# What the last two thirds may grow by, from their first half to their second, and in an hour at the slope they have.
GROWTH_MAX = 0.05
ASKED = (
    "/v1/reports/users?since=7d",
    "/v1/reports/errors?since=1d",
    "/v1/events?limit=100",
    "/v1/status",
    "/metrics",
    "/v1/entities/query/00000000-0000-0000-0000-000000000001/activity",
    "/?full=1",
)


class Sample(NamedTuple):
    """A server at a moment, so many seconds after the start."""

    at_s: float
    rss_mb: float
    files: int
    threads: int


class Verdict(NamedTuple):
    """What became of a series: medians of the second and the last third, the slope of both together an hour, and
    whether that is flat."""

    middle: float
    last: float
    slope_an_hour: float
    is_flat: bool


def judge(times_s: Sequence[float], values: Sequence[float]) -> Verdict:
    """Whether a series is flat behind its first third.

    Growth is told by the medians of two thirds, which single peaks do not move, and by the slope (Theil–Sen: the median
    of slopes between pairs), which tells a slow leak.
    """
    third = len(values) // 3
    middle, last = statistics.median(values[third : 2 * third]), statistics.median(values[2 * third :])
    rest = list(zip(times_s[third:], values[third:], strict=True))
    far = max(1, len(rest) // 2)
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in zip(rest[:-far], rest[far:], strict=True)]
    slope = statistics.median(slopes) * 3_600
    least = GROWTH_MAX * max(middle, 1.0)
    grows = last - middle > least and slope > 0
    span_h = (rest[-1][0] - rest[0][0]) / 3_600
    return Verdict(middle, last, slope, not grows and slope * span_h <= least)


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
        self.samples.append(Sample(now - self._begin, self._server.rss_mb(), files, threads))

    def _ask(self, path: str) -> int:
        try:
            return self._server.ask("GET", path)[0]
        except OSError:
            return 0


def soak(minutes: float, rate: float, folder: Path, memory_mb: int) -> tuple[list[Sample], dict[int, int], int]:
    """Samples, answers by status, and events that were acknowledged and never found."""
    environment = {"WHODID_DUCKDB_MEMORY_BYTES_MAX": str(memory_mb * 1024 * 1024)}
    with serving(folder / "data", environment=environment) as server:
        watch = Watch(server)
        watch.start()
        answer = result_of(start_load(server, connections=4, batch=100, seconds=minutes * 60, rate=rate))
        watch.finish()
        deadline = time.monotonic() + 60
        count = "SELECT count(*) FROM events WHERE source = 'client'"
        while (found := server.scalar(count)) < answer["events"] and time.monotonic() < deadline:
            time.sleep(0.2)
    return watch.samples, watch.answers, answer["events"] - found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2_000.0, help="events a second")
    parser.add_argument("--duckdb-memory-mb", type=int, default=256)
    parser.add_argument("--output", type=Path, help="the samples, as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(
            f"{arguments.minutes:g} minutes at {arguments.rate:,.0f} events/s, DuckDB; {describe(folder)}\n", flush=True
        )
        samples, answers, lost = soak(arguments.minutes, arguments.rate, folder, arguments.duckdb_memory_mb)
    if arguments.output:
        arguments.output.write_text(json.dumps([sample._asdict() for sample in samples]))
    print(row("", "second third", "last third", "slope an hour", "flat"))
    print(row("---", "---:", "---:", "---:", "---"))
    times_s = [sample.at_s for sample in samples]
    verdicts = []
    for title, field in (("memory MB", "rss_mb"), ("open files", "files"), ("threads", "threads")):
        verdict = judge(times_s, [float(getattr(sample, field)) for sample in samples])
        verdicts.append(verdict.is_flat)
        told = (number(verdict.middle), number(verdict.last), f"{verdict.slope_an_hour:+.1f}")
        print(row(title, *told, "yes" if verdict.is_flat else "no"))
    print(row("memory MB, peak", number(max(sample.rss_mb for sample in samples)), "", "", ""))
    print(row("asked; by status", sum(answers.values()), json.dumps(answers), "", ""))
    print(row("acknowledged and not found", lost, "", "", ""))
    if not all(verdicts) or lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
