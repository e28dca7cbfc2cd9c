"""The short way of a small, plain request to a door: from its last byte to the door, and from the door to the wire.

ASGI costs a request a scope, a task, an event and five messages: more than all the rest that a post of one event takes.
A request goes without them when it has nothing out of the ordinary (`is_plain`), is there completely, and the door
takes it (`AtOnce`). Everything else goes the long way, which is the one that knows all answers; a door that does not
take a request has done nothing, so that the long way finds it as it came.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Larger bodies are worth the cost of the long way, which bounds what they buffer.
BODY_BYTES_MAX: Final = 1024 * 1024

_UNUSUAL: Final = frozenset(
    (b"expect", b"origin", b"content-encoding", b"transfer-encoding", b"trailer", b"te", b"upgrade")
)

Headers = Mapping[bytes, bytes]
Done = Callable[[bytes | None], None]


class AtOnce(Protocol):
    """A door for whole requests. Called in the event loop, and it must not wait.

    headers  names in lower case.
    client   address and port of the sender, None where there is none.
    done     to be called once with the whole answer, or with None if the request shall go the long way after all;
             not from within.
    Returns  False if it does not take this request; then nothing has happened.
    """

    def __call__(self, headers: Headers, body: bytes, client: tuple[str, int] | None, done: Done) -> bool: ...


def is_plain(headers: Headers) -> bool:
    """Whether the body of a request with these headers comes as it is, is small, and need not be asked for."""
    length = headers.get(b"content-length", b"")
    if headers.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return False
    return length.isdigit() and int(length) <= BODY_BYTES_MAX and _UNUSUAL.isdisjoint(headers)


class _Nobody:
    """Who waits for the messages of a request that has none."""

    def set(self) -> None:
        """Nobody is woken."""


class Request:
    """A request on the short way. It stands where uvicorn keeps its cycle, and answers what it asks of one."""

    __slots__ = (
        "disconnected",
        "door",
        "headers",
        "keep_alive",
        "length",
        "more_body",
        "parts",
        "response_complete",
        "response_started",
        "url",
    )

    message_event: Any = _Nobody()

    def __init__(self, door: AtOnce, url: bytes, headers: Headers):
        self.door = door
        self.url = url
        self.headers = headers
        self.length = int(headers[b"content-length"])
        self.parts: list[bytes] = []
        self.more_body = True
        self.disconnected = False
        self.keep_alive = True
        self.response_started = False
        self.response_complete = False

    @property
    def body(self) -> bytes:
        """The parts that have come, in one."""
        parts = self.parts
        return parts[0] if len(parts) == 1 else b"".join(parts)


class ShortWay(HttpToolsProtocol, ABC):
    """A connection whose requests may go either way."""

    doors: Mapping[bytes, AtOnce]

    @abstractmethod
    def extensions(self, cycle: RequestResponseCycle) -> dict[str, Any]:
        """What the scope of a request on the long way offers beyond ASGI."""

    def short_request(self, door: AtOnce) -> Request | None:
        """The request whose head has come, if it may go the short way."""
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        headers = dict(self.headers)
        parser = self.parser
        if not is_plain(headers) or parser.get_method() != b"POST" or not parser.should_keep_alive():
            return None
        if parser.get_http_version() != "1.1" or self.flow.write_paused or self.server_state.default_headers:
            return None
        return Request(door, self.url, headers)

    def end_short(self, request: Request) -> None:
        """Hand over a request that has come completely."""
        if not request.door(request.headers, request.body, self.client, partial(self._answer, request)):
            self._turn(request)

    def begin_long(self) -> None:
        """Begin with the request whose head has come as uvicorn does, which needs a scope for it."""
        url, headers, expect_100_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expect_100_continue
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _answer(self, request: Request, answer: bytes | None) -> None:
        if request.disconnected:
            return
        if answer is None:
            self._turn(request)
            return
        request.response_started = request.response_complete = True
        if request.keep_alive:
            self.transport.write(answer)
        else:
            self.transport.write(answer.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            self.transport.close()
        self.on_response_complete()

    def _turn(self, request: Request) -> None:
        """Let a complete request go the long way; others may have come behind it, which is why uvicorn cannot."""
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": list(request.headers.items()),
            "state": self.app_state.copy(),
            "method": "POST",
            "path": self.root_path + request.url.decode(),
            "raw_path": self.root_path.encode() + request.url,
            "query_string": b"",
        }
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=request.keep_alive,
            on_response=self.on_response_complete,
        )
        scope["extensions"] = self.extensions(cycle)
        cycle.body += request.body
        cycle.more_body = False
        cycle.message_event.set()
        latest: Any = self.cycle
        if latest is request:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)
