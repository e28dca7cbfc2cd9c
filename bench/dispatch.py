"""What a hanging target costs those who send events, and how far ten targets lag behind one stream.

    python -m bench.dispatch [--seconds 20] [--pairs 3] [--rate 10000] [--targets 10]

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
from typing import Any

from bench.machine import describe
from bench.measure import number, percentile, row, spread
from bench.server import serving
from bench.sustained import result_of, start_load
from support.serving import ServerProcess

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


def create(server: ServerProcess, name: str, kind: str, **options: Any) -> None:
    body = {"name": name, "kind": kind, "options": options, "deadline_s": 5}
    status, answer = server.request("POST", "/v1/targets", body)
    assert status == 201, answer


def hanging(folder: Path, seconds: float, pairs: int) -> None:
    """Events a second that are taken in, without a target and with one that hangs, in turns."""
    rates: dict[str, list[float]] = {"no target": [], "a target that hangs": []}
    with silent() as url:
        for turn in range(2 * pairs):
            name = list(rates)[turn % 2]
            with serving(folder / f"hang-{turn}") as server:
                if turn % 2:
                    create(server, "silent", "http", url=url)
                answer = result_of(start_load(server, connections=64, batch=100, seconds=seconds))
            rates[name].append(answer["events_per_s"])
    ratios = [with_ / without for without, with_ in zip(*rates.values(), strict=True)]
    for name, found in rates.items():
        print(row(f"taken in with {name}, events/s", spread(found), ""))
    print(row("change of the rate, pair by pair, %", spread([100 * (ratio - 1) for ratio in ratios]), "less than 5"))


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
    """The age of the oldest event that waits for any target, while events come in at `rate`."""
    with sink() as url, serving(folder / "many") as server:
        for place in range(targets):
            if place % 2:
                create(server, f"files{place}", "files", path=str((folder / f"files{place}").absolute()), close_s=2)
            else:
                create(server, f"http{place}", "http", url=url)
        lags = Lags(server)
        answer = result_of(start_load(server, connections=16, batch=100, seconds=seconds, rate=rate))
        lags.stop()
        last = time.monotonic()
        while any(target["waiting_events"] for target in lags.targets()):
            time.sleep(0.1)
        behind_s = time.monotonic() - last
        sent = [target["sent"] for target in lags.targets()]
    print(row(f"taken in beside {targets} targets, events/s", number(answer["events_per_s"]), number(rate)))
    oldest = f"{percentile(lags.oldest_s, 0.5):.2f}, {max(lags.oldest_s):.2f}"
    print(row("oldest that waits for any, s: p50, max", oldest, "less than 5"))
    print(row("every target has everything after the last answer, s", f"{behind_s:.2f}", ""))
    print(row("sent to each: least, most", f"{min(sent):,}, {max(sent):,}", f"{answer['events']:,} and changes"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=10_000.0)
    parser.add_argument("--targets", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"DuckDB store, client and sink on the same machine; {describe(folder)}\n")
        print(row("dispatch", f"{arguments.seconds:.0f} s", "asked"))
        print(row("---", "---:", "---"))
        hanging(folder, arguments.seconds, arguments.pairs)
        many(folder, arguments.seconds, arguments.rate, arguments.targets)


if __name__ == "__main__":
    main()
