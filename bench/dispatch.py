"""What a hanging target costs those who send events, and how far ten targets lag behind one stream.

    python -m bench.dispatch [--seconds 8] [--pairs 4] [--rate 10000] [--targets 10]      about 2.5 minutes

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.agent import cpu_s
from bench.machine import describe
from bench.measure import number, percentile, row, spread
from bench.server import serving
from bench.sustained import result_of, start_load
from support.serving import ServerProcess

STEADY_RATE = 10_000.0

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


class Half(NamedTuple):
    """Half a pair: events a second that were taken in, and the server's processor time for each, in µs."""

    events_per_s: float
    processor_us: float


def half(server: ServerProcess, seconds: float, url: str | None, rate: float = 0.0) -> Half:
    """Take events in for a while, beside a target that hangs if there is a URL for it; then store all of them."""
    if url is not None:
        # Given up after a second, and tried again and again: what costs most of hanging.
        create(server, "silent", "http", deadline_s=1, url=url)
    before_s = cpu_s(server.process.pid)
    answer = result_of(start_load(server, connections=64, batch=100, seconds=seconds, rate=rate))
    while server.request("GET", "/v1/status")[1]["writer"]["lag_batches"]:
        time.sleep(0.05)
    used_s = cpu_s(server.process.pid) - before_s
    if url is not None:
        told = server.request("GET", "/v1/targets/silent")[1]["status"]
        assert told["sent"] == 0 and told["last_error"], told
        server.request("DELETE", "/v1/targets/silent")
    return Half(answer["events_per_s"], 1e6 * used_s / answer["events"])


def hanging(folder: Path, seconds: float, pairs: int) -> None:
    """What a target that hangs changes, in turns: without, with, with, without, …

    The rate with a server for each pair, as fast as it goes; the processor time in one server at a rate that leaves
    room, so that both sides do the same: it says something on a busy machine, too.
    """
    rates: list[float] = []
    with silent() as url:
        for pair in range(pairs):
            with serving(folder / f"hang-{pair}") as server:
                half(server, 1.0, None)
                found = {hangs: half(server, seconds, url if hangs else None) for hangs in _order(pair)}
            rates.append(100 * (found[True].events_per_s / found[False].events_per_s - 1))
        times: list[float] = []
        with serving(folder / "hang-steady") as server:
            half(server, 2.0, None, STEADY_RATE)
            for pair in range(2 * pairs):
                steady = {hangs: half(server, 3.0, url if hangs else None, STEADY_RATE) for hangs in _order(pair)}
                times.append(100 * (steady[True].processor_us / steady[False].processor_us - 1))
    print(row("a target that hangs: change of the rate, pair by pair, %", spread(rates), "less than 5 lost"))
    told = f"the same: processor time an event at {number(STEADY_RATE)} events/s, %"
    print(row(told, spread(times), ""), flush=True)


def _order(pair: int) -> tuple[bool, bool]:
    return (True, False) if pair % 2 else (False, True)


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
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=10_000.0)
    parser.add_argument("--targets", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"DuckDB store, client and sink on the same machine; {describe(folder)}\n")
        print(row("dispatch", f"{arguments.seconds:.0f} s", "asked"))
        print(row("---", "---:", "---"))
        hanging(folder, arguments.seconds, arguments.pairs)
        for targets in (1, arguments.targets):
            many(folder, arguments.seconds, arguments.rate, targets)


if __name__ == "__main__":
    main()
