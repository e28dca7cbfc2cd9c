"""An HTTP endpoint that takes lines and answers as it is told."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        if self.body.startswith(b"["):
            found: list[dict[str, Any]] = json.loads(self.body)
            return found
        return [json.loads(line) for line in self.body.splitlines()]


class Endpoint:
    """`answers` are given to the next requests, one each: status, headers, body. Without one: 200.

    key      has to be shown; else 401.
    refuses  ids: a request with one of them is answered 422.
    hangs    requests wait for it before they are answered.
    """

    def __init__(self, key: str | None = None):
        self.key = key
        self.requests: list[Request] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.refuses: set[str] = set()
        self.hangs: threading.Event | None = None
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint._answer(self)

            do_PUT = do_POST

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def ids(self) -> list[str]:
        """Of the events that were taken."""
        return [event["id"] for request in self.requests for event in request.events]

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.hangs is not None:
            self.hangs.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        coding = handler.headers.get("content-encoding")
        if coding == "gzip":
            body = gzip.decompress(body)
        elif coding == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, handler.path, headers, body)
        if self.hangs is not None:
            self.hangs.wait()
        status, more, text = self._verdict(request)
        if status < 300:
            self.requests.append(request)
        handler.send_response(status)
        for name, value in more.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(text)))
        # Whoever gave up does not hear it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            handler.end_headers()
            handler.wfile.write(text)

    def _verdict(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return 401, {}, b"who are you?"
        if self.answers:
            return self.answers.pop(0)
        if self.refuses and self.refuses & {event["id"] for event in request.events}:
            return 422, {}, b"not that one"
        return 200, {}, b"thanks"
