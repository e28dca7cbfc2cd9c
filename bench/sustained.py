"""Sixty seconds of load, until everything is stored and can be found; and how soon an answered event can be found.

python -m bench.sustained [--seconds 60] [--rate 165000] [--visible-rate 20000]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.measure import number, percentile, row
from bench.server import serving
from support.serving import ServerProcess


def start_load(server: ServerProcess, **options: object) -> subprocess.Popen[bytes]:
    """The load client beside this process."""
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "bench.load", server.url, f"--key={server.key}", *flags], stdout=subprocess.PIPE
    )


def result_of(load: subprocess.Popen[bytes]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(load.communicate()[0])
    return answer


class Memory:
    """Samples a server's resident memory each second."""

    def __init__(self, server: ServerProcess):
        self.samples_mb: list[float] = []
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(1.0):
            self.samples_mb.append(self._server.rss_mb())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def throughput(seconds: float, rate: float, folder: Path) -> None:
    """Offer `rate` events a second in batches of 500; the clock stops when the last one is found."""
    with serving(folder / "sustained") as server:
        memory = Memory(server)
        begin = time.perf_counter()
        answer = result_of(start_load(server, connections=16, batch=500, seconds=seconds, rate=rate))
        while (found := server.scalar("SELECT count(*) FROM events WHERE type <> 'query-run'")) < answer["events"]:
            time.sleep(0.1)
        taken = time.perf_counter() - begin
        memory.stop()
        size = sum(path.stat().st_size for path in server.data.glob("events.duckdb*"))
        distinct = server.scalar("SELECT count(DISTINCT id) FROM events WHERE type <> 'query-run'")
    third = max(1, len(memory.samples_mb) // 3)
    print(row("offered events/s", number(rate), ""))
    print(row("acknowledged events/s", number(answer["events_per_s"]), f"refused {answer['refused']}"))
    print(row("stored and found, events/s", number(found / taken), "asked 150,000"))
    print(row("found after the last answer, s", number(taken - answer["seconds"]), ""))
    print(row("lost, doubled", f"{answer['events'] - found}, {found - distinct}", "asked 0, 0"))
    print(row("memory MB, peak", number(max(memory.samples_mb)), "asked 1,536"))
    print(
        row(
            "memory MB, second and last third",
            f"{_mean(memory.samples_mb[third:-third])}, {_mean(memory.samples_mb[-third:])}",
            "flat",
        )
    )
    print(row("bytes/event before a checkpoint", number(size / found), ""))


def _mean(values: list[float]) -> str:
    return number(sum(values) / max(1, len(values)))


def visibility(seconds: float, rate: float, folder: Path) -> None:
    """Beside a load of `rate`, post marked events and ask until each is found."""
    with serving(folder / "visible") as server:
        load = start_load(server, connections=8, batch=100, seconds=seconds, rate=rate)
        waits = []
        end = time.monotonic() + seconds - 2
        while time.monotonic() < end:
            waits.append(_until_found(server))
            time.sleep(0.2)
        answer = result_of(load)
    print(row("load, events/s", number(answer["events_per_s"]), f"asked {number(rate)}"))
    print(
        row(
            "found after the answer, ms: p50, p99, max",
            ", ".join(number(value * 1e3) for value in (percentile(waits, 0.5), percentile(waits, 0.99), max(waits))),
            "asked 1,000",
        )
    )


def _until_found(server: ServerProcess) -> float:
    identity = str(uuid.uuid4())
    event = {"id": identity, "time": datetime.now(UTC).isoformat(), "type": "marked"}
    status, answer = server.request("POST", "/v1/events", event)
    assert status == 200, answer
    begin = time.perf_counter()
    while server.request("GET", f"/v1/events/{identity}")[0] != 200:
        time.sleep(0.01)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=165_000.0)
    parser.add_argument("--visible-rate", type=float, default=20_000.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"DuckDB store, batches of 500, client on the same machine; {describe(folder)}\n")
        print(row("sustained", f"{arguments.seconds:.0f} s", ""))
        print(row("---", "---:", "---"))
        throughput(arguments.seconds, arguments.rate, folder)
        visibility(min(arguments.seconds, 30.0), arguments.visible_rate, folder)


if __name__ == "__main__":
    main()
