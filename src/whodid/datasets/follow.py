"""Following files that are still being written, through rotation by renaming and by copying and truncating."""

from __future__ import annotations

import glob
import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.importer import Importer
from whodid.datasets.sources import Source, clean_name, find

LOOK_EVERY_S: Final = 0.25
_LIST_EVERY_ROUNDS: Final = 8

# Files are stamped by a clock that ticks some times a second at worst.
_CLOCK_COARSENESS_NS: Final = 1_000_000_000


class Follower:
    """Imports what is appended to files until told to stop.

    Every look is a restartable import of what is unread, so that a stop or a crash at any point loses nothing. A file
    that is rotated away is finished first, by its open descriptor; files it was rotated to meanwhile (`audit.log.1`,
    `audit.log-20261120.gz`, …) are read as far as they are new.

    paths    as for `sources.find`; files that appear later under a folder or pattern are followed too. A function is
             asked again and again which they are.
    on_look  called after each look at all of them.
    """

    def __init__(
        self,
        importer: Importer,
        checkpoints: Checkpoints,
        paths: Sequence[str] | Callable[[], Sequence[str]],
        *,
        on_look: Callable[[], None] = lambda: None,
    ):
        self._importer = importer
        self._checkpoints = checkpoints
        self._paths = paths if callable(paths) else lambda: paths
        self._on_look = on_look
        self._followed: dict[Path, _Followed] = {}

    def run(self, stop: threading.Event, *, look_every_s: float = LOOK_EVERY_S) -> None:
        """Follow until `stop` is set."""
        rounds = 0
        try:
            while True:
                if rounds % _LIST_EVERY_ROUNDS == 0:
                    self._list()
                for followed in self._followed.values():
                    followed.look()
                self._on_look()
                rounds += 1
                if stop.wait(look_every_s):
                    return
        finally:
            for followed in self._followed.values():
                followed.close()
            self._importer.flush()

    def _list(self) -> None:
        paths = self._paths()
        plain = [Path(path) for path in paths if not Path(path).is_dir() and not _is_pattern(path)]
        listed = [source.path for source in find(paths).sources if source.path is not None]
        there = dict.fromkeys([*plain, *listed])
        for path in there:
            if path not in self._followed:
                self._followed[path] = _Followed(path, self._importer, self._checkpoints)
        # Where each day has a file of its own, those that were deleted would be looked for without end.
        for path in [path for path, followed in self._followed.items() if followed.is_gone and path not in there]:
            del self._followed[path]


class _Followed:
    """One path, and the file that was last open there."""

    def __init__(self, path: Path, importer: Importer, checkpoints: Checkpoints):
        self._path = path
        self._importer = importer
        self._file: BinaryIO | None = None
        marks = checkpoints.of_name(clean_name(path))
        self._version = marks[0].version if marks else ""
        # What changed since then may be new to us; before, it was read or is not wanted.
        self._since_ns = _changed_ns(self._version) or time.time_ns() - _CLOCK_COARSENESS_NS
        # While nobody looked, the file may have been rotated.
        self._missed = True

    def look(self) -> None:
        """Import what is new at this path."""
        if self._file is not None and not self._is_there_still():
            self._finish()
        if self._file is None:
            self._open()
        if self._file is None:
            return
        source = self._source(self._file)
        if source.version == self._version and not self._missed:
            return
        if self._missed or _size(source.version) < _size(self._version):
            self._catch_up()
        before, self._version, self._missed = self._version, source.version, False
        done = self._importer.read(source, final=False)
        if done.outcome == "read" and _size(before):
            # Truncated, and grown again past where it was: only its content tells.
            self._catch_up()

    @property
    def is_gone(self) -> bool:
        """Whether there was no file at this path when it was last looked at."""
        return self._file is None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_there_still(self) -> bool:
        assert self._file is not None
        try:
            there = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file.fileno()))

    def _finish(self) -> None:
        """The file was renamed or deleted: read it to its very end."""
        assert self._file is not None
        source = self._source(self._file)
        self._importer.read(source, final=True)
        self._importer.flush()
        self.close()
        self._version, self._missed = source.version, True

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
        except OSError:
            self._file = None

    def _catch_up(self) -> None:
        """Read the unread of the files that this one was rotated to since it was last looked at."""
        since_ns, read = self._since_ns, set[int]()
        # One rotation back: what a listing missed while names changed is found the next time.
        self._since_ns = _changed_ns(self._version) or since_ns
        while (oldest := self._oldest_rotated(since_ns, read)) is not None:
            with suppress(OSError), oldest.open("rb") as file:
                read.add(os.fstat(file.fileno()).st_ino)
                self._importer.read(self._source(file, oldest))
                self._importer.flush()

    def _oldest_rotated(self, since_ns: int, but: set[int]) -> Path | None:
        found = []
        for path in self._path.parent.glob(f"{glob.escape(self._path.name)}[-._]*"):
            with suppress(OSError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode) and status.st_mtime_ns >= since_ns and status.st_ino not in but:
                    found.append((status.st_mtime_ns, path))
        return min(found)[1] if found else None

    def _source(self, file: BinaryIO, path: Path | None = None) -> Source:
        """An open file, whatever happens to its name; `path` is where it lies, this path by default."""
        path = path or self._path
        status = os.fstat(file.fileno())

        def open_again() -> BinaryIO:
            again = os.fdopen(os.dup(file.fileno()), "rb")
            again.seek(0)
            return again

        return Source(
            name=clean_name(path),
            size_bytes=status.st_size,
            version=f"{status.st_size}:{status.st_mtime_ns}",
            open=open_again,
            path=path,
        )


def _size(version: str) -> int:
    return int(version.partition(":")[0] or 0)


def _changed_ns(version: str) -> int:
    return int(version.partition(":")[2] or 0)


def _is_pattern(path: str) -> bool:
    return path == "-" or path.startswith("s3://") or (any(sign in path for sign in "*?[") and not Path(path).exists())
