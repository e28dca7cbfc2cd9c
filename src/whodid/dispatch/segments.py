"""The kept segments of the journal as sources of deliveries: what range each holds, and which of it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from whodid.dispatch import stored
from whodid.dispatch.delivery import Part, Run
from whodid.errors import WhodidError
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

    clean  all of it is known to be stored: then its first and its last frame tell enough. Else every frame is looked
           at and the store is asked. Raises as `Store.query` and OSError.
    """
    path, count = batch.path, batch.count
    first = last = 0
    received_at = None
    left_out: tuple[int, ...] = ()
    if path is not None and count:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            first, received_at = next(
                (held[0], _LINES.decode(text).received_at) for text in file if (held := _held(text))
            )
            last = next(held[-1] for at in _starts_backwards(data) if (held := _held(data, at)))
        if not clean:
            with path.open("rb") as file:
                left_out = stored.missing(store, batch.receiver, [held for text in file if (held := _held(text))])
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


def _starts_backwards(data: mmap) -> Iterator[int]:
    """Where the lines of a file begin, the last one first; what lies before those asked for is not read."""
    start = len(data)
    while start:
        start = data.rfind(b"\n", 0, start - 1) + 1
        yield start


def _held(data: bytes | mmap, start: int = 0) -> range:
    """The numbers of the events of the frame that begins there: they stand at its beginning."""
    found = _HEADER.match(data, start)
    if found is None:
        raise WhodidError("internal", f"Byte {start} of a verified segment begins no frame.", "Please report it.")
    return range(int(found[1]), int(found[1]) + int(found[2]))


def _provenance(line: _Line) -> Provenance:
    return Provenance(
        received_at=line.received_at,
        receiver=line.receiver,
        format=line.format,
        key_id=line.key_id,
        orig_address=line.orig_address,
    )
