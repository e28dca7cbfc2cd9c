"""JSON whose events lie in arrays or go over several lines, made into one event a line while it is read.

An event begins in the line in which it began, unless several did: then each has the next one. What is between events
goes, line breaks within one become spaces; nothing else changes, and nothing is held. Where a quote or bracket is never
closed, everything behind it is part of one line: who reads lines rejects that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, cast

from whodid.formats.pieces import Pieces
from whodid.formats.text import BYTE_ORDER_MARK

# An event whose bracket is closed much later does not fill the memory: what follows it has other lines then.
BREAKS_MAX: Final = 100_000
_CHUNK_BYTES: Final = 256 * 1024
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
# Up to the next sign that matters; within events commas do not.
_BETWEEN: Final = re.compile(rb'[^"\[\]{},\r\n]*+')
_WITHIN: Final = re.compile(rb'(?:[^"\[\]{}\r\n]++|%b)*+' % _STRING, re.DOTALL)
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


def open_stream(stream: BinaryIO) -> BinaryIO:
    """`stream` as one event a line."""
    return cast("BinaryIO", Pieces(_pieces, b"", stream))


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    lines = OneALine()
    chunk = read(_CHUNK_BYTES).removeprefix(BYTE_ORDER_MARK)
    while chunk:
        yield lines.feed(chunk)
        chunk = read(_CHUNK_BYTES)
    yield lines.end()


class OneALine:
    """Makes lines of the JSON that it is fed in chunks, cut anywhere."""

    def __init__(self) -> None:
        self._found: list[bytes] = []
        self._rest = b""
        self._depth = 0
        self._in_array = False
        self._in_string = False
        # Line breaks that the event had within it, and whether the next one still needs a line of its own.
        self._breaks = 0
        self._is_ended = False

    def feed(self, chunk: bytes) -> bytes:
        """What the next chunk adds to the lines."""
        chunk, self._rest = self._rest + chunk, b""
        at = 0
        while at < len(chunk):
            at = self._string(chunk, at) if self._in_string else self._text(chunk, at)
        return self._given()

    def end(self) -> bytes:
        """What the lines end with when there is no more."""
        if self._is_ended:
            self._found.append(b"\n")
        self._found.append(self._rest)
        return self._given()

    @property
    def _is_between(self) -> bool:
        return self._depth == (1 if self._in_array else 0)

    def _given(self) -> bytes:
        given = b"".join(self._found)
        self._found.clear()
        return given

    def _string(self, chunk: bytes, at: int) -> int:
        """The rest of a string that was begun; returns the place behind it."""
        end = _end(_IN_STRING, chunk, at)
        if chunk[end : end + 1] == b'"':
            end += 1
            self._in_string = False
        elif end < len(chunk):
            # A backslash: what it is for comes with the next chunk.
            self._rest = chunk[end:]
        self._found.append(chunk[at:end])
        return end + len(self._rest)

    def _text(self, chunk: bytes, at: int) -> int:
        """What comes before the next sign that matters, and this sign; returns the place behind it."""
        end = _end(_BETWEEN if self._is_between else _WITHIN, chunk, at)
        if text := chunk[at:end]:
            self._begin(text)
        match chunk[end : end + 1]:
            case b'"':
                self._begin(b'"')
                self._in_string = True
            case b"\n":
                self._break_line()
            case b"[" | b"{" as sign:
                self._open(sign)
            case b"]" | b"}" as sign:
                self._close(sign)
            case b",":
                self._end_event()
        return end + 1

    def _begin(self, text: bytes) -> None:
        if self._is_ended and not text.isspace():
            self._found.append(b"\n")
            self._is_ended = False
        self._found.append(text)

    def _break_line(self) -> None:
        if self._is_between:
            self._found.append(b"\n")
            self._is_ended = False
        else:
            self._found.append(b" ")
            self._breaks = min(self._breaks + 1, BREAKS_MAX)

    def _open(self, sign: bytes) -> None:
        if self._depth == 0 and sign == b"[":
            self._in_array = True
        else:
            self._begin(sign)
        self._depth += 1

    def _close(self, sign: bytes) -> None:
        if self._depth == 0:
            self._begin(sign)
            self._end_event()
            return
        self._depth -= 1
        if self._depth or not self._in_array:
            self._found.append(sign)
        if self._depth == 0:
            self._in_array = False
            self._end_event()

    def _end_event(self) -> None:
        self._found.append(b"\n" * self._breaks)
        self._is_ended = not self._breaks
        self._breaks = 0


def _end(pattern: re.Pattern[bytes], chunk: bytes, at: int) -> int:
    match = pattern.match(chunk, at)
    return match.end() if match else at
