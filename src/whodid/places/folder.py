"""A folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from whodid.errors import WhodidError
from whodid.places.base import File


class FolderPlace:
    """See `base.Place`. Hidden files are passed over; links that lead out of the folder are not followed."""

    def __init__(self, kind: str, options: Mapping[str, str]):
        self.kind = kind
        path = Path(options["path"])
        if not path.is_absolute():
            raise WhodidError("invalid", f"The path {options['path']!r} is not absolute.", "Begin it with /.")
        self.root = Path(os.path.normpath(path))

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def files(self, folder: str = "") -> Iterator[File]:
        if not self.root.is_dir():
            raise WhodidError("not_found", f"There is no folder {self.root}.", "Make it, or change the connection.")
        start = self._inside(folder)
        if start.is_dir():
            yield from self._below(start)

    def open(self, path: str) -> BinaryIO:
        return cast("BinaryIO", self._inside(path).open("rb"))

    def close(self) -> None:
        """Nothing is held open."""

    def _inside(self, path: str) -> Path:
        found = self.root / path
        real, root = os.path.realpath(found), os.path.realpath(self.root)
        if real != root and not real.startswith(root.rstrip("/") + "/"):
            raise WhodidError("forbidden", f"{path!r} leads out of {self.root}.", "Name a path below it.")
        return found

    def _below(self, folder: Path) -> Iterator[File]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError:
            raise WhodidError("forbidden", f"{folder} cannot be read.", "Let the user of the server read it.") from None
        for entry in entries:
            if entry.name.startswith(".") or (entry.is_symlink() and not self._stays(entry)):
                continue
            if entry.is_dir():
                yield from self._below(Path(entry.path))
            elif entry.is_file():
                yield self._file(entry)

    def _stays(self, entry: os.DirEntry[str]) -> bool:
        """Whether a link leads to a file below the root; links to folders could go in circles."""
        real = os.path.realpath(entry.path)
        return entry.is_file() and real.startswith(os.path.realpath(self.root).rstrip("/") + "/")

    def _file(self, entry: os.DirEntry[str]) -> File:
        status = entry.stat()
        return File(
            path=os.fsencode(os.path.relpath(entry.path, self.root)).decode("utf-8", "surrogateescape"),
            size_bytes=status.st_size,
            version=f"{status.st_size}:{status.st_mtime_ns}",
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        )
