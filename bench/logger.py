"""What a call of the Logger costs, beside Python's own logging; what it loses in a restart; what it holds meanwhile.

python -m bench.logger [--calls 200000] [--events 1000000]

Calls are timed one by one with `perf_counter_ns`, whose own cost is measured and printed; both loggers write the same
fields (a text and three parameters), Logger to a server, `logging` through a QueueHandler to a file in JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import logging.handlers
import os
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine import describe
from bench.measure import percentile, row
from bench.server import serving
from support.serving import ServerProcess
from whodid.client import Logger


def rss_mb() -> float:
    """Resident memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cost_us(call: Callable[[int], object], calls: int, pause_s: float = 0.0) -> tuple[float, float, float]:
    """Median, p99 and p99.9 of one call in µs; with a pause after every hundred, as programs that do other work."""
    clock = time.perf_counter_ns
    taken = []
    for number in range(calls):
        start = clock()
        call(number)
        taken.append(clock() - start)
        if pause_s and number % 100 == 99:
            time.sleep(pause_s)
    return percentile(taken, 0.5) / 1e3, percentile(taken, 0.99) / 1e3, percentile(taken, 0.999) / 1e3


class _Json(logging.Formatter):
    """A record with its extra as JSON, as programs that keep an audit in files write it."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": record.created,
                "level": record.levelname,
                "message": record.getMessage(),
                "parameters": {name: vars(record)[name] for name in ("n", "query", "ms")},
            }
        )


def with_logging(folder: Path, calls: int, pause_s: float) -> tuple[float, float, float]:
    """Python's logging: a QueueHandler in the caller, a listener thread with a file behind it."""
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    file = logging.FileHandler(folder / "logging.json")
    file.setFormatter(_Json())
    listener = logging.handlers.QueueListener(waiting, file)
    program = logging.getLogger("bench")
    program.setLevel(logging.INFO)
    program.propagate = False
    handler = logging.handlers.QueueHandler(waiting)
    program.addHandler(handler)
    listener.start()
    try:
        return cost_us(
            lambda number: program.info("query was run", extra={"n": number, "query": "sales", "ms": 12.5}),
            calls,
            pause_s,
        )
    finally:
        program.removeHandler(handler)
        listener.stop()


def with_logger(url: str, folder: Path, calls: int, pause_s: float) -> tuple[float, float, float]:
    """The Logger, its threads sending meanwhile."""
    with Logger(url, spool=folder / "spool") as logger:
        found = cost_us(
            lambda number: logger.audit("query was run", {"n": number, "query": "sales", "ms": 12.5}, "query-start"),
            calls,
            pause_s,
        )
        assert logger.flush(120), logger.stats()
        assert logger.stats().dropped == 0, logger.stats()
        return found


def lost_in_restart(folder: Path) -> tuple[int, int]:
    """Events logged while a server is stopped, killed and started again, and how many of them it lacks then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = ServerProcess(folder / "restart", port=port).start()
    logger = Logger(server.url, spool=folder / "spool", topic="restart")
    ended = threading.Event()

    def log() -> None:
        while not ended.is_set():
            for _ in range(50):
                logger.audit("step")
            time.sleep(0.005)

    thread = threading.Thread(target=log)
    thread.start()
    for stop in (server.stop, server.kill, server.stop):
        time.sleep(1)
        stop()
        time.sleep(1)
        server.start()
    ended.set()
    thread.join()
    assert logger.flush(120), logger.stats()
    logged = logger.stats().logged
    logger.close()
    deadline = time.monotonic() + 60
    while (stored := _stored(server)) < logged and time.monotonic() < deadline:
        time.sleep(0.2)
    server.stop()
    return logged, logged - stored


def _stored(server: ServerProcess) -> int:
    return int(server.scalar("SELECT count(DISTINCT id) FROM events WHERE topic = 'restart'"))


def memory_while_away(folder: Path, events: int) -> tuple[float, float, float, int, int]:
    """MB before, MB at the most, MB on disk, events dropped and events a second, with nobody at the address."""
    before = most = rss_mb()
    logger = Logger("http://127.0.0.1:9", spool=folder / "away", spool_bytes_max=1024**3)
    start = time.perf_counter()
    for number in range(events):
        logger.audit("query was run", {"n": number, "query": "sales", "ms": 12.5}, "query-start")
        if number % 1_000 == 0:
            most = max(most, rss_mb())
    rate = events / (time.perf_counter() - start)
    logger.close()
    most = max(most, rss_mb())
    disk_mb = sum(path.stat().st_size for path in (folder / "away").rglob("*.gz")) / 1024**2
    return before, most, disk_mb, logger.stats().dropped, int(rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        empty = cost_us(lambda number: None, 100_000)
        print(f"{describe(folder)}, load {os.getloadavg()[0]:.1f}; timing an empty call: {empty[0]:.2f} µs\n")
        print(row("one call", "median µs", "p99 µs", "p99.9 µs", "asked"))
        print(row("---", "---:", "---:", "---:", "---:"))
        with serving(folder / "data") as server:
            for pause_s, how in ((0.0005, "100 calls, 0.5 ms of other work"), (0.0, "without a pause")):
                for title, found in (
                    ("whodid Logger", with_logger(server.url, folder, arguments.calls, pause_s)),
                    ("logging, QueueHandler", with_logging(folder, arguments.calls, pause_s)),
                ):
                    asked = "10 / 30" if title.startswith("whodid") else ""
                    print(row(f"{title}, {how}", *(f"{value:.1f}" for value in found), asked), flush=True)
        logged, lost = lost_in_restart(folder)
        print(f"\nrestarts: 3 (stop, kill -9, stop); {logged:,} events logged meanwhile, {lost:,} lost")
        before, most, disk_mb, dropped, rate = memory_while_away(folder, arguments.events)
        print(
            f"server away: {arguments.events:,} events at {rate:,}/s; memory {before:.0f} → {most:.0f} MB at the most, "
            f"{disk_mb:.0f} MB on disk, {dropped:,} dropped"
        )


if __name__ == "__main__":
    main()
