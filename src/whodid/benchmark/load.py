"""The load client: a process of its own, bounded in time.

    python -m whodid.benchmark.load URL --connections 64 --batch 1 --seconds 5 [--rate EVENTS_PER_S] [--key KEY]

Prints one JSON object: requests, events, seconds, answers' p50 and p99 in ms, refusals by status.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import uvloop

from whodid.benchmark.machine import percentile
from whodid.benchmark.payload import Bodies


class Load:
    """Posts bodies on all connections until the time is over; open loop when a rate is set."""

    def __init__(self, arguments: argparse.Namespace):
        self.batch: int = arguments.batch
        self.rate: float = arguments.rate
        self.bodies = Bodies(arguments.batch, client=arguments.client)
        self.head = (
            f"POST /v1/events HTTP/1.1\r\nHost: {urlsplit(arguments.url).netloc}\r\n"
            + (f"Authorization: Bearer {arguments.key}\r\n" if arguments.key else "")
            + f"Content-Type: application/json\r\nContent-Length: {self.bodies.size_bytes}\r\n\r\n"
        ).encode()
        self.latencies: list[float] = []
        self.refused: Counter[str] = Counter()
        self.sent = 0
        self.begin = time.perf_counter()
        self.end: float = self.begin + arguments.seconds
        self.last_answer = self.begin

    def due_in_s(self) -> float:
        """Seconds until the next request may go, so that the rate is kept."""
        if not self.rate:
            return 0.0
        return self.begin + self.sent * self.batch / self.rate - time.perf_counter()


class Connection(asyncio.Protocol):
    """One connection: a request, its whole answer, the next request."""

    def __init__(self, load: Load, done: asyncio.Future[None]):
        self.load = load
        self.done = done
        self.answer = b""
        self.request = bytearray(load.head) + bytearray(load.bodies.size_bytes)
        self.started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.go()

    def go(self) -> None:
        if time.perf_counter() >= self.load.end:
            self.transport.close()
            self.done.set_result(None)
            return
        wait_s = self.load.due_in_s()
        if wait_s > 0:
            asyncio.get_running_loop().call_later(min(wait_s, 0.05), self.go)
            return
        self.load.sent += 1
        self.load.bodies.put_next(self.request)
        self.started = time.perf_counter()
        # Its memory is free again when the answer has come.
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, separator, body = self.answer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        now = time.perf_counter()
        status = head[9:12].decode()
        if status == "200":
            self.load.latencies.append(now - self.started)
            self.load.last_answer = now
        else:
            self.load.refused[status] += 1
        self.answer = b""
        self.go()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)


async def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Drive the load and sum it up."""
    address = urlsplit(arguments.url)
    load = Load(arguments)
    loop = asyncio.get_running_loop()
    finished = []
    for _ in range(arguments.connections):
        done: asyncio.Future[None] = loop.create_future()
        finished.append(done)
        await loop.create_connection(partial(Connection, load, done), address.hostname, address.port)
    await asyncio.wait(finished, timeout=arguments.seconds + 30)
    seconds = load.last_answer - load.begin
    answered = len(load.latencies)
    return {
        "requests": answered,
        "events": answered * load.batch,
        "seconds": seconds,
        "requests_per_s": answered / seconds if answered else 0.0,
        "events_per_s": answered * load.batch / seconds if answered else 0.0,
        "p50_ms": percentile(load.latencies, 0.5) * 1e3 if answered else None,
        "p99_ms": percentile(load.latencies, 0.99) * 1e3 if answered else None,
        "refused": dict(load.refused),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0 goes as fast as answers come")
    parser.add_argument("--client", type=int, default=0)
    parser.add_argument("--key", default="")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
