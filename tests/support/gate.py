"""An address before the real server, so that the way between can be cut, slowed and watched; with pages of its own."""

from __future__ import annotations

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit


class Gate:
    """Everything goes on to `target`, but `pages` (path → HTML), which it answers itself.

    While `away` is set nothing is answered; answers to posts wait `delay_s`. `posts` are the events of each post that
    reached the server, in order.
    """

    def __init__(self, target: str, pages: dict[str, str] | None = None):
        self.pages = pages or {}
        self.away = False
        self.delay_s = 0.0
        self.posts: list[list[dict[str, Any]]] = []
        self.arrived: list[str] = []
        gate = self

        class Handler(_Handler):
            owner = gate
            address = urlsplit(target)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of all posts."""
        return [event for post in list(self.posts) for event in post]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: ClassVar[Gate]
    address: ClassVar[Any]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in self.owner.pages:
            self._answer(200, [("Content-Type", "text/html; charset=utf-8")], self.owner.pages[path].encode())
        else:
            self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_OPTIONS(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        gate = self.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.owner.arrived.append(f"{self.command} {self.path}")
        if gate.away:
            self.close_connection = True
            return
        onward = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            onward.putheader(name, value)
        onward.endheaders(body or None)
        answer = onward.getresponse()
        told = answer.read()
        if self.command == "POST" and self.path == "/v1/events":
            gate.posts.append(json.loads(body))
            time.sleep(gate.delay_s)
        self._answer(answer.status, answer.getheaders(), told)
        onward.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        try:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # Whoever asked is gone: that is what some tests are about.
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass
