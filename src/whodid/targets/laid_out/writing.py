"""Files while they are written: one for each folder, under a working name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import zstandard
from isal import isal_zlib
from msgspec import Struct

from whodid import durable
from whodid.event import new_id
from whodid.pattern import PathPattern
from whodid.targets.base import Delivery, Label

# Beyond so many at once the files of a delivery are closed and begun again: each holds a descriptor and a buffer.
OPEN_FILES_MAX: Final = 500
_GZIP: Final = 31
_GZIP_LEVEL: Final = 1
_ZSTANDARD_LEVEL: Final = 3


class Written(Struct, kw_only=True):
    """A file that is whole under its working name, and the name it is to have; in a table, its partition's values."""

    working: str
    path: str
    events: int
    size_bytes: int
    sha256: str
    partition: list[str | int | None] = []


class LineFile:
    """Lines, compressed as they come; the digest is of what is on disk."""

    def __init__(self, path: Path, compression: str):
        self.path = path
        self.events = 0
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._compressor: Any = _COMPRESSORS[compression]()
        self._file: BinaryIO = path.open("xb")

    def write(self, lines: Sequence[bytes]) -> int:
        """Add lines; returns how many bytes they are before compression."""
        data = b"\n".join(lines) + b"\n"
        self.events += len(lines)
        self._put(self._compressor.compress(data) if self._compressor else data)
        return len(data)

    def close(self) -> tuple[int, str]:
        """On disk when this returns: (bytes, SHA-256)."""
        if self._compressor:
            self._put(self._compressor.flush())
        self._file.flush()
        durable.sync(self._file.fileno())
        self._file.close()
        return self._size_bytes, self._digest.hexdigest()

    def abandon(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._size_bytes += len(data)
        self._file.write(data)


class Writing:
    """The files of one commit, by folder.

    working      folder for working names, on the file system that the files are to be on.
    folders      pattern of the folders.
    compression  of `options.COMPRESSIONS`.
    prefix, suffix  of the names of files; in between stand their first time and what makes them unique.
    """

    def __init__(self, working: Path, folders: PathPattern, compression: str, *, prefix: str, suffix: str):
        self.places: dict[str, int] = {}
        self.size_bytes = 0
        self.events = 0
        self._working = working
        self._folders = folders
        self._compression = compression
        self._prefix = prefix
        self._suffix = suffix
        self._open: dict[str, tuple[str, LineFile]] = {}
        self._done: list[Written] = []
        self._known: dict[Any, str] = {}
        self._fixed = None if folders.dimensions or folders.period else folders.folder({}, datetime.now(UTC))

    def take(self, delivery: Delivery) -> tuple[int, int]:
        """Write a delivery's events into their files: (events, bytes before compression)."""
        events = size_bytes = 0
        for folder, lines in self._sorted(delivery).items():
            size_bytes += self._file(folder).write(lines)
            events += len(lines)
        self.places[delivery.receiver] = delivery.last
        self.size_bytes += size_bytes
        self.events += events
        if len(self._open) > OPEN_FILES_MAX:
            self._close_files()
        return events, size_bytes

    def close(self) -> list[Written]:
        """All files, on disk; none is written any more."""
        self._close_files()
        return self._done

    def abandon(self) -> None:
        """Take everything away."""
        for _, file in self._open.values():
            file.abandon()
        for written in self._done:
            (self._working / written.working).unlink(missing_ok=True)

    def _sorted(self, delivery: Delivery) -> Mapping[str, list[bytes]]:
        if self._fixed is not None:
            return {self._fixed: list(delivery.lines())}
        found: dict[Any, list[bytes]] = {}
        period = self._folders.period
        for _, label, line in delivery.labelled():
            at = label.time
            key = (
                (at.year, at.month, at.day, at.hour) if period else None,
                *[getattr(label, name) for name in self._folders.dimensions],
            )
            lines = found.get(key)
            if lines is None:
                found[key] = lines = []
                if key not in self._known:
                    self._known[key] = self._folder(label)
            lines.append(line)
        merged: dict[str, list[bytes]] = {}
        for key, lines in found.items():
            merged.setdefault(self._known[key], []).extend(lines)
        return merged

    def _folder(self, label: Label) -> str:
        return self._folders.folder({name: getattr(label, name) for name in self._folders.dimensions}, label.time)

    def _file(self, folder: str) -> LineFile:
        if folder not in self._open:
            unique = new_id()
            self._open[folder] = (f"{folder}/{self._prefix}-{unique}{self._suffix}".lstrip("/"), self._new(unique))
        return self._open[folder][1]

    def _new(self, unique: str) -> LineFile:
        self._working.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LineFile(self._working / f"{unique}.part", self._compression)

    def _close_files(self) -> None:
        for path, file in self._open.values():
            size_bytes, digest = file.close()
            self._done.append(
                Written(working=file.path.name, path=path, events=file.events, size_bytes=size_bytes, sha256=digest)
            )
        self._open = {}


_COMPRESSORS: Final[dict[str, Any]] = {
    "none": lambda: None,
    "gz": lambda: isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP),
    "zst": lambda: zstandard.ZstdCompressor(level=_ZSTANDARD_LEVEL).compressobj(),
}
