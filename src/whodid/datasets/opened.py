"""A source that is open: decompressed, with its first bytes known, and able to begin again."""

from __future__ import annotations

import io
from typing import BinaryIO, Final

from whodid import formats
from whodid.datasets.checkpoint import read_exactly
from whodid.datasets.sources import Source
from whodid.formats import compression

HEAD_BYTES: Final = 64 * 1024


class Opened:
    """An open source; `stream` stands at its start, or where its reader left it."""

    stream: BinaryIO
    head: bytes

    def __init__(self, source: Source):
        self._source = source
        self._raw: BinaryIO | None = None
        self._open()

    @property
    def is_quick(self) -> bool:
        """True for a plain local file: reading it ahead in a thread of its own would gain nothing."""
        return self.stream is self._raw

    def sniff(self) -> str:
        """The name of its format, by its first bytes and its name."""
        return formats.sniff(self.head, self._source.name)

    def bytes_read(self, place_bytes: int) -> int:
        """How many bytes of the stored (compressed) source were read; `place_bytes` decompressed ones are done."""
        try:
            return self._raw.tell() if self._raw else place_bytes
        except OSError:
            return place_bytes

    def rewind(self) -> None:
        """Go back to the start."""
        if self.is_quick:
            self.stream.seek(0)
        else:
            self.close()
            self._open()

    def close(self) -> None:
        if self._raw is not None:
            self.stream.close()
            self._raw.close()

    def _open(self) -> None:
        self._raw = self._source.open()
        try:
            stream = compression.open_stream(self._raw)
            self.head = read_exactly(stream, HEAD_BYTES)
        except BaseException:
            self._raw.close()
            raise
        if self._raw.seekable() and _is_plain(stream, self._raw, self.head):
            self._raw.seek(0)
            self.stream = self._raw
        else:
            self.stream = _Again(self.head, stream)


def _is_plain(stream: BinaryIO, raw: BinaryIO, head: bytes) -> bool:
    if stream is raw:
        return True
    at = raw.tell()
    raw.seek(0)
    same = read_exactly(raw, len(head)) == head
    raw.seek(at)
    return same


class _Again(io.RawIOBase, BinaryIO):
    """A stream whose first bytes were read already, with them in front again."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._head:
            given, self._head = (self._head[:size], self._head[size:]) if size >= 0 else (self._head, b"")
            return given
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
        super().close()
