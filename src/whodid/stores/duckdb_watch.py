"""Stopping questions from outside: at their time limit, when nobody wants the answer any more, or for their memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from whodid.stores.stopping import STOP

_LOOK_S: Final = 0.05
# The thread that looks ends when there was nothing to look at for so long.
_LINGER_S: Final = 5.0
# What a process may hold besides the engine's memory: itself, and values that the engine does not count.
_BESIDES_BYTES: Final = 512 * 1024 * 1024
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Watch:
    """Within, a question is told to stop within 50 ms of its time limit, of `stopping.stoppable` saying so, or of the
    process holding too much memory (`process_bytes_max`); then `too_large` says that.

    The engine counts its buffers (`memory_bytes_max` at most), not the values that an expression makes (a text doubled
    thirty times); so the process is watched besides.
    """

    def __init__(self, stop: Callable[[], None], timeout_ms: int, memory_bytes_max: int):
        self.too_large = False
        self._stop = stop
        self._timeout_s = timeout_ms / 1000
        self._memory_bytes_max = memory_bytes_max
        self._stopped_by = STOP.get()
        self._deadline = 0.0

    def __enter__(self) -> Watch:
        self._deadline = time.monotonic() + self._timeout_s
        _WATCHER.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        _WATCHER.end(self)

    def look(self, process_bytes: int, before_bytes: int) -> None:
        """Stop the question if it is time; again each time, because what comes between two steps of it is lost."""
        self.too_large = self.too_large or process_bytes > process_bytes_max(self._memory_bytes_max, before_bytes)
        is_unwanted = self._stopped_by is not None and self._stopped_by.is_set()
        if self.too_large or is_unwanted or time.monotonic() >= self._deadline:
            with suppress(duckdb.Error):
                self._stop()


def process_bytes_max(memory_bytes_max: int, before_bytes: int) -> int:
    """What a process may come to hold, in bytes, that held `before_bytes` when its questions began.

    A process that holds much of its own (a notebook with tables) may ask, too.
    """
    return memory_bytes_max + _BESIDES_BYTES + max(memory_bytes_max, before_bytes)


class _Watcher:
    """One thread that looks at all questions, and ends when there are none.

    A thread for each question is waited for twice, when it begins and when it ends, and whatever else runs in this
    process may go first: beside events that came in a page of nine tiles took 105 ms instead of 92.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._watches: set[Watch] = set()
        # What the process held when there were questions after there had been none.
        self._before_bytes = 0
        self._thread: threading.Thread | None = None

    def begin(self, watch: Watch) -> None:
        with self._changing:
            if not self._watches:
                self._before_bytes = _process_bytes()
            self._watches.add(watch)
            # It is not alive either in a process that was forked off.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="whodid-query-watch", daemon=True)
                self._thread.start()

    def end(self, watch: Watch) -> None:
        """No question is stopped any more when this has returned."""
        with self._changing:
            self._watches.discard(watch)

    def _run(self) -> None:
        last_s = time.monotonic()
        while True:
            time.sleep(_LOOK_S)
            with self._changing:
                if self._look():
                    last_s = time.monotonic()
                elif time.monotonic() - last_s > _LINGER_S:
                    self._thread = None
                    return

    def _look(self) -> bool:
        """Whether there was something to look at. By itself: what it names is held no longer than it takes."""
        process_bytes = _process_bytes() if self._watches else 0
        for watch in self._watches:
            watch.look(process_bytes, self._before_bytes)
        return bool(self._watches)


_WATCHER: Final = _Watcher()


def _process_bytes() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
