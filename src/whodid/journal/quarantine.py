"""Where damaged bytes are kept: `000000000001-4711.corrupt` holds what was at offset 4711 of segment 1."""

from __future__ import annotations

import re
import threading
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct

from whodid import durable

_NAME: Final = re.compile(r"(\d{12})-(\d+)(?:-\d+)?\.corrupt")


class Quarantined(Struct, kw_only=True, frozen=True):
    """Bytes of a segment that were not what was written. Nobody reads them as events again."""

    path: Path
    segment: int
    offset_bytes: int
    size_bytes: int


class Quarantine:
    """The damaged bytes of a journal folder, those of earlier runs included."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()

    def keep(self, segment: int, offset_bytes: int, data: bytes) -> Path:
        """Put bytes aside, durably. The same bytes of the same place are kept once, however often they are told."""
        with self._lock:
            for nth in count(1):
                suffix = "" if nth == 1 else f"-{nth}"
                path = self._folder / f"{segment:012}-{offset_bytes}{suffix}.corrupt"
                if not path.exists():
                    durable.replace(path, data)
                    return path
                if path.stat().st_size == len(data) and path.read_bytes() == data:
                    return path
        raise AssertionError("count() has no end")

    def items(self) -> list[Quarantined]:
        """What is kept, oldest segment first."""
        found = []
        for path in self._folder.glob("*.corrupt"):
            if name := _NAME.fullmatch(path.name):
                size = path.stat().st_size
                found.append(Quarantined(path=path, segment=int(name[1]), offset_bytes=int(name[2]), size_bytes=size))
        return sorted(found, key=lambda item: (item.segment, item.offset_bytes, item.path.name))
