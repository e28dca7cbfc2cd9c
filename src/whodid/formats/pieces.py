"""What is read of one stream, piece by piece, as another stream."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from whodid.errors import WhodidError


class Pieces(io.RawIOBase):
    """What a generator of pieces gives, as a stream whose failure does not take what came before it along."""

    def __init__(self, pieces: Callable[[Callable[[int], bytes]], Iterator[bytes]], head: bytes, stream: BinaryIO):
        self._head = head
        self._stream = stream
        self._pieces = pieces(self._next)
        self._left = memoryview(b"")
        self._error: WhodidError | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = sys.maxsize if size is None or size < 0 else size
        found: list[memoryview] = []
        while wanted > 0 and self._fill(raising=not found):
            found.append(self._left[:wanted])
            self._left = self._left[wanted:]
            wanted -= len(found[-1])
        return b"".join(found)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # of all buffers only this kind is given
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def peek(self, size: int = 0) -> bytes:
        """Some of what comes next; makes lines quick."""
        return bytes(self._left[: max(size, 8192)]) if self._fill(raising=True) else b""

    def _fill(self, *, raising: bool) -> bool:
        """Whether there is more to give; an error waits until what was gathered has been given."""
        while not self._left and self._error is None:
            try:
                self._left = memoryview(next(self._pieces))
            except StopIteration:
                return False
            except WhodidError as error:
                self._error = error
        if not self._left and self._error is not None and raising:
            raise self._error
        return bool(self._left)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _next(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._stream.read(size)
