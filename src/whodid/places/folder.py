"""A folder of this machine."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

from whodid import durable
from whodid.errors import WhodidError
from whodid.places.base import File, taken

_CODES: Final = {
    errno.EACCES: "forbidden", errno.EPERM: "forbidden", errno.EROFS: "forbidden", errno.ENOTDIR: "forbidden",
    errno.EEXIST: "forbidden",
    errno.ENOSPC: "full", errno.EDQUOT: "full", errno.ENAMETOOLONG: "invalid",
}  # fmt: skip


class FolderPlace:
    """See `base.Place`. Hidden files are passed over; links that lead out of the folder are not followed."""

    def __init__(self, kind: str, options: Mapping[str, str]):
        self.kind = kind
        self.root = Path(os.path.normpath(options["path"]))

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def files(self, folder: str = "") -> Iterator[File]:
        if not self.root.is_dir():
            raise WhodidError(
                "not_found", f"There is no folder {self.root}.", "Make it, or change the connection.", field="path"
            )
        start = self._inside(folder)
        if start.is_dir():
            yield from self._below(start)

    def open(self, path: str) -> BinaryIO:
        return cast("BinaryIO", self._inside(path).open("rb"))

    def write(self, path: str, data: bytes) -> None:
        if not self.root.is_dir():
            raise WhodidError(
                "not_found", f"There is no folder {self.root}.", "Make it, or change the connection.", field="path"
            )
        target = self._inside(path)
        # Hidden until it is whole; a link fails where there is a file, which a renaming would replace.
        beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("xb") as file:
                    file.write(data)
                    file.flush()
                    durable.sync(file.fileno())
                os.link(beside, target)
            except FileExistsError:
                raise taken(path, self.url) from None
            finally:
                beside.unlink(missing_ok=True)
        except OSError as error:
            code = _CODES.get(error.errno or 0, "unavailable")
            raise WhodidError(
                code, f"{target} cannot be written: {error.strerror}.", "Let the user of the server write there."
            ) from None

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
        except FileNotFoundError:
            # It went while the folder above was read.
            return
        except OSError as error:
            code = _CODES.get(error.errno or 0, "unavailable")
            raise WhodidError(
                code, f"{folder} cannot be read: {error.strerror}.", "Let the user of the server read it."
            ) from None
        for entry in entries:
            if entry.name.startswith(".") or (entry.is_symlink() and not self._stays(entry)):
                continue
            if entry.is_dir():
                yield from self._below(Path(entry.path))
            elif entry.is_file():
                with suppress(FileNotFoundError):
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
