"""Frames as Kafka's records: a request's events parted by key, and numbered by their record's offset.

The value of a record is a frame as the disk journal writes it. On its way to the store its running number becomes
`offset * SEQ_STEP + 1` and its receiver the partition's name, so that every stored event tells which record holds it:
`(seq - 1) // SEQ_STEP` is the offset, `(seq - 1) % SEQ_STEP` the place in it.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct
from xxhash import xxh3_64_hexdigest

from whodid.event import Rejection
from whodid.journal import frame
from whodid.journal.base import Draft

SEQ_STEP: Final = 10_000

_HEAD: Final = re.compile(
    rb'\{"sum":"[0-9a-f]{16}","seq":[0-9]{1,19},("count":[0-9]{1,10},"rejected":[0-9]{1,10},"received_at":"[^"]{1,40}",)'
    rb'"receiver":"[^"]{1,200}",'
)
_RAWS: Final = msgspec.json.Decoder(list[Raw])


class _Entity(Struct, gc=False):
    type: str
    id: str


class _Keyed(Struct, gc=False):
    user: str | None = None
    session: str | None = None
    node: str | None = None


class _Touching(Struct, gc=False):
    entities: list[_Entity] = []


_KEYED: Final = msgspec.json.Decoder(list[_Keyed])
_TOUCHING: Final = msgspec.json.Decoder(list[_Touching])


class Part(NamedTuple):
    """Some events of a draft, all for one partition; `key` is theirs where the whole draft has only one."""

    partition: int
    key: bytes | None
    events: bytes
    events_count: int


def parts_of(draft: Draft, key: str, partitions: int, turn: int, bytes_max: int) -> Iterator[Part]:
    """The events of a draft by partition, in order, in parts of at most `SEQ_STEP` events and `bytes_max` bytes.

    key   user, entity, session, node or none. Events without go to the partition whose turn it is.
    turn  any number that goes on with each draft.
    """
    usual = turn % partitions
    keys = _keys(draft.events, key) if key != "none" and draft.count else []
    places = {one: usual if one is None else _partition(one, partitions) for one in set(keys)}
    wanted = set(places.values())
    if len(wanted) <= 1 and draft.count <= SEQ_STEP and len(draft.events) <= bytes_max:
        single = next(iter(places)) if len(places) == 1 else None
        yield Part(wanted.pop() if wanted else usual, single.encode() if single else None, draft.events, draft.count)
        return
    groups: dict[int, list[Raw]] = {}
    raws = _RAWS.decode(draft.events)
    for raw, one in zip(raws, keys or [None] * len(raws), strict=True):
        groups.setdefault(places.get(one, usual), []).append(raw)
    for place, group in sorted(groups.items()):
        is_small = len(group) <= SEQ_STEP and len(draft.events) <= bytes_max
        for some in [group] if is_small else _bounded(group, bytes_max):
            yield Part(place, None, b"[" + b",".join(some) + b"]", len(some))


def rejects_of(rejects: Sequence[Rejection], bytes_max: int) -> Iterator[Sequence[Rejection]]:
    """Rejections in parts that fit into a record."""
    some: list[Rejection] = []
    size_bytes = 0
    for reject in rejects:
        size = len(msgspec.json.encode(reject)) + 1
        if some and size_bytes + size > bytes_max:
            yield some
            some, size_bytes = [], 0
        some.append(reject)
        size_bytes += size
    if some:
        yield some


def renumbered(value: bytes, offset: int, stream: bytes) -> bytes | None:
    """A record's frame as the line of its place in a partition; None when it is no frame.

    stream  the partition's name as JSON.
    """
    header = frame.verify(value)
    found = _HEAD.match(value) if header is not None else None
    if header is None or found is None or header.events_count > SEQ_STEP or b"\n" in value:
        return None
    summed = b'"seq":%d,%b"receiver":%b,%b' % (offset * SEQ_STEP + 1, found[1], stream, value[found.end() :])
    return b'{"sum":"%b",%b\n' % (xxh3_64_hexdigest(summed).encode(), summed)


def apology(value: bytes | None, message: str, source: str, offset: int, stream: bytes, at: datetime) -> bytes:
    """A line in the place of a record that is no frame: a rejection that keeps it and says why."""
    raw = (value or b"")[: Rejection.RAW_BYTES_MAX]
    try:
        kept, encoding = raw.decode(), "utf-8"
    except UnicodeDecodeError:
        kept, encoding = base64.b64encode(raw).decode(), "base64"
    reject: Any = {"raw": kept, "raw_encoding": encoding, "raw_size_bytes": len(value or b"")}
    rejection = Rejection(index=0, code="invalid", message=message, source=source, **reject)
    prepared = frame.prepare(Draft(received_at=at, rejects=[rejection]), stream)
    return b"".join(frame.number(prepared, offset * SEQ_STEP + 1))


def offset_of(line: bytes | memoryview) -> int:
    """The offset of the record that a verified line is of."""
    header = frame.verify(line)
    assert header is not None
    return (header.seq - 1) // SEQ_STEP


def _keys(events: bytes, key: str) -> Sequence[str | None]:
    if key == "entity":
        touching = _TOUCHING.decode(events)
        return [f"{one.entities[0].type}:{one.entities[0].id}" if one.entities else None for one in touching]
    return [getattr(one, key) or None for one in _KEYED.decode(events)]


@lru_cache(maxsize=100_000)
def _partition(key: str, partitions: int) -> int:
    """As librdkafka's partitioner `consistent` chooses."""
    return zlib.crc32(key.encode()) % partitions


def _bounded(raws: Sequence[Raw], bytes_max: int) -> Iterator[Sequence[Raw]]:
    some: list[Raw] = []
    size_bytes = 0
    for raw in raws:
        size = len(memoryview(raw)) + 1
        if some and (size_bytes + size > bytes_max or len(some) == SEQ_STEP):
            yield some
            some, size_bytes = [], 0
        some.append(raw)
        size_bytes += size
    if some:
        yield some
