"""One frame, one line: writing it by putting bytes together, and telling a whole one from a damaged one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from xxhash import xxh3_64, xxh3_64_hexdigest

from whodid.errors import WhodidError
from whodid.event import Event, Provenance, Rejection
from whodid.journal.base import Draft, Frame

START: Final = b'{"sum":"'
"""What every frame begins with. Inside a frame it can only begin an object of a sender's parameters."""

_SUM = slice(8, 24)
_SUMMED = slice(26, None)
_HEADER = re.compile(
    rb'\{"sum":"[0-9a-f]{16}","seq":([0-9]{1,19}),"count":([0-9]{1,10}),"rejected":([0-9]{1,10}),"received_at":"'
)


class Prepared(NamedTuple):
    """A frame but for its number and its sum. `events` stays the caller's bytes: nothing is copied while it waits."""

    head: bytes
    events: bytes
    tail: bytes
    events_count: int
    rejects_count: int
    size_bytes: int


class Header(NamedTuple):
    """The numbers of a frame whose sum is right."""

    seq: int
    events_count: int
    rejects_count: int = 0


class _Line(Struct, kw_only=True):
    sum: str
    seq: int
    count: int
    received_at: datetime
    receiver: str
    format: str
    events: list[Event]
    key_id: str | None = None
    orig_address: str | None = None
    rejects: list[Rejection] = []


_decoder = msgspec.json.Decoder(_Line)
_text = msgspec.json.encode


def prepare(draft: Draft, receiver: bytes) -> Prepared:
    """Everything of a draft's frame that can be written before its number is known.

    receiver  the receiver's id as JSON.
    Raises    WhodidError("invalid")  permanent: the draft breaks its contract (see `Draft`).
    """
    events = draft.events
    if draft.received_at.tzinfo is None or b"\n" in events or events[:1] != b"[" or events[-1:] != b"]":
        raise WhodidError(
            "invalid",
            "A draft's events have to be a JSON array on one line, and its received_at has to have a zone.",
        )
    fields = [
        b'"count":%d,"rejected":%d,"received_at":%b,"receiver":%b,"format":%b,'
        % (draft.count, len(draft.rejects), _text(draft.received_at.astimezone(UTC)), receiver, _text(draft.format))
    ]
    if draft.key_id is not None:
        fields.append(b'"key_id":%b,' % _text(draft.key_id))
    if draft.orig_address is not None:
        fields.append(b'"orig_address":%b,' % _text(draft.orig_address))
    fields.append(b'"events":')
    head = b"".join(fields)
    tail = b',"rejects":%b}\n' % _text(draft.rejects) if draft.rejects else b"}\n"
    return Prepared(head, events, tail, draft.count, len(draft.rejects), len(head) + len(events) + len(tail))


def number(prepared: Prepared, seq: int) -> tuple[bytes, bytes, bytes, bytes]:
    """The finished line in pieces."""
    numbered = b'"seq":%d,' % seq
    total = xxh3_64(numbered)
    total.update(prepared.head)
    total.update(prepared.events)
    total.update(prepared.tail[:-1])
    start = b'{"sum":"%b",%b' % (total.hexdigest().encode(), numbered)
    return start, prepared.head, prepared.events, prepared.tail


def verify(line: bytes | memoryview) -> Header | None:
    """The header of a line (without its line break), or None if a bit of it is not as it was written."""
    return header(line) if line[_SUM] == xxh3_64_hexdigest(line[_SUMMED]).encode() else None


def header(line: bytes | memoryview) -> Header | None:
    """The header of a line whose bytes are known to be right."""
    found = _HEADER.match(line)
    return Header(int(found[1]), int(found[2]), int(found[3])) if found else None


def decode(line: bytes) -> Frame:
    """Read a verified line.

    Raises
    ------
    msgspec.MsgspecError
        It is not a frame, or holds what is no valid event.
    """
    read = _decoder.decode(line)
    provenance = Provenance(
        received_at=read.received_at,
        receiver=read.receiver,
        format=read.format,
        key_id=read.key_id,
        orig_address=read.orig_address,
    )
    return Frame(provenance=provenance, seq=read.seq, events=read.events, rejects=read.rejects)
