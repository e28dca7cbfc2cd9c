"""A file's blocks as what the journal takes, with all that its reader wants to know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from whodid.datasets.blocks import Block, Place, blocks
from whodid.datasets.opened import Opened
from whodid.datasets.pipeline import ahead
from whodid.event import EVENT_BYTES_MAX, REQUEST_EVENTS_MAX, Rejection
from whodid.formats.base import Decoded, Decoder, Span
from whodid.formats.rejecting import Unreadable, rejection


class Portion(Struct, kw_only=True):
    """What one block of a file became.

    payloads    JSON arrays of at most `REQUEST_EVENTS_MAX` events, and how many events each holds.
    span        of all its events.
    end         the place behind it.
    whole       False for a last line without its line break: it may still grow.
    state       what the decoder needs to go on behind it.
    bytes_read  how many bytes of the stored (compressed) file were read up to here.
    """

    payloads: Sequence[tuple[bytes, int]]
    span: Span
    rejects: Sequence[Rejection]
    end: Place
    whole: bool
    state: bytes
    bytes_read: int

    @property
    def count(self) -> int:
        return sum(count for _, count in self.payloads)


def portions(opened: Opened, place: Place, decoder: Decoder, *, final: bool) -> Iterator[Portion]:
    """Read and decode a file, which stands at `place`, to its end.

    final  False leaves out a last line without its line break.

    Raises
    ------
    OSError, WhodidError
        The rest of the file cannot be read.
    """
    found = blocks(opened.stream, place)
    for block in found if opened.is_quick else ahead(found):
        if not block.whole and not final:
            return
        decoded = _too_long(block) if block.too_long_bytes else decoder.decode(block.data, first_line=block.first_line)
        yield Portion(
            payloads=payloads(decoded),
            span=decoded.span,
            rejects=decoded.rejects,
            end=block.end,
            whole=block.whole,
            state=decoder.state(),
            bytes_read=opened.bytes_read(block.end.offset_bytes),
        )


def payloads(decoded: Decoded) -> Sequence[tuple[bytes, int]]:
    """What was decoded as arrays of at most `REQUEST_EVENTS_MAX` events."""
    if decoded.count <= REQUEST_EVENTS_MAX:
        return [(decoded.payload, decoded.count)] if decoded.count else []
    starts = range(0, decoded.count, REQUEST_EVENTS_MAX)
    parts = [decoded.events[start : start + REQUEST_EVENTS_MAX] for start in starts]
    return [(msgspec.json.encode(part), len(part)) for part in parts]


def _too_long(block: Block) -> Decoded:
    message = f"The line is {block.too_long_bytes:,} bytes long; an event may have {EVENT_BYTES_MAX:,}."
    reject = rejection(block.data, Unreadable("too_large", message), index=0, line=block.first_line)
    reject.raw_size_bytes = block.too_long_bytes
    return Decoded(rejects=[reject])
