"""The native format: events as whodid speaks them, in an HTTP body or in a file.

What is strict (see `strict.py`) is taken as the sender wrote it. Everything else is read event by event; a bad event
rejects itself and never its neighbours. Odd but readable input is read like this, without loss:

====================================  ====================================================================
input                                 reading
====================================  ====================================================================
no id · an id that is no UUID         a fresh UUID v7 · a UUID v5 of it, the original in `foreign_id`
no time · epoch s, ms, µs, ns         the time of receipt · that instant
another offset than UTC               the same instant in UTC
unknown field                         a parameter; if there is one of that name, as `event.NAME`
`received_at`, `key_id`, `seq`, …     the parameter `origin`: a sender does not write provenance
parameters that are no object         the parameter `value`
NUL in a string                       "␀" (U+2400)
half a surrogate pair                 its escape as text, `\\ud83d`
a key twice                           the last one counts, wherever the event is read
a number beyond 64 bits               its exact text; from 1e±1000 or 1,000 digits on as a string
a byte-order mark                     passed over
====================================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from msgspec import Raw

from whodid.errors import WhodidError
from whodid.event import REQUEST_EVENTS_MAX, Event, Rejection
from whodid.formats.base import Decoded, Span
from whodid.formats.careful import careful_event
from whodid.formats.rejecting import Unreadable, rejection
from whodid.formats.repeats import Repeats
from whodid.formats.strict import strict_array, strict_events, strict_ids, strict_lines
from whodid.formats.text import BYTE_ORDER_MARK, elements

Media = Literal["json", "ndjson"]

_BYTES_AT_ONCE: Final = 128 * 1024
_GROUP: Final = 32
_LARGE_BYTES_MIN: Final = 128 * 1024
_NOWHERE: Final = {None}


def decode_body(body: bytes, media: Media, *, received_at: datetime | None = None, looked_at: bool = True) -> Decoded:
    """Read the body of a request.

    body         one object or an array ("json"), or one object a line ("ndjson"); decompressed.
    received_at  the time of events that do not say their own; now by default.
    looked_at    False when nobody is going to look at the events, but at their ids and at those that name a node: a
                 large body takes less then.
    Returns      Decoded; a rejection's `index` counts the events of the body from 0, blank lines left out.

    Raises
    ------
    WhodidError("too_large")
        More than `REQUEST_EVENTS_MAX` events: permanent, send them in parts.
    WhodidError("invalid")
        There is nothing in a body that says it is JSON.
    """
    payload = array_of(body, media)
    if payload is not None and not looked_at and len(payload) > _LARGE_BYTES_MIN:
        ids = strict_ids(payload, takes=_name_no_node)
        if ids is not None:
            _check_count(len(ids))
            return Decoded(payload=payload, ids=ids)
    read = strict_array(payload) if payload is not None else None
    if read is not None and len(distinct := set(read.ids)) == len(read.ids):
        _check_count(len(distinct))
        return Decoded(events=read.events, payload=payload, ids=distinct)
    bare = _bare(body)
    if not bare and media == "json":
        raise WhodidError("invalid", "The body is empty.", "Send an event, an array of events, or one event a line.")
    pieces = list(_pieces(bare, media))
    _check_count(len(pieces))
    return decode_pieces(pieces, received_at=received_at)


def _check_count(count: int) -> None:
    if count > REQUEST_EVENTS_MAX:
        raise WhodidError(
            "too_large",
            f"The request holds {count:,} events; {REQUEST_EVENTS_MAX:,} are the limit.",
            "Send them in several requests.",
        )


def _bare(body: bytes) -> bytes:
    return body.removeprefix(BYTE_ORDER_MARK).strip(b" \t\r\n")


def _name_no_node(events: list[Event]) -> bool:
    return {event.node for event in events} == _NOWHERE


def array_of(body: bytes, media: Media) -> bytes | None:
    """A body as one JSON array, if it begins like one, or has an object on each line; else None."""
    body = _bare(body)
    if media == "json" and body.startswith(b"["):
        return body
    if not body.startswith(b"{"):
        return None
    lines = (body.replace(b"\r\n", b"\n") if b"\r" in body else body).split(b"\n")
    # Every line has to be an object's: then no line break is inside of one.
    if {line[:1] for line in lines} != {b"{"} or {line[-1:] for line in lines} != {b"}"}:
        return None
    return b"[%b]" % b",".join(lines)


def _pieces(body: bytes, media: Media) -> Iterator[bytes]:
    if media == "json":
        if body.startswith(b"["):
            yield from _array_pieces(body)
            return
        if not _is_several_lines(body):
            yield body
            return
    yield from filter(None, (line.strip() for line in body.split(b"\n")))


def _array_pieces(body: bytes) -> Iterable[bytes]:
    try:
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[Raw])]
    except (msgspec.DecodeError, RecursionError):
        return elements(body)


def _is_several_lines(body: bytes) -> bool:
    """Whether a body that says it is JSON is one object a line instead: a common mix-up of content types."""
    first, _, rest = body.partition(b"\n")
    if not rest:
        return False
    try:
        msgspec.json.decode(first, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def decode_pieces(
    pieces: Sequence[bytes],
    *,
    received_at: datetime | None = None,
    lines: Sequence[int] | None = None,
    repeats: Repeats | None = None,
) -> Decoded:
    """Read events one by one; `lines` are their line numbers in the file they came from.

    With `repeats` an event without id gets one from its text, so that a file may be read again.
    """
    default_time = received_at or datetime.now(UTC)
    events: list[Event] = []
    parts: list[bytes] = []
    rejects: list[Rejection] = []
    seen: dict[str, int] = {}
    strict = _strict_groups(pieces)
    for index, raw in enumerate(pieces):
        try:
            event, part = strict.get(index) or _one(raw, default_time, repeats)
            first = seen.setdefault(event.id, index)
            if first != index:
                raise Unreadable("duplicate", f"The id {event.id} is that of event {first} of the same input.")
        except Unreadable as why:
            rejects.append(rejection(raw, why, index=index, line=lines[index] if lines else None))
            continue
        events.append(event)
        parts.append(part)
    return Decoded(events=events, payload=b"[%b]" % b",".join(parts), rejects=rejects)


def _strict_groups(pieces: Sequence[bytes]) -> dict[int, tuple[Event, bytes]]:
    """Pieces by their index that are strict, found in groups: most neighbours of a bad one are as good as ever."""
    found: dict[int, tuple[Event, bytes]] = {}
    for start in range(0, len(pieces), _GROUP):
        group = pieces[start : start + _GROUP]
        if {raw[:1] + raw[-1:] for raw in group} != {b"{}"}:
            continue
        events = strict_events(b"[%b]" % b",".join(group))
        if events is not None and len(events) == len(group):
            found.update(zip(range(start, start + len(group)), zip(events, group, strict=True), strict=True))
    return found


def _one(raw: bytes, default_time: datetime, repeats: Repeats | None) -> tuple[Event, bytes]:
    strict = strict_events(b"[%b]" % raw) if raw.startswith(b"{") else None
    if strict is not None and len(strict) == 1:
        return strict[0], raw
    digest = repeats.digests([raw])[0] if repeats is not None else None
    event = careful_event(raw, default_time=default_time, digest=digest)
    return event, msgspec.json.encode(event)


class NativeDecoder:
    """Reads files of events, one JSON object a line; those without id are known by their text and its repetitions."""

    name = "native"

    def __init__(self) -> None:
        self._repeats = Repeats()

    def decode(self, lines: bytes, *, first_line: int = 1) -> Decoded:
        """Events and rejections of whole lines; see `Decoder.decode`."""
        if first_line == 1:
            lines = lines.removeprefix(BYTE_ORDER_MARK)
        return _parts_at_once(lines) or self._one_by_one(lines.removesuffix(b"\n").split(b"\n"), first_line)

    def _one_by_one(self, lines: list[bytes], first_line: int) -> Decoded:
        numbered = [(number, text) for number, line in enumerate(lines, first_line) if (text := line.strip())]
        return decode_pieces(
            [text for _, text in numbered], lines=[number for number, _ in numbered], repeats=self._repeats
        )

    def state(self) -> bytes:
        return self._repeats.state()

    def restore(self, state: bytes) -> None:
        self._repeats.restore(state)


def _parts_at_once(lines: bytes) -> Decoded | None:
    """Lines that are all strict, read in parts that stay in the processor's cache; else None."""
    span = Span(topics={})
    seen: set[str] = set()
    count = start = 0
    lines = lines if lines.endswith(b"\n") else lines + b"\n"
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + _BYTES_AT_ONCE) + 1
        read = strict_lines(lines[start:end]) if end else None
        if read is None or not read.events:
            return None
        events = read.events
        count += len(events)
        seen.update(read.ids)
        span.add([event.topic for event in events], [event.time for event in events])
        start = end
    if len(seen) != count:
        return None
    # All lines at once: buffers for each part would be given back to the system and taken anew.
    payload = b"".join((b"[", memoryview(lines.replace(b"\n", b","))[:-1], b"]"))
    return Decoded(payload=payload, count=count, span=span)


class NativeEncoder:
    """Writes events, one JSON object a line, in UTC with "Z"; what has its default is left out."""

    name = "native"

    def encode(self, events: Sequence[Event], formats: Sequence[str] = ()) -> bytes:
        return b"".join([msgspec.json.encode(event) + b"\n" for event in events])
