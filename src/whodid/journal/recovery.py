"""Reading a segment's file with doubt: whole frames here, damage there, a torn tail at the end.

Damage stays within the frames it touched. After a bad line reading goes on at the next line; and because the line
break itself may be what was damaged, or a false one may have come up, every place in a bad line where a frame could
begin is tried before the line is given up. What is found that way must also decode as a frame from its first to its
last byte, which nothing nested in a sender's parameters does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
from xxhash import xxh3_64

from whodid.journal import direct, frame

_BUFFER_BYTES: Final = 4 * 1024 * 1024
# Hashed at once: others wait for the interpreter meanwhile.
_HASHED_BYTES: Final = 1024 * 1024
# Trying every pair of places in a bad line could take for ever on a line made for that: hash at most
# this many times it.
_SALVAGE_FACTOR: Final = 64

NO_HEADER: Final = frame.Header(0, 0)


class Piece(NamedTuple):
    """A run of bytes of a file.

    A `frame` is a whole line, `data` without its break; a `salvaged` one was found in a line that is not whole.
    `damage` is bytes that belong to no whole frame; `torn` is the same at the end of the file, without a line break.
    """

    kind: Literal["frame", "salvaged", "damage", "torn"]
    offset_bytes: int
    size_bytes: int
    data: bytes
    header: frame.Header = NO_HEADER


class Survey(NamedTuple):
    """What a file holds. `seq_next` follows its last whole frame; None when it has none."""

    frames: int
    events: int
    rejects: int
    seq_next: int | None
    damaged_bytes: int
    damaged_bytes_behind: int
    """Damage behind the last whole frame: numbers may have been used there that cannot be read any more."""
    torn_bytes: int
    whole_bytes: int
    """In whole lines, breaks included."""
    intact: bool
    """Whole lines from the first byte to the last."""


class Sum(NamedTuple):
    """What the writer of a file knows of it: the XXH3-64 of all its bytes, and what they hold."""

    digest: bytes
    survey: Survey


def is_of(told: Sum, path: Path) -> bool:
    """Whether a file is, to the last bit, as it was written: quicker to tell than whether each frame is."""
    total = xxh3_64()
    buffer = memoryview(bytearray(_HASHED_BYTES))
    with direct.open_to_read(path) as file:
        while got := file.readinto(buffer):
            total.update(buffer[:got])
    return total.digest() == told.digest


def read_pieces(path: Path) -> Iterator[Piece]:
    """Everything in the file, in order; the pieces together are the file."""
    with path.open("rb", buffering=0) as file:
        for offset, line, ended in _lines(file):
            header = frame.verify(line) if ended else None
            if header is not None:
                yield Piece("frame", offset, len(line) + 1, bytes(line), header)
            else:
                yield from _pieces_of_bad(offset, bytes(line), ended)


def read_frames(path: Path) -> Iterator[tuple[memoryview, frame.Header | None]]:
    """Every line, good until the next is asked for, and its header if it is a whole frame."""
    with path.open("rb", buffering=0) as file:
        for _, line, ended in _lines(file):
            yield line, frame.verify(line) if ended else None


def read_summed(path: Path, total: xxh3_64) -> Iterator[tuple[memoryview, frame.Header | None]]:
    """The same without a look at each sum: all bytes are added to `total`, which tells at the end if they are right."""
    with direct.open_to_read(path) as file:
        for _, line, ended in _lines(file, total):
            yield line, frame.header(line) if ended else None


def survey(path: Path) -> Survey:
    """Count what a file holds."""
    frames = events = rejects = damaged = behind = torn = whole = 0
    seq_next: int | None = None
    intact = True
    with path.open("rb", buffering=0) as file:
        for offset, line, ended in _lines(file):
            header = frame.verify(line) if ended else None
            # Nearly all lines end here; for them this loop is what a restart and the store wait for.
            if header is not None:
                seq, count, rejected = header
                frames += 1
                events += count
                rejects += rejected
                seq_next = seq + count
                behind = 0
                whole += len(line) + 1
                continue
            intact = False
            for piece in _pieces_of_bad(offset, bytes(line), ended):
                if piece.kind == "damage":
                    damaged += piece.size_bytes
                    behind += piece.size_bytes
                elif piece.kind == "torn":
                    torn += piece.size_bytes
                else:
                    frames += 1
                    events += piece.header.events_count
                    rejects += piece.header.rejects_count
                    seq_next = piece.header.seq + piece.header.events_count
                    behind = 0
    return Survey(frames, events, rejects, seq_next, damaged, behind, torn, whole, intact)


def _lines(file: RawIOBase, total: xxh3_64 | None = None) -> Iterator[tuple[int, memoryview, bool]]:
    """Offset, line without its break, and whether it had one. A line is good until the next is asked for.

    All lines share one buffer: a store reads every byte this way, and fresh memory for each line costs more than all
    that is done with it. Whatever is read is added to `total`.
    """
    buffer = bytearray(_BUFFER_BYTES)
    offset = held = 0
    while got := file.readinto(memoryview(buffer)[held:]):
        begin, searched, end = 0, held, held + got
        if total is not None:
            total.update(memoryview(buffer)[held:end])
        while (at := buffer.find(b"\n", searched, end)) >= 0:
            yield offset, memoryview(buffer)[begin:at], True
            offset += at + 1 - begin
            begin = searched = at + 1
        held = end - begin
        rest = memoryview(buffer)[begin:end]
        if held == len(buffer):
            buffer = bytearray(2 * len(buffer))
        buffer[:held] = rest
    if held:
        yield offset, memoryview(buffer)[:held], False


def _pieces_of_bad(offset: int, line: bytes, ended: bool) -> Iterator[Piece]:
    """A line that is no whole frame, split into the frames in it and the bytes that belong to none."""
    size = len(line) + ended
    at = 0
    for start, end in _frames_within(line):
        if start > at:
            yield Piece("damage", offset + at, start - at, line[at:start])
        # The byte behind a frame is its line break, damaged or not, unless the file ends there.
        at = min(end + 1, size)
        data = line[start:end]
        header = frame.verify(data) or NO_HEADER
        yield Piece("salvaged", offset + start, at - start, data, header)
    if at < size:
        rest = line[at:] + b"\n" * ended
        yield Piece("damage" if ended else "torn", offset + at, len(rest), rest)


def _frames_within(line: bytes) -> Iterator[tuple[int, int]]:
    starts = list(_occurrences(line, frame.START))
    budget = len(line) * _SALVAGE_FACTOR
    done = 0
    for index, start in enumerate(starts):
        if start < done:
            continue
        # A frame ends at the line's end, or before the next one with one byte (a damaged break) between them; at
        # the file's end the last byte may itself be the damaged break.
        ends = [len(line), len(line) - 1, *(later - 1 for later in starts[index + 1 :])]
        for end in ends:
            budget -= end - start
            if budget < 0:
                return
            if _is_frame(line[start:end]):
                yield start, end
                done = end
                break


def _occurrences(line: bytes, what: bytes) -> Iterator[int]:
    at = line.find(what)
    while at >= 0:
        yield at
        at = line.find(what, at + 1)


def _is_frame(data: bytes) -> bool:
    if frame.verify(data) is None:
        return False
    with contextlib.suppress(msgspec.MsgspecError):
        frame.decode(data)
        return True
    return False
