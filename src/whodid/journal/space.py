"""How much room there is: the free-disk reserve and the rate of what comes in."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Final

from whodid.errors import WhodidError

_LOOK_EVERY_S: Final = 0.1
_LOOK_EVERY_BYTES: Final = 4 * 1024 * 1024
_RATE_WINDOW_S: Final = 10


class Reserve:
    """Keeps `disk_free_bytes_min` of the folder's disk free. Looks at the disk now and then, not at every commit."""

    def __init__(self, folder: Path, disk_free_bytes_min: int):
        self.disk_free_bytes_min = disk_free_bytes_min
        self._folder = folder
        self._free_bytes = 0
        self._look_again_s = 0.0
        self._look_again_bytes = 0

    def free_bytes(self) -> int:
        """Free disk for this user, in bytes."""
        stat = os.statvfs(self._folder)
        return stat.f_bavail * stat.f_frsize

    def claim(self, size_bytes: int) -> None:
        """Ask before writing.

        Raises
        ------
        WhodidError("full")
            Temporary: the write would go into the reserve.
        """
        at_s = time.monotonic()
        if at_s >= self._look_again_s or size_bytes > self._look_again_bytes:
            self._free_bytes = self.free_bytes()
            self._look_again_s = at_s + _LOOK_EVERY_S
            self._look_again_bytes = _LOOK_EVERY_BYTES
        if self._free_bytes - size_bytes < self.disk_free_bytes_min:
            raise WhodidError(
                "full",
                f"The disk of {self._folder} has {self._free_bytes:,} bytes left; "
                f"{self.disk_free_bytes_min:,} are kept in reserve.",
                "Free some space there, or lower disk_free_bytes_min; then it goes on by itself.",
                retry_after_s=5,
            )
        self._free_bytes -= size_bytes
        self._look_again_bytes -= size_bytes


class Rate:
    """Events a second over the last few seconds. One thread adds, any thread asks."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque(maxlen=_RATE_WINDOW_S + 1)

    def add(self, events: int) -> None:
        second = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1][1] += events
        else:
            self._seconds.append([second, events])

    def per_second(self) -> float:
        """The mean of the last ten whole seconds."""
        second = int(time.monotonic())
        counted = [events for at, events in list(self._seconds) if second - _RATE_WINDOW_S <= at < second]
        return sum(counted) / _RATE_WINDOW_S
