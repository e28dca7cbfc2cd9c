"""What a hanging target costs those who send events, and how far ten targets lag behind one stream.

    python -m bench.dispatch [--seconds 8] [--rounds 5] [--rate 10000] [--targets 10]      about 6 minutes

The sink of HTTP targets is a process of its own that reads requests and answers; half of the ten targets are files.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.agent import cpu_s
from bench.machine import describe
from bench.measure import number, percentile, row, spread
from bench.server import serving
from bench.sustained import result_of, start_load
from support.serving import ServerProcess

STEADY_RATE = 10_000.0
STRETCH_S = 4.0
# Then the first tries are over: a target that hangs for ten minutes is tried 17 times, five of them within this.
SETTLE_S = 8.0

_SINK = """
import asyncio, sys
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n"
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            lines = head.lower().split(b"\\r\\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """The URL of a process that takes everything."""
    process = subprocess.Popen([sys.executable, "-c", _SINK], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """The URL of something that accepts connections and never answers."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def create(server: ServerProcess, name: str, kind: str, *, deadline_s: float = 30, **options: Any) -> None:
    body = {"name": name, "kind": kind, "options": options, "deadline_s": deadline_s}
    status, answer = server.request("POST", "/v1/targets", body)
    assert status == 201, answer


class Taken(NamedTuple):
    """A stretch of load: events a second that were taken in, and the server's processor time for each, in µs, until all
    of them were stored."""

    events_per_s: float
    processor_us: float


def take(server: ServerProcess, seconds: float, rate: float) -> Taken:
    """Take events in for a while; then store all of them."""
    before_s = cpu_s(server.process.pid)
    answer = result_of(start_load(server, connections=64, batch=100, seconds=seconds, rate=rate))
    while server.request("GET", "/v1/status")[1]["writer"]["lag_batches"]:
        time.sleep(0.2)
    return Taken(answer["events_per_s"], 1e6 * (cpu_s(server.process.pid) - before_s) / answer["events"])


@contextlib.contextmanager
def hanging_target(server: ServerProcess, url: str) -> Iterator[None]:
    """A target that hangs already when the block begins, and is tried again and again."""
    create(server, "silent", "http", deadline_s=1, url=url)
    take(server, 0.2, STEADY_RATE)
    time.sleep(SETTLE_S)
    yield
    told = server.request("GET", "/v1/targets/silent")[1]["status"]
    assert told["sent"] == 0 and told["last_error"], told
    server.request("DELETE", "/v1/targets/silent")


def hanging(folder: Path, rounds: int) -> None:
    """What a target that hangs changes: rounds of without, with, with, without, in one server, so that what drifts
    falls on both sides alike; as fast as it goes, and at a rate that leaves room, which a busy machine disturbs less.
    """
    shown = []
    with silent() as url, serving(folder / "hang") as server:
        take(server, 3.0, 0.0)
        for rate in (0.0, STEADY_RATE):
            changes: list[Taken] = []
            for _ in range(rounds):
                without = [take(server, STRETCH_S, rate)]
                with hanging_target(server, url):
                    beside = [take(server, STRETCH_S, rate) for _ in range(2)]
                without.append(take(server, STRETCH_S, rate))
                changes.append(_change(beside, without))
            shown.append((rate, changes))
    for rate, changes in shown:
        how = f"at {number(rate)} events/s" if rate else "as fast as it goes"
        if not rate:
            told = spread([change.events_per_s for change in changes])
            print(row(f"a target that hangs, {how}: change of the rate, %", told, "less than 5 lost"))
        told = spread([change.processor_us for change in changes])
        print(row(f"a target that hangs, {how}: change of processor time an event, %", told, ""), flush=True)


def _change(beside: Sequence[Taken], without: Sequence[Taken]) -> Taken:
    """From the mean of one side to that of the other, in per cent."""
    rates = sum(one.events_per_s for one in beside) / sum(one.events_per_s for one in without)
    times = sum(one.processor_us for one in beside) / sum(one.processor_us for one in without)
    return Taken(100 * (rates - 1), 100 * (times - 1))


class Lags:
    """Looks at all targets twice a second."""

    def __init__(self, server: ServerProcess):
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.oldest_s: list[float] = []
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def targets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [
            target["status"] for target in self._server.request("GET", "/v1/targets")[1]["targets"]
        ]
        return found

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self.oldest_s.append(max(target["oldest_waiting_s"] for target in self.targets()))


def many(folder: Path, seconds: float, rate: float, targets: int) -> None:
    """The age of the oldest event that waits for any of some targets, half of them files, while events come in."""
    with sink() as url, serving(folder / f"many-{targets}") as server:
        for place in range(targets):
            if place % 2:
                path = (folder / f"files{targets}-{place}").absolute()
                create(server, f"files{place}", "files", path=str(path), close_s=2)
            else:
                create(server, f"http{place}", "http", url=url)
        before_s = cpu_s(server.process.pid)
        lags = Lags(server)
        answer = result_of(start_load(server, connections=16, batch=100, seconds=seconds, rate=rate))
        lags.stop()
        last = time.monotonic()
        while any(target["waiting_events"] for target in lags.targets()):
            time.sleep(0.1)
        behind_s = time.monotonic() - last
        used_s = cpu_s(server.process.pid) - before_s
        sent = [target["sent"] for target in lags.targets()]
    beside = "1 target" if targets == 1 else f"{targets} targets"
    print(row(f"taken in beside {beside}, events/s", number(answer["events_per_s"]), number(rate)))
    oldest = f"{percentile(lags.oldest_s, 0.5):.2f}, {max(lags.oldest_s):.2f}"
    print(row(f"oldest that waits for {beside}, s: p50, max", oldest, "less than 5"))
    print(row(f"{beside} have everything after the last answer, s", f"{behind_s:.2f}", ""))
    print(row(f"processor time beside {beside}, µs/event", f"{1e6 * used_s / answer['events']:.1f}", ""))
    told = f"{min(sent):,}, {max(sent):,}"
    print(row("sent to each: least, most", told, f"{answer['events']:,} and changes"), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=10_000.0)
    parser.add_argument("--targets", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"DuckDB store, client and sink on the same machine; {describe(folder)}\n")
        print(row("dispatch", f"{arguments.seconds:.0f} s", "asked"))
        print(row("---", "---:", "---"))
        hanging(folder, arguments.rounds)
        for targets in (1, arguments.targets):
            many(folder, arguments.seconds, arguments.rate, targets)


if __name__ == "__main__":
    main()
