"""Where imported bytes come from: files, folders, globs, standard input, objects in S3."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from whodid.datasets.live import Live
from whodid.errors import WhodidError


class Source(NamedTuple):
    """One file to read.

    name        what people and rejections know it by; always clean text.
    size_bytes  as stored (compressed), or None when it cannot be known.
    version     changes whenever its content does; empty when it cannot be known again (standard input).
    open        opens it at its start, in binary; the caller closes it.
    path        the local file, or None.
    """

    name: str
    size_bytes: int | None
    version: str
    open: Callable[[], BinaryIO]
    path: Path | None = None

    @property
    def is_local_file(self) -> bool:
        """True for a regular file of this machine."""
        return self.path is not None and self.size_bytes is not None


class Problem(NamedTuple):
    """A path that could not be read, and why."""

    name: str
    message: str


class Found(NamedTuple):
    """What paths led to."""

    sources: list[Source]
    problems: list[Problem]


def find(paths: Sequence[str], *, endpoint: str | None = None) -> Found:
    """The files that `paths` name, each once, older ones first within a folder.

    paths     files, folders (with all below them but hidden files), glob patterns (`**` too), `-` for standard
              input, `s3://bucket/prefix` with everything below it.
    endpoint  URL of another S3 server than Amazon's.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    known: set[str] = set()
    for path in paths:
        for found in _find_one(path, endpoint):
            if isinstance(found, Problem):
                problems.append(found)
            elif _identity(found) not in known:
                known.add(_identity(found))
                sources.append(found)
    return Found(sources, problems)


def local_file(path: Path) -> Source:
    """A file of this machine as it is at this moment; raises OSError when it is not there."""
    status = path.stat()
    regular = stat.S_ISREG(status.st_mode)
    return Source(
        name=clean_name(path),
        size_bytes=status.st_size if regular else None,
        version=f"{status.st_size}:{status.st_mtime_ns}" if regular else "",
        open=lambda: path.open("rb"),
        path=path,
    )


def _standard_input() -> BinaryIO:
    """What is piped into this process; a copy of the descriptor, so that closing it leaves the process its own."""
    return cast("BinaryIO", Live(os.dup(sys.stdin.fileno())))


def clean_name(path: Path | str) -> str:
    """A path as text that is valid UTF-8: bytes that are none are shown as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _find_one(path: str, endpoint: str | None) -> Iterator[Source | Problem]:
    if path == "-":
        yield Source(name="standard input", size_bytes=None, version="", open=_standard_input)
    elif path.startswith("s3://"):
        from whodid.datasets.s3 import list_objects

        yield from list_objects(path, endpoint)
    elif Path(path).is_dir():
        yield from _below(Path(path))
    elif os.path.lexists(path) or not glob.has_magic(path):
        yield _file_or_problem(Path(path))
    else:
        yield from _matching(path)


def _matching(pattern: str) -> Iterator[Source | Problem]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (patterns may begin at the root)
    if not matches:
        yield Problem(clean_name(pattern), "no file matches")
    yield from _oldest_first(Path(match) for match in matches if not Path(match).is_dir())


def _below(folder: Path) -> Iterator[Source | Problem]:
    problems: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(parent, name) for name in sorted(names) if not name.startswith("."))
        yield from _oldest_first(path for path in paths if not path.exists() or path.is_file())
    for error in problems:
        yield Problem(clean_name(error.filename or folder), error.strerror or "cannot be read")


def _oldest_first(paths: Iterator[Path]) -> Iterator[Source | Problem]:
    found = [_file_or_problem(path) for path in paths]
    yield from sorted(found, key=lambda one: int(one.version.partition(":")[2] or 0) if isinstance(one, Source) else 0)


def _file_or_problem(path: Path) -> Source | Problem:
    try:
        return local_file(path)
    except OSError as error:
        return Problem(clean_name(path), error.strerror or "cannot be read")


def _identity(source: Source) -> str:
    return os.path.realpath(source.path) if source.path else source.name


def require_any(found: Found) -> None:
    """Complain when there is nothing to read.

    Raises
    ------
    WhodidError("not_found")
        No path led to a file; names the first.
    """
    if found.sources or not found.problems:
        return
    name, message = found.problems[0]
    raise WhodidError("not_found", f"{name}: {message}.", "Name files, folders, patterns, s3://bucket/prefix or -.")
