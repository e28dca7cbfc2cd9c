"""Following files that are still being written, through rotation by renaming and by copying and truncating."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.importer import Importer
from whodid.datasets.sources import Source, clean_name, find, local_file

LOOK_EVERY_S: Final = 0.25
_LIST_EVERY_ROUNDS: Final = 8


class Follower:
    """Imports what is appended to files until told to stop.

    Every look is a restartable import of what is unread, so that a stop or a crash at any point loses nothing. A file
    that is rotated away is finished first, by its open descriptor; files it was rotated to meanwhile (`audit.log.1`,
    `audit.log-20261120.gz`, …) are read as far as they are new.

    paths  as for `sources.find`; files that appear later under a folder or pattern are followed too.
    """

    def __init__(self, importer: Importer, checkpoints: Checkpoints, paths: Sequence[str]):
        self._importer = importer
        self._checkpoints = checkpoints
        self._paths = paths
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
                rounds += 1
                if stop.wait(look_every_s):
                    return
        finally:
            for followed in self._followed.values():
                followed.close()
            self._importer.flush()

    def _list(self) -> None:
        plain = [Path(path) for path in self._paths if not Path(path).is_dir() and not _is_pattern(path)]
        listed = [source.path for source in find(self._paths).sources if source.path is not None]
        for path in [*plain, *listed]:
            if path not in self._followed:
                self._followed[path] = _Followed(path, self._importer, self._checkpoints)


class _Followed:
    """One path, and the file that was last open there."""

    def __init__(self, path: Path, importer: Importer, checkpoints: Checkpoints):
        self._path = path
        self._importer = importer
        self._file: BinaryIO | None = None
        marks = checkpoints.of_name(clean_name(path))
        self._version = marks[0].version if marks else ""
        # While nobody looked, the file may have been rotated.
        self._missed = bool(marks)

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
            self._catch_up(source)
        before, self._version, self._missed = self._version, source.version, False
        done = self._importer.read(source, final=False)
        if done.outcome == "read" and _size(before):
            # Truncated, and grown again past where it was: only its content tells.
            self._catch_up(source, since=before)

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

    def _catch_up(self, current: Source, since: str | None = None) -> None:
        """Read the unread of the files that this one was rotated to since it was last looked at."""
        last_change_ns = _changed_ns(self._version if since is None else since)
        rotated = []
        for path in self._path.parent.iterdir():
            begins_alike = path.name.startswith(self._path.name) and path.name[len(self._path.name) :][:1] in (*".-_",)
            if begins_alike and path.is_file() and path.stat().st_mtime_ns >= last_change_ns:
                rotated.append(path)
        for path in sorted(rotated, key=lambda path: path.stat().st_mtime_ns):
            self._importer.read(local_file(path))
        self._importer.flush()

    def _source(self, file: BinaryIO) -> Source:
        status = os.fstat(file.fileno())

        def open_again() -> BinaryIO:
            again = os.fdopen(os.dup(file.fileno()), "rb")
            again.seek(0)
            return again

        return Source(
            name=clean_name(self._path),
            size_bytes=status.st_size,
            version=f"{status.st_size}:{status.st_mtime_ns}",
            open=open_again,
            path=self._path,
        )


def _size(version: str) -> int:
    return int(version.partition(":")[0] or 0)


def _changed_ns(version: str) -> int:
    return int(version.partition(":")[2] or 0)


def _is_pattern(path: str) -> bool:
    return path == "-" or path.startswith("s3://") or (any(sign in path for sign in "*?[") and not Path(path).exists())
