"""The spool: batches on disk while the server is away, in order, also beyond the death of their process.

    SPOOL/                      one for each server and program
      20261120-…-4711-a1b2c3/   one for each process, which holds the lock in it as long as it lives
        lock
        000000000007.ndjson.gz  a batch as it will be posted: gzip members, one event a line
      dead/                     what the server refused for good: mend it and send it with `whodid import`

A folder whose lock is free belonged to a process that ended; the next one adopts it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whodid.client.locking import try_lock

LOCK_NAME: Final = "lock"
DEAD_NAME: Final = "dead"
_SUFFIX: Final = ".ndjson.gz"


class SpoolFull(OSError):
    """The spool holds as much as it may; temporary."""


class Spool:
    """The folder of one process.

    root       the folder that processes of one program share.
    bytes_max  what this process may hold in it, batches that it adopted counted too; and what `dead` may hold.
    """

    def __init__(self, root: Path, bytes_max: int):
        self._root = root
        self._bytes_max = bytes_max
        self._folder: Path | None = None
        self._locks: dict[Path, int] = {}
        self.size_bytes = 0

    @property
    def root(self) -> Path:
        return self._root

    def write(self, number: int, body: bytes) -> Path:
        """Keep a batch under its number in the order. Raises SpoolFull, OSError."""
        self._take(len(body))
        try:
            path = self._own() / f"{number:012d}{_SUFFIX}"
            _write_whole(path, body)
        except BaseException:
            self.size_bytes -= len(body)
            raise
        return path

    def append(self, path: Path, body: bytes) -> None:
        """Add events to a batch of this process. Raises SpoolFull, OSError."""
        self._take(len(body))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            size_bytes = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, body)
            except BaseException:
                self.size_bytes -= len(body)
                # What follows half a member could not be read.
                os.ftruncate(descriptor, size_bytes)
                raise
        finally:
            os.close(descriptor)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def remove(self, path: Path) -> None:
        """A batch is done with."""
        with contextlib.suppress(OSError):
            size_bytes = path.stat().st_size
            path.unlink()
            self.size_bytes -= size_bytes

    def bury(self, body: bytes) -> Path:
        """Keep what the server refused for good. Raises SpoolFull, OSError."""
        folder = self._root / DEAD_NAME
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        held_bytes = sum(each.stat().st_size for each in folder.iterdir())
        if held_bytes + len(body) > self._bytes_max:
            raise SpoolFull(f"{folder} holds {held_bytes:,} of {self._bytes_max:,} bytes")
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}{_SUFFIX}"
        _write_whole(path, body)
        return path

    def adopt(self) -> list[tuple[Path, int]]:
        """Batches of processes that ended, with the number of their events, oldest process first.

        A folder that cannot be read is left to the next time, or to another process. Raises OSError when that was all.
        """
        found: list[tuple[Path, int]] = []
        failed: list[OSError] = []
        with contextlib.suppress(FileNotFoundError):
            for folder in sorted(each for each in self._root.iterdir() if (each / LOCK_NAME).exists()):
                if folder in self._locks:
                    continue
                descriptor = try_lock(folder / LOCK_NAME)
                if descriptor is None:
                    continue
                self._locks[folder] = descriptor
                try:
                    batches = list(self._mended(folder))
                    size_bytes = sum(path.stat().st_size for path, _ in batches)
                except OSError as error:
                    failed.append(error)
                    self._let_go(folder)
                    continue
                self.size_bytes += size_bytes
                found.extend(batches)
                self.release_empty(folder)
        if failed and not found:
            raise failed[0]
        return found

    def release_empty(self, folder: Path) -> None:
        """Let go of the folder of an ended process, once it is empty."""
        if folder == self._folder or folder not in self._locks or any(folder.glob(f"*{_SUFFIX}")):
            return
        self._let_go(folder)

    def close(self) -> None:
        """Let go of every folder; what they still hold is for the next process."""
        for folder in list(self._locks):
            self._let_go(folder)
        self._folder = None

    def forget(self) -> None:
        """A fork shares its parent's locks; the folders are the parent's alone."""
        for descriptor in self._locks.values():
            os.close(descriptor)
        self._locks = {}
        self._folder = None
        self.size_bytes = 0

    def _own(self) -> Path:
        if self._folder is None:
            name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09d}"
            folder = self._root / f"{name}-{os.getpid()}-{secrets.token_hex(3)}"
            folder.mkdir(parents=True, mode=0o700)
            descriptor = try_lock(folder / LOCK_NAME)
            if descriptor is None:
                raise OSError(f"{folder} is locked by another process")
            self._locks[folder] = descriptor
            self._folder = folder
        return self._folder

    def _take(self, size_bytes: int) -> None:
        if self.size_bytes + size_bytes > self._bytes_max:
            raise SpoolFull(f"the spool {self._root} holds {self.size_bytes:,} of {self._bytes_max:,} bytes")
        self.size_bytes += size_bytes

    def _mended(self, folder: Path) -> Iterator[tuple[Path, int]]:
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            body = path.read_bytes()
            lines, whole = lines_of(body)
            if not lines:
                path.unlink()
                continue
            if not whole:
                _write_whole(path, body_of(lines))
            yield path, len(lines)

    def _let_go(self, folder: Path) -> None:
        if not any(folder.glob(f"*{_SUFFIX}")):
            with contextlib.suppress(OSError):
                (folder / LOCK_NAME).unlink()
                folder.rmdir()
        os.close(self._locks.pop(folder))


def body_of(lines: list[bytes]) -> bytes:
    """Events as one gzip member, one a line."""
    machine = zlib.compressobj(1, zlib.DEFLATED, 31)
    return machine.compress(b"\n".join(lines) + b"\n") + machine.flush()


def lines_of(body: bytes) -> tuple[list[bytes], bool]:
    """The events of a body of one or more gzip members, and whether it is whole; else its whole lines."""
    pieces: list[bytes] = []
    rest, whole = body, True
    while rest:
        machine = zlib.decompressobj(31)
        try:
            pieces.append(machine.decompress(rest))
        except zlib.error:
            whole = False
            break
        if not machine.eof:
            whole = False
            break
        rest = machine.unused_data
    text = b"".join(pieces)
    if not whole:
        text = text[: text.rfind(b"\n") + 1]
    return [line for line in text.split(b"\n") if line], whole


def _write_whole(path: Path, body: bytes) -> None:
    """Make a file that is there wholly or not at all."""
    half = path.with_suffix(".half")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write_all(descriptor, body)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise
    finally:
        os.close(descriptor)
    half.replace(path)


def _write_all(descriptor: int, body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[os.write(descriptor, view) :]
