"""What a Logger has stored on a server, and a server that answers as a test says."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from support.serving import ServerProcess
from whodid.client import Logger
from whodid.client.spool import lines_of

STORED_S_MAX = 90.0


class Events:
    """The events of one topic on `server`."""

    def __init__(self, server: ServerProcess, topic: str | None = None):
        self._server = server
        self.topic = topic or f"topic-{uuid.uuid4()}"

    @property
    def url(self) -> str:
        return self._server.url

    def of(self, logger: Logger, count: int | None = None) -> list[dict[str, Any]]:
        """The events in the order of their time, after a flush; with `count`, once there are so many."""
        assert logger.flush(30), f"not taken: {logger.stats()}"
        return self.stored(logger.stats().sent if count is None else count)

    def stored(self, count: int) -> list[dict[str, Any]]:
        """The events in the order of their time, once there are `count`; fails when there are others."""
        deadline = time.monotonic() + STORED_S_MAX
        while True:
            found = self._server.query(f"SELECT * FROM events WHERE topic = '{self.topic}' ORDER BY time, id")
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, f"{len(found)} events instead of {count}"
                return [{**row, "parameters": parameters(row)} for row in found]
            time.sleep(0.05)


def parameters(row: dict[str, Any]) -> Any:
    """The parameters of a row that a query answered."""
    value = row["parameters"]
    return json.loads(value) if isinstance(value, str) else value


class Scripted:
    """A server that gives the answers of a script, then 200; it remembers the events of each request.

    An answer is (status, headers, JSON object), or a function that gets the events and returns one.
    """

    def __init__(self, *script: Any, policy: Callable[[str, str | None], Any] | None = None):
        self.requests: list[list[dict[str, Any]]] = []
        self.times: list[float] = []
        self.policy_requests: list[tuple[str, str | None]] = []
        self.then: Any = (200, {}, None)
        self._script = list(script)
        self._policy = policy
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer._answer_events(self, body)

            def do_GET(self) -> None:
                outer._answer_policy(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def ids(self) -> list[str]:
        """The ids of every event of every request, in the order they came."""
        return [event["id"] for request in self.requests for event in request]

    def _answer_events(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        text = gzip.decompress(body) if handler.headers["Content-Encoding"] == "gzip" else body
        events = [json.loads(line) for line in text.splitlines()]
        self.times.append(time.monotonic())
        self.requests.append(events)
        answer = self._script.pop(0) if self._script else self.then
        status, headers, told = answer(events) if callable(answer) else answer
        if told is None:
            told = {"accepted": len(events), "duplicates": 0, "filtered": 0, "rejected": []}
        _send(handler, status, headers, told)

    def _answer_policy(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        tag = handler.headers["If-None-Match"]
        self.policy_requests.append((handler.path, tag))
        told = self._policy(handler.path, tag) if self._policy else None
        if told is None:
            _send(handler, 404, {}, {})
        elif tag == f'"{told["version"]}"':
            _send(handler, 304, {"ETag": tag}, None)
        else:
            _send(handler, 200, {"ETag": f'"{told["version"]}"'}, told)


def _send(handler: http.server.BaseHTTPRequestHandler, status: int, headers: dict[str, str], told: Any) -> None:
    content = b"" if told is None else json.dumps(told).encode()
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Return when `condition` holds; fail when it does not within the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def spooled_files(folder: Path) -> list[Path]:
    """The batches below a spool folder, dead ones left out. Folders that are sent and deleted meanwhile are empty."""
    found = [Path(above, name) for above, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if path.name.endswith(".ndjson.gz") and path.parent.name != "dead")


def spooled_events(files: Iterable[Path]) -> int:
    """How many events batches hold; those that were sent meanwhile hold none."""
    count = 0
    for path in files:
        with suppress(FileNotFoundError):
            count += len(lines_of(path.read_bytes())[0])
    return count
