"""Writing and reading large files past the kernel's cache, where system and file system can do that.

A segment is written once and read once, soon after. Keeping its pages in between costs more than all else that is done
with its bytes: 520 of them take 0.13 to 1.0 µs of processor time through the cache (a virtual machine that gave unused
memory back has to ask for it anew) and 0.03 past it.

What goes past the cache are whole blocks of the file, from memory that begins at a page.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

WRITTEN_BYTES_MIN: Final = 512 * 1024
"""Smaller writes take as much either way. A block at least, so that what is left of it is all the caller's."""

READ_BYTES_MIN: Final = 1024 * 1024
"""Smaller files are in the cache, mostly: they were written in small pieces."""

_BLOCK_BYTES: Final = 4096
_STAGED_BYTES: Final = 2 * 1024 * 1024
_READ_BYTES: Final = 1024 * 1024

_FLAG: Final[int] = getattr(os, "O_DIRECT", 0)
_REFUSED: Final = -1


class Staging:
    """Memory that blocks are written from. For one thread, and as many files as it likes."""

    def __init__(self) -> None:
        self._memory = memoryview(mmap.mmap(-1, _STAGED_BYTES))

    def write(self, descriptor: int, offset_bytes: int, pieces: Iterable[bytes]) -> bytes:
        """Write the whole blocks of all pieces together, at a block of a file; returns what is left behind them."""
        filled = 0
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                taken = min(len(rest), _STAGED_BYTES - filled)
                self._memory[filled : filled + taken] = rest[:taken]
                rest = rest[taken:]
                filled += taken
                if filled == _STAGED_BYTES:
                    _write_blocks(descriptor, self._memory, offset_bytes)
                    offset_bytes += filled
                    filled = 0
        whole = filled - filled % _BLOCK_BYTES
        _write_blocks(descriptor, self._memory[:whole], offset_bytes)
        return bytes(self._memory[whole:filled])


class Appender:
    """Appends to a file past the cache, what is left of a block excepted.

    path, descriptor  of the same file; the descriptor, of its owner, reads and appends through the cache.
    """

    def __init__(self, path: Path, descriptor: int, staging: Staging):
        self._path = path
        self._descriptor = descriptor
        self._staging = staging
        self._direct: int | None = None

    def append(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        """Append blocks; returns what the caller is to append behind them, through the cache.

        That is everything where pieces are small or the file system refuses. The end of the file is a part of a block,
        mostly, and is written once more, as it is.

        Raises
        ------
        OSError
            Some of it may have been written.
        """
        if self._direct == _REFUSED or sum(map(len, pieces)) < WRITTEN_BYTES_MIN:
            return pieces
        if self._direct is None:
            self._direct = _opened(self._path, os.O_WRONLY)
            return self.append(pieces)
        end = os.fstat(self._descriptor).st_size
        begin = end - end % _BLOCK_BYTES
        try:
            block = os.pread(self._descriptor, end - begin, begin)
            return [self._staging.write(self._direct, begin, (block, *pieces))]
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # Other blocks than these: the file system says so only here.
            self.close()
            os.ftruncate(self._descriptor, end)
            return pieces

    def close(self) -> None:
        if self._direct is not None and self._direct != _REFUSED:
            os.close(self._direct)
        self._direct = _REFUSED


def open_to_read(path: Path) -> io.RawIOBase:
    """A file, unbuffered and not to be sought in; past the cache where it is large."""
    if path.stat().st_size >= READ_BYTES_MIN:
        descriptor = _opened(path, os.O_RDONLY)
        if descriptor != _REFUSED:
            return _Reader(descriptor)
    return path.open("rb", buffering=0)


class _Reader(io.RawIOBase):
    """A file that is read in whole blocks. Owns its descriptor."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._memory = memoryview(mmap.mmap(-1, _READ_BYTES))
        self._unread = self._memory[:0]
        self._offset_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]  # not of any buffer
        if not self._unread and self._offset_bytes % _BLOCK_BYTES == 0:
            got = self._read()
            self._offset_bytes += got
            self._unread = self._memory[:got]
        taken = min(len(into), len(self._unread))
        into[:taken] = self._unread[:taken]
        self._unread = self._unread[taken:]
        return taken

    def _read(self) -> int:
        try:
            return os.preadv(self._descriptor, [self._memory], self._offset_bytes)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        # Other blocks than these: from here on through the cache. Windows, which has no such files, has no fcntl.
        import fcntl

        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, os.O_RDONLY)
        return os.preadv(self._descriptor, [self._memory], self._offset_bytes)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _write_blocks(descriptor: int, blocks: memoryview, offset_bytes: int) -> None:
    while blocks:
        written = os.pwrite(descriptor, blocks, offset_bytes)
        blocks = blocks[written:]
        offset_bytes += written


def _opened(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | _FLAG) if _FLAG else _REFUSED
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return _REFUSED
