"""uvicorn's HTTP protocol with limits, for every route alike.

A connection is idle, in the head of a request, or in its body; what does not go on in time is answered 408 and closed.
The limits cost nothing while requests arrive in one piece, as small ones do. Those to a door go a short way: see
`short`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from whodid.config import Config
from whodid.errors import WhodidError
from whodid.receive.answer import AT_ONCE, error_body, request_id
from whodid.receive.short import AtOnce, Request, ShortWay

HEAD_BYTES_MAX: Final = 64 * 1024
HEADERS_MAX: Final = 200

# Chunks of one byte each take five more; what is more than this, and more than a head, is no body (trailers, chunk
# extensions without end).
FRAMING_FACTOR: Final = 8

# A connection may buffer this much of a body before its reader takes it; all together not more than the total, then
# it is the little that uvicorn allows.
WINDOW_BYTES: Final = 1024 * 1024
WINDOW_LOW_BYTES: Final = 64 * 1024
WINDOWS_TOTAL_BYTES: Final = 128 * 1024 * 1024

# A client that does not take its answer for this long is let go.
WRITE_TIMEOUT_S: Final = 60.0

# Headers of an offer to speak another protocol.
_OFFER: Final = (b"upgrade", b"connection", b"http2-settings")

_IDLE: Final = 0
_HEAD: Final = 1
_BODY: Final = 2


class _Flow(FlowControl):
    """Does not read on while requests that came already (pipelined) wait for their turn."""

    def __init__(self, transport: asyncio.Transport, pipeline: Any):
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if not self._pipeline:
            super().resume_reading()


class LimitedProtocol(ShortWay):
    """A connection within limits; `limited_protocol` makes the class for given ones."""

    connections_max: int
    header_timeout_s: float
    body_timeout_s: float
    buffered_bytes: int = 0

    # The method of a request that offers to speak another protocol, until it is read again without the offer.
    offered: bytes | None = None

    _phase = _IDLE
    _raw_bytes = 0
    _body_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always of a stream
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        if len(self.connections) > self.connections_max:
            self._refuse(
                WhodidError(
                    "unavailable",
                    f"All {self.connections_max:,} connections are in use.",
                    "Try again in a moment; send more events on fewer connections.",
                    retry_after_s=1,
                )
            )
            return
        self._deadline = self.loop.call_later(self.header_timeout_s, self._overdue)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        self.resume_writing()
        self._forget_body()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks what uvicorn leaves out
        """A client that closed only its sending side still gets the answer to what it sent completely."""
        waiting = self._phase == _IDLE and self.cycle is not None and not self.cycle.response_complete
        if waiting:
            self.cycle.keep_alive = False
        return waiting

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._raw_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            if self._phase == _HEAD and len(self.headers) > HEADERS_MAX:
                self._refuse_head()
            else:
                self.send_400_response("This is no HTTP request.")
            return
        if self._phase == _IDLE:
            if self._deadline is not None:
                self._stop_deadline()
        elif self._raw_bytes > HEAD_BYTES_MAX + FRAMING_FACTOR * self._body_bytes:
            self._refuse_head()
        elif self._deadline is None:
            timeout_s = self.header_timeout_s if self._phase == _HEAD else self.body_timeout_s
            self._deadline = self.loop.call_later(timeout_s, self._overdue)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._phase = _HEAD

    def on_headers_complete(self) -> None:
        if len(self.headers) > HEADERS_MAX:
            raise ValueError("too many headers")
        if self.parser.should_upgrade():
            self.offered = self.parser.get_method()
            return
        self._phase = _BODY
        if self._deadline is not None:
            self._stop_deadline()
        door = self.doors.get(self.url)
        if door is None or not self._begin_short(door):
            self.begin_long()
            # The task of the request runs later, so that it finds this in its scope.
            self.scope["extensions"] = self.extensions(self.cycle)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase == _HEAD:  # else it is the trailer of a chunked body, which nobody asks for
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        cycle: Any = self.cycle
        if type(cycle) is Request:
            cycle.parts.append(body)
            return
        self._body_bytes += len(body)
        LimitedProtocol.buffered_bytes += len(body)
        if cycle.response_complete:
            return
        cycle.body += body
        roomy = LimitedProtocol.buffered_bytes < WINDOWS_TOTAL_BYTES
        if len(cycle.body) > (WINDOW_BYTES if roomy else WINDOW_LOW_BYTES):
            self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self.offered is not None:
            return
        self._phase = _IDLE
        self._raw_bytes = 0
        if self._body_bytes:
            self._forget_body()
        cycle: Any = self.cycle
        if type(cycle) is Request:
            self.end_short(cycle)
        else:
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        if self.flow is not None:
            super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(WhodidError("invalid", msg, "Speak HTTP/1.1 here; if this is an https address, use http."))

    def extensions(self, cycle: RequestResponseCycle) -> dict[str, Any]:
        return {AT_ONCE: partial(self._answer_at_once, cycle)}

    def _begin_short(self, door: AtOnce) -> bool:
        """Whether the request whose head has come goes the short way; its body's room is reserved then."""
        request = self.short_request(door)
        if request is None or LimitedProtocol.buffered_bytes + request.length > WINDOWS_TOTAL_BYTES:
            return False
        self.cycle = request  # type: ignore[assignment]  # has what uvicorn asks of a cycle
        self._body_bytes = request.length
        LimitedProtocol.buffered_bytes += request.length
        return True

    def _answer_at_once(self, cycle: RequestResponseCycle, answer: bytes) -> bool:
        """Write a whole answer, head and body; False if this answer needs more than that."""
        if cycle.disconnected:
            return True
        if self.flow.write_paused or not cycle.keep_alive or self.server_state.default_headers:
            return False
        cycle.response_started = cycle.response_complete = True
        self.transport.write(answer)
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _stay_with_http(self, rest: bytes) -> None:
        """Read a request again without its offer to speak another protocol (h2c, websocket), which ends the parser."""
        method, self.offered = self.offered or b"", None
        if method == b"CONNECT":
            self.send_400_response("This server is no proxy.")
            return
        version = self.parser.get_http_version().encode()
        head = b"".join(b"%b: %b\r\n" % pair for pair in self.headers if pair[0] not in _OFFER)
        request = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, head)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._raw_bytes = 0
        self.data_received(request + rest)

    def _overdue(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._phase == _BODY and self.flow.read_paused and answering:
            # It is us who do not read; the client is not to blame.
            self._deadline = self.loop.call_later(self.body_timeout_s, self._overdue)
        elif self._phase == _BODY:
            what = f"The body did not arrive within {self.body_timeout_s * 1000:,.0f} ms."
            self._refuse(WhodidError("timeout", what, "Send it again, in smaller parts if the network is slow."))
        elif answering:
            self._deadline = self.loop.call_later(self.header_timeout_s, self._overdue)
        else:
            what = f"No whole request head arrived within {self.header_timeout_s * 1000:,.0f} ms."
            self._refuse(WhodidError("timeout", what, "Connect when there is something to send."))

    def _refuse_head(self) -> None:
        self._refuse(
            WhodidError(
                "too_large",
                f"The request's head is over {HEAD_BYTES_MAX:,} bytes or {HEADERS_MAX} headers.",
                "Send fewer and shorter headers.",
            )
        )

    def _refuse(self, error: WhodidError) -> None:
        """Answer with an error if nothing else is being answered, and close."""
        self._stop_deadline()
        cycle = self.cycle
        in_answer = cycle is not None and cycle.response_started and not cycle.response_complete
        done_early = self._phase == _BODY and cycle is not None and cycle.response_complete
        if not in_answer and not done_early and not self.pipeline:
            self.transport.write(_raw_answer(error))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_body(self) -> None:
        LimitedProtocol.buffered_bytes -= self._body_bytes
        self._body_bytes = 0


def limited_protocol(config: Config, doors: Mapping[bytes, AtOnce] | None = None) -> type[LimitedProtocol]:
    """The protocol class with the limits of a Config, for uvicorn's `http=`; `doors` by their paths: see `short`."""
    limits = {
        "connections_max": config.connections_max,
        "header_timeout_s": config.header_timeout_ms / 1000,
        "body_timeout_s": config.body_timeout_ms / 1000,
        "doors": doors or {},
    }
    return type("ConfiguredProtocol", (LimitedProtocol,), limits)


def _raw_answer(error: WhodidError) -> bytes:
    identifier = request_id(None)
    body = msgspec.json.encode(error_body(error, identifier))
    head = [
        STATUS_LINE[error.kind.status],
        b"content-type: application/json\r\nconnection: close\r\n",
        b"content-length: %d\r\nx-request-id: %s\r\n" % (len(body), identifier),
    ]
    if error.retry_after_s is not None:
        head.append(b"retry-after: %d\r\n" % error.retry_after_s)
    return b"".join((*head, b"\r\n", body))
