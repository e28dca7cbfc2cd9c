"""Which files an agent reads: those that are being written, and those they were rotated to."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from whodid.datasets.sources import Source, find


def live_files(paths: Sequence[str]) -> list[str]:
    """The files that are being written. One that is named need not be there yet."""
    named = [path for path in paths if not _stands_for_several(path)]
    found = [str(source.path) for source in find(list(paths)).sources if source.path is not None]
    known = {_whole(path) for path in (*named, *found)}
    return list(dict.fromkeys([*named, *(path for path in found if path in named or not _is_rotated(path, known))]))


def old_files(paths: Sequence[str]) -> list[Source]:
    """The files that live ones were rotated to, oldest first: `audit.log.1`, `audit.log-20261120.gz`, …"""
    live = live_files(paths)
    rotated = [f"{glob.escape(path)}[-._]*" for path in live]
    sources = find([*paths, *(pattern for pattern in rotated if any(glob.iglob(pattern)))]).sources  # noqa: PTH207 (may begin at the root)
    names = {_whole(path) for path in live}
    old = [source for source in sources if source.path is not None and _whole(str(source.path)) not in names]
    return sorted(old, key=_changed_ns)


def _stands_for_several(path: str) -> bool:
    return Path(path).is_dir() or (glob.has_magic(path) and not os.path.lexists(path))


def _is_rotated(path: str, known: set[str]) -> bool:
    """Whether a file's name is another's with something behind it."""
    folder, name = os.path.split(_whole(path))
    ends = (place for place, letter in enumerate(name) if letter in "-._" and place)
    return any(f"{folder.rstrip(os.sep)}{os.sep}{name[:end]}" in known for end in ends)


def _whole(path: str) -> str:
    """The path from the root on, without `..` and without asking the disk."""
    return os.path.abspath(path)  # noqa: PTH100 (pathlib keeps `..`)


def _changed_ns(source: Source) -> int:
    return int(source.version.partition(":")[2] or 0)
