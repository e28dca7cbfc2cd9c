"""A stream of bytes as blocks of whole lines, in bounded memory whatever the length of a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import xxhash
from msgspec import Struct

from whodid.formats.text import line_breaks

BLOCK_BYTES: Final = 4 * 1024 * 1024
BLOCK_BYTES_MIN: Final = 64 * 1024
BLOCK_LINES_AIM: Final = 8_000
LINE_HEAD_BYTES: Final = 64 * 1024
TAIL_BYTES: Final = 1024


class Place(Struct, kw_only=True, frozen=True):
    """How far a stream was read: bytes and whole lines before this place, and the last bytes before it."""

    offset_bytes: int = 0
    lines: int = 0
    tail: bytes = b""

    def after(self, data: bytes, lines: int) -> Place:
        """The place behind `data`, which holds `lines` line breaks."""
        tail = data[-TAIL_BYTES:] if len(data) >= TAIL_BYTES else (self.tail + data)[-TAIL_BYTES:]
        return Place(offset_bytes=self.offset_bytes + len(data), lines=self.lines + lines, tail=tail)


class Block(Struct, kw_only=True):
    """Whole lines, or one line that is too long.

    data        the lines; of a line that is too long only its first `LINE_HEAD_BYTES`.
    first_line  number of the first of them, from 1.
    end         the place behind them.
    whole       False for the last line of a stream when it lacks its line break: it may still grow.
    too_long_bytes  the full length of a line that is too long; 0 for whole lines.
    """

    data: bytes
    first_line: int
    end: Place
    whole: bool = True
    too_long_bytes: int = 0


def blocks(stream: BinaryIO, start: Place = Place(), *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:  # noqa: B008 (a constant)
    """The rest of `stream`, which stands at `start`, block by block.

    A line longer than two blocks is passed over without being held, and comes as a block with `too_long_bytes`.
    Blocks hold about `BLOCK_LINES_AIM` lines, so that their events mostly fit into one frame of the journal.
    """
    place, rest, size_bytes = start, b"", min(block_bytes, 1024 * 1024)
    while True:
        chunk = stream.read(size_bytes)
        data = rest + chunk if rest else chunk
        cut = data.rfind(b"\n") + 1
        data, rest = data[:cut], data[cut:]
        if cut:
            lines = line_breaks(data)
            end = place.after(data, lines)
            yield Block(data=data, first_line=place.lines + 1, end=end)
            place = end
            size_bytes = min(block_bytes, max(BLOCK_BYTES_MIN, cut * BLOCK_LINES_AIM // lines))
        if not chunk:
            break
        if len(rest) > block_bytes:
            too_long, rest = _too_long(stream, place, rest)
            yield too_long
            place = too_long.end
    if rest:
        yield Block(data=rest, first_line=place.lines + 1, end=place.after(rest, 0), whole=False)


def _too_long(stream: BinaryIO, place: Place, begun: bytes) -> tuple[Block, bytes]:
    """Pass over a line that began with `begun`; returns its block and what was read of the lines behind it."""
    first_line, head, length = place.lines + 1, begun[:LINE_HEAD_BYTES], len(begun)
    place = place.after(begun, 0)
    while chunk := stream.read(1024 * 1024):
        cut = chunk.find(b"\n") + 1
        if cut:
            end = place.after(chunk[:cut], 1)
            return Block(data=head, first_line=first_line, end=end, too_long_bytes=length + cut - 1), chunk[cut:]
        place, length = place.after(chunk, 0), length + len(chunk)
    return Block(data=head, first_line=first_line, end=place, whole=False, too_long_bytes=length), b""


def digest(data: bytes) -> bytes:
    """16 bytes by which a piece of a file is known again."""
    return xxhash.xxh3_128_digest(data)
