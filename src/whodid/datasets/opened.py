"""A source that is open: decompressed, one event a line, with its first bytes known, and able to begin again."""

from __future__ import annotations

import io
from typing import BinaryIO, Final

from whodid import formats
from whodid.datasets.checkpoint import read_exactly
from whodid.datasets.sources import Source
from whodid.errors import WhodidError
from whodid.formats import compression, one_a_line
from whodid.formats.sniffing import is_spread, refuse_without_lines

HEAD_BYTES: Final = 64 * 1024
# How far the end of a line is looked for that goes on beyond the head.
_LINE_BYTES_MAX: Final = 64 * 1024 * 1024


class Opened:
    """An open source; `stream` stands at its start, or where its reader left it.

    Raises
    ------
    WhodidError("invalid")
        It holds no lines (an archive, UTF-16), or its compressed data is broken from the start.
    """

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

    @property
    def is_blank(self) -> bool:
        """True when there is nothing in it but line breaks."""
        return len(self.head) < HEAD_BYTES and not self.head.strip()

    @property
    def descriptor(self) -> int:
        """Of the stored file, where it is one of this machine."""
        assert self._raw is not None
        return self._raw.fileno()

    def sniff(self) -> str:
        """The name of its format, by its first lines and its name; it stands at its start before and after.

        Raises
        ------
        WhodidError("invalid")
            They tell of none.
        """
        try:
            return formats.sniff(self.head, self._source.name)
        except WhodidError:
            if len(self.head) < HEAD_BYTES:
                raise
        return formats.sniff(self._longer_head(), self._source.name)

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

    def _longer_head(self) -> bytes:
        """The head and the rest of the line that it cuts, `_LINE_BYTES_MAX` at most."""
        parts: list[bytes] = []
        size_bytes = 0
        while size_bytes < _LINE_BYTES_MAX and (part := self.stream.read(HEAD_BYTES)):
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > len(self.head) and b"\n" in part:
                break
        longer = b"".join(parts)
        if self.is_quick:
            self.stream.seek(0)
        else:
            self.stream = _Again(longer, self.stream)
        return longer

    def _open(self) -> None:
        raw = self._raw = self._source.open()
        try:
            start = _first_lines(raw) if not self._source.version else read_exactly(raw, HEAD_BYTES)
            if compression.compression_of(start) is not None:
                stream = compression.open_stream(_Again(start, raw))
                self.head = read_exactly(stream, HEAD_BYTES)
                self.stream = _Again(self.head, stream)
            elif raw.seekable():
                raw.seek(0)
                self.head, self.stream = start, raw
            else:
                self.head, self.stream = start, _Again(start, raw)
            if is_spread(self.head):
                stream = one_a_line.open_stream(self.stream)
                self.head = read_exactly(stream, HEAD_BYTES)
                self.stream = _Again(self.head, stream)
            refuse_without_lines(self.head, self._source.name)
        except BaseException:
            raw.close()
            raise


def _first_lines(raw: BinaryIO) -> bytes:
    """What a pipe gives first, one whole line at least; without waiting for more."""
    head = b""
    while b"\n" not in head and len(head) < HEAD_BYTES and (part := raw.read(HEAD_BYTES - len(head))):
        head += part
    return head


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
