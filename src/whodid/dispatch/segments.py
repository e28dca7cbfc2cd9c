"""The kept segments of the journal as sources of deliveries: what range each holds, and which of it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from whodid.dispatch import stored
from whodid.dispatch.delivery import Part, Run
from whodid.event import Provenance
from whodid.journal.base import Batch
from whodid.stores.base import Store

_HEADER: Final = re.compile(rb'\{"sum":"[0-9a-f]{16}","seq":([0-9]+),"count":([0-9]+),')
_RAWS: Final = msgspec.json.Decoder(list[Raw])


class _Line(Struct, kw_only=True, gc=False):
    seq: int
    count: int
    received_at: datetime
    receiver: str
    format: str
    events: Raw
    key_id: str | None = None
    orig_address: str | None = None


_LINES: Final = msgspec.json.Decoder(_Line)


class Segment(Struct, kw_only=True):
    """A kept batch: `first` to `last` are the numbers of its `count` events; `left_out` those that are not stored."""

    number: int
    receiver: str
    path: Path | None
    first: int
    last: int
    count: int
    size_bytes: int
    received_at: datetime | None
    left_out: tuple[int, ...] = ()

    @property
    def events(self) -> int:
        """How many of them are stored."""
        return self.count - len(self.left_out)

    def run(self, after: int) -> Run:
        """Its events behind `after`, which lies before its end."""
        whole = after < self.first
        return Run(
            receiver=self.receiver,
            first=after + 1,
            last=self.last,
            parts=lambda: parts_of(self.path),
            path=self.path if whole else None,
            left_out=self.left_out,
            events=self.count,
            files=() if self.path is None else (self.path,),
        )


def parts_of(path: Path | None) -> Iterator[Part]:
    """The events of a segment's file, frame by frame."""
    if path is None:
        return
    with path.open("rb") as file:
        for text in file:
            line = _LINES.decode(text)
            if line.count:
                yield Part(_provenance(line), range(line.seq, line.seq + line.count), _RAWS.decode(line.events))


def survey(batch: Batch, store: Store, *, clean: bool) -> Segment:
    """What a kept batch holds.

    clean  all of it is known to be stored; else the store is asked. Raises as `Store.query` and OSError.
    """
    first = last = count = 0
    received_at = None
    path = batch.path
    ranges: list[range] = []
    if path is not None:
        with path.open("rb") as file:
            for text in file:
                seq, events = _numbers(text)
                if events:
                    ranges.append(range(seq, seq + events))
                    received_at = received_at or _LINES.decode(text).received_at
    if ranges:
        first, last, count = ranges[0][0], ranges[-1][-1], sum(map(len, ranges))
    left_out = () if clean or not count else stored.missing(store, batch.receiver, ranges)
    return Segment(
        number=batch.number,
        receiver=batch.receiver,
        path=path,
        first=first,
        last=last,
        count=count,
        size_bytes=batch.size_bytes,
        received_at=received_at,
        left_out=left_out,
    )


def _numbers(text: bytes) -> tuple[int, int]:
    """The number of a frame's first event, and how many there are: from its beginning, where it always stands."""
    found = _HEADER.match(text)
    if found:
        return int(found[1]), int(found[2])
    line = _LINES.decode(text)
    return line.seq, line.count


def _provenance(line: _Line) -> Provenance:
    return Provenance(
        received_at=line.received_at,
        receiver=line.receiver,
        format=line.format,
        key_id=line.key_id,
        orig_address=line.orig_address,
    )
