"""Audit data of Dataiku DSS, in the four wrappings it comes in.

An event keeps everything: its parameters are the text of the original event, and what the envelope says besides is
the parameter `dss` (`event.dss` where the event has a `dss` of its own). Odd but readable input is read like this:

===================================  =====================================================================
input                                reading
===================================  =====================================================================
no id                                a UUID v8 of the time and the line; the n-th of identical lines (among
                                     the last `WINDOW_LINES` different ones) is an event of its own
bytes that are not UTF-8             their escapes as text, `\\xff`
NUL, half a surrogate pair, numbers  as in the native format
an event without `msgType`           type `apicall`
the clock of an API node's file      taken as UTC, as its literal "Z" says
another envelope than the file's     read as what it is
===================================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.event import EVENT_BYTES_MAX, Rejection
from whodid.formats.base import Decoded, Span
from whodid.formats.careful import careful_event
from whodid.formats.dss_element import elements
from whodid.formats.dss_envelope import BARE, Envelope, EventServer, Log4j, loose_message, spliced_parameters
from whodid.formats.dss_fields import Diagnostics, Message
from whodid.formats.rejecting import Unreadable, rejection
from whodid.formats.repeats import Repeats
from whodid.formats.strict import lines_are_plain, parameters_are_strict, strict_events
from whodid.formats.text import (
    BYTE_ORDER_MARK,
    check_depth,
    readable_bytes,
    readable_escapes,
    storable_numbers,
)

# So many lines and what is made of them stay in the processor's cache.
_LINES_AT_ONCE: Final = 192
_PARTS: Final = 8

_MESSAGES: Final = msgspec.json.Decoder(list[Message])
_LOG4J: Final = msgspec.json.Decoder(Log4j)
_EVENT_SERVER: Final = msgspec.json.Decoder(EventServer)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])


_ENVELOPES: Final[dict[str, tuple[Any, bytes]]] = {
    "dss-log4j": (_LOG4J, b'"message"'),
    "dss-apinode": (_LOG4J, b'"message"'),
    "dss-event-server": (_EVENT_SERVER, b'"clientEvent"'),
    "dss-bare": (None, b""),
}
# The layout of an API node's queries, what Python wrote again, and as DSS writes them: a part of the one before.
_COLONS: Final = (b" : ", b": ", b":")


class DssDecoder:
    """Reads lines of one of the formats `dss-log4j`, `dss-event-server`, `dss-apinode`, `dss-bare`."""

    def __init__(self, name: str):
        self.name = name
        self._repeats = Repeats()
        self._envelopes, key = _ENVELOPES[name]
        self._keys = [key + colon for colon in _COLONS]

    def decode(self, lines: bytes, *, first_line: int = 1) -> Decoded:
        """Events and rejections of whole lines; see `Decoder.decode`."""
        if first_line == 1:
            lines = lines.removeprefix(BYTE_ORDER_MARK)
        lines = lines.removesuffix(b"\n")
        texts = [line.strip() for line in lines.split(b"\n")]
        numbers: Sequence[int] = range(first_line, first_line + len(texts))
        if b"" in texts:
            numbers = [number for number, text in zip(numbers, texts, strict=True) if text]
            texts = [text for text in texts if text]
        run = _Run(numbers)
        for start in range(0, len(texts), _LINES_AT_ONCE):
            part = texts[start : start + _LINES_AT_ONCE]
            self._read(part, self._repeats.digests(part), start, run)
        return Decoded(parts=run.parts, span=run.span, rejects=run.rejects)

    def state(self) -> bytes:
        """The last different lines and how often each was repeated."""
        return self._repeats.state()

    def restore(self, state: bytes) -> None:
        self._repeats.restore(state)

    def _read(self, texts: list[bytes], digests: list[bytes], start: int, run: _Run) -> None:
        """Read lines at once; if one of them stands in the way, in ever smaller parts until it stands alone."""
        if not texts:
            return
        span = Span(topics={})
        payload = self._read_at_once(texts, digests, span)
        if payload is not None:
            run.add(payload, len(texts))
            run.span.merge(span)
        elif len(texts) == 1:
            run.add_one(texts[0], digests[0], start)
        else:
            step = -(-len(texts) // _PARTS)
            for at in range(0, len(texts), step):
                self._read(texts[at : at + step], digests[at : at + step], start + at, run)

    def _read_at_once(self, texts: list[bytes], digests: list[bytes], span: Span) -> bytes | None:
        """The texts of native events, joined by commas, or None if there is a line in the way."""
        lines = b"\n".join(texts)
        if b"\r" in lines or (b"\\" in lines and b"\\u0000" in lines):
            return None
        parameters: Sequence[Sequence[bytes]] | None = [texts]
        try:
            if not lines.isascii():
                lines.decode()
            if self._envelopes is None:
                envelopes: Sequence[Envelope] = [BARE] * len(texts)
                messages = _MESSAGES.decode(b"[%b]" % b",".join(texts))
            else:
                envelopes = self._envelopes.decode_lines(lines)
                raws = [envelope.message for envelope in envelopes]
                messages = _MESSAGES.decode(b"[%b]" % b",".join(raws))
                parameters = spliced_parameters(texts, self._key_in(texts[0]), raws)
            if parameters is None or [one for one in messages if one.dss is not None]:
                return None
            if not lines_are_plain(texts, lines) and not parameters_are_strict(
                list(map(b"".join, zip(*parameters, strict=True)))
            ):
                return None
            return elements(envelopes, messages, digests, parameters, span)
        except (ValueError, RecursionError, TypeError, Unreadable):
            return None

    def _key_in(self, line: bytes) -> bytes:
        return next((key for key in self._keys if key in line), self._keys[0])


class _Run:
    """What a run of lines has become so far."""

    def __init__(self, numbers: Sequence[int]):
        self.numbers = numbers
        self.parts: list[tuple[bytes, int]] = []
        self.span = Span(topics={})
        self.rejects: list[Rejection] = []

    def add(self, payload: bytes, count: int) -> None:
        self.parts.append((b"[%b]" % payload, count))

    def add_one(self, line: bytes, digest: bytes, index: int) -> None:
        try:
            span = Span(topics={})
            part = mended_element(line, digest, span)
            if strict_events(b"[%b]" % part) is None:
                part = msgspec.json.encode(careful_event(part, default_time=datetime.now(UTC)))
        except Unreadable as why:
            self.rejects.append(rejection(line, why, index=index, line=self.numbers[index]))
            return
        self.add(part, 1)
        self.span.merge(span)


def mended_element(line: bytes, digest: bytes, span: Span) -> bytes:
    """The text of the native event of a line that does not read at once."""
    if len(line) > EVENT_BYTES_MAX:
        raise Unreadable("too_large", f"The line has {len(line):,} bytes; {EVENT_BYTES_MAX:,} are the limit.")
    check_depth(line)
    fields = _object_of(storable_numbers(readable_escapes(readable_bytes(line))))
    if "clientEvent" in fields:
        message = _message_of(fields.pop("clientEvent"))
        envelope: Envelope = EventServer(timestamp=_scalar_of(fields.get("serverTimestamp")))
    elif "message" in fields and "msgType" not in fields:
        message = _message_of(fields.pop("message"))
        envelope = Log4j(timestamp=_scalar_of(fields.get("timestamp")))
    else:
        if "dss" in fields:
            # What it says is the event's own, and there is no envelope.
            fields["event.dss"] = Raw(b"{}")
        text = msgspec.json.encode(fields)
        return elements([BARE], [loose_message(Raw(text))], [digest], [[text]], span)
    envelope.logger = _scalar_of(fields.get("logger"))
    envelope.topic = _scalar_of(fields.get("topic"))
    envelope.call_time = _scalar_of(fields.get("callTime"))
    envelope.mdc = _diagnostics_of(fields.get("mdc"))
    parameters = dict(message)
    parameters["event.dss" if "dss" in message else "dss"] = Raw(msgspec.json.encode(fields))
    text = msgspec.json.encode(parameters)
    return elements([envelope], [loose_message(Raw(msgspec.json.encode(message)))], [digest], [[text]], span)


def _object_of(text: bytes) -> dict[str, Raw]:
    try:
        return _FIELDS.decode(text)
    except msgspec.ValidationError:
        raise Unreadable("not_an_event", "The line is no JSON object.") from None
    except msgspec.DecodeError as error:
        raise Unreadable("not_json", f"{error}.") from None


def _message_of(raw: Raw) -> dict[str, Raw]:
    text = bytes(raw)
    if text.startswith(b'"'):
        text = msgspec.json.decode(text, type=str).encode()
    try:
        return _FIELDS.decode(text)
    except msgspec.DecodeError:
        raise Unreadable("not_an_event", "The line's message is no JSON object.") from None


def _scalar_of(raw: Raw | None) -> object:
    try:
        value = msgspec.json.decode(raw) if raw is not None else None
    except ValueError:
        return None
    return value if isinstance(value, (str, int, float)) else None


def _diagnostics_of(raw: Raw | None) -> Diagnostics | None:
    if raw is None or not bytes(raw).startswith(b"{"):
        return None
    values = _FIELDS.decode(raw)
    return Diagnostics(user=_scalar_of(values.get("user")), api_call=_scalar_of(values.get("apiCall")))
