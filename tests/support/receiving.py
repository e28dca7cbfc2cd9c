"""A receiver on port 0 with a real journal and a real directory, and raw sockets to try it with."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvicorn

from whodid.config import Config
from whodid.directory import Directory
from whodid.event import Event, Provenance, Rejection, new_id
from whodid.journal.disk import DiskJournal
from whodid.policy.live import Policies
from whodid.receive.access import Access
from whodid.receive.checkers import Checkers
from whodid.receive.ingest import Ingest
from whodid.receive.nodes import NodeBook
from whodid.receive.protocol import limited_protocol

LOCAL_KEY = "the key of server.json"


class Answer(NamedTuple):
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """The door for events alone, in a thread, with everything behind it that it needs."""

    def __init__(
        self, folder: Path, *, loopback: bool = True, short_way: bool = True, checkers: int = 0, **limits: int
    ):
        self.folder = folder
        self.checkers = Checkers(checkers)
        self.short_way = short_way
        self.loopback = loopback
        self.config = Config(**{"header_timeout_ms": 5_000, "body_timeout_ms": 5_000, **limits})

    def start(self) -> None:
        self.journal = DiskJournal(
            self.folder / "journal",
            segment_bytes_max=64 * 1024 * 1024,
            segment_age_ms_max=60_000,
            backlog_bytes_max=self.config.backlog_bytes_max,
            disk_free_bytes_min=1,
        )
        self.directory = Directory.open(f"sqlite:///{self.folder}/settings.db")
        self.access = Access(self.directory, local_key=LOCAL_KEY, loopback=self.loopback)
        self.policies = Policies(self.directory)
        self.nodes = NodeBook(self.directory, silent_s=0, quiet_s=0)
        self.ingest = Ingest(
            self.journal,
            self.access,
            body_timeout_ms=self.config.body_timeout_ms,
            gate=self.policies.gate,
            nodes=self.nodes,
            checkers=self.checkers,
        )
        self.protocol = limited_protocol(self.config, {b"/v1/events": self.ingest.at_once} if self.short_way else None)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        options: dict[str, Any] = {
            "log_level": "critical",
            "access_log": False,
            "server_header": False,
            "date_header": False,
        }
        self.server = uvicorn.Server(
            uvicorn.Config(self.ingest, http=self.protocol, lifespan="off", ws="none", loop="uvloop", **options)
        )
        self._thread = threading.Thread(target=self.server.run, args=([self.listener],), daemon=True)
        self._thread.start()
        wait_until(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.checkers.close()
        self.listener.close()
        self.directory.close()
        self.journal.close()

    @property
    def own(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def post(
        self,
        body: bytes | list[Any] | dict[str, Any],
        *,
        key: str | None = LOCAL_KEY,
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send one request on a connection of its own."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = {"Host": self.own, "Content-Type": "application/json", "Content-Length": str(len(content))}
        if key is not None:
            given["Authorization"] = f"Bearer {key}"
        given |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(f"{method} /v1/events HTTP/1.1\r\n{head}\r\n".encode() + content)
            return read_answer(connection)

    def events(self) -> list[Event]:
        """What is durable, in its order."""
        return [event for _, events, _ in self._frames() for event in events]

    def rejects(self) -> list[Rejection]:
        return [reject for _, _, rejects in self._frames() for reject in rejects]

    def key_ids(self) -> list[str | None]:
        return [key_id for key_id, _, _ in self._frames()]

    def provenance(self) -> list[tuple[list[str], Provenance]]:
        """The ids of the events of each frame, and what the frame tells of where they came from."""
        self.journal.seal()
        frames = [frame for batch in self.journal.sealed() for frame in batch.frames()]
        return [([event.id for event in frame.events], frame.provenance) for frame in frames]

    def _frames(self) -> Iterator[tuple[str | None, list[Event], list[Rejection]]]:
        self.journal.seal()
        for batch in self.journal.sealed():
            for frame in batch.frames():
                yield frame.provenance.key_id, frame.events, frame.rejects


def kept(receiver: Receiver) -> list[object]:
    """What has come into a journal, without what the receiver made up; the journal is empty then."""
    last = receiver.journal.seal()
    frames = itertools.chain.from_iterable(batch.frames() for batch in receiver.journal.sealed())
    found: list[object] = [
        (
            frame.provenance.key_id is None,
            frame.provenance.orig_address,
            frame.provenance.format,
            [msgspec.structs.replace(each, id="", time=None) for each in frame.events],
            frame.rejects,
        )
        for frame in frames
    ]
    receiver.journal.release(last)
    return found


def read_answer(connection: socket.socket) -> Answer:
    """The next answer on a connection; status 0 when it was closed without one."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65_536)
        if not part:
            return Answer(0, {}, received)
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if status == 100:
        return Answer(100, headers, body)
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        part = connection.recv(65_536)
        if not part:
            break
        body += part
    return Answer(status, headers, body)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side closes the connection without sending more."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def event(**fields: Any) -> dict[str, Any]:
    """A small valid event."""
    return {"id": new_id(), "time": "2026-03-01T12:00:00Z", "type": "query-start", "user": "ada", **fields}


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait on a condition; fails when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
