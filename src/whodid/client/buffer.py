"""The bounded buffer between the calls that log and the thread that collects batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Literal

from whodid.errors import WhodidError

Overflow = Literal["drop", "block", "raise"]


class Buffer:
    """Encoded events, first in, first out. Made for many callers and one taker.

    events_max, bytes_max  what it may hold.
    batch_events, batch_bytes  what is worth waking the taker for before the interval has passed.
    overflow  what becomes of an event when it is full: "drop" (counted in `dropped`), "block" (the caller waits for
              room) or "raise" (WhodidError("full"); temporary).
    """

    def __init__(self, *, events_max: int, bytes_max: int, batch_events: int, batch_bytes: int, overflow: Overflow):
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._batch_events = batch_events
        self._batch_bytes = batch_bytes
        self._overflow = overflow
        self.clear()

    def clear(self) -> None:
        """Forget everything, locks too: a fork starts with nothing of its parent's."""
        # Re-entrant: the garbage collector may run a `__del__` that logs while its own thread is in here.
        self._lock = threading.RLock()
        self._ready = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._lines: deque[bytes] = deque()
        self._size_bytes = 0
        self._hurried = False
        self._open = True
        self.put_total = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def put(self, line: bytes) -> bool:
        """Add one event. Returns whether it was taken."""
        size = len(line)
        with self._lock:
            lines = self._lines
            if (len(lines) >= self._events_max or self._size_bytes + size > self._bytes_max) and not self._made_room(
                size
            ):
                return False
            lines.append(line)
            before = self._size_bytes
            self._size_bytes = before + size
            self.put_total += 1
            count = len(lines)
            if count == 1 or count == self._batch_events or before < self._batch_bytes <= before + size:
                self._ready.notify()
        return True

    def take(self, interval_s: float) -> list[bytes]:
        """Wait for a batch: for one to be full, or for `interval_s` from its first event on.

        Returns      its events; none when the buffer is shut and empty.
        """
        with self._lock:
            while not self._lines and self._open:
                self._hurried = False
                self._ready.wait()
            deadline = time.monotonic() + interval_s
            while (
                self._open
                and not self._hurried
                and len(self._lines) < self._batch_events
                and self._size_bytes < self._batch_bytes
                and (left_s := deadline - time.monotonic()) > 0
            ):
                self._ready.wait(left_s)
            return self._taken()

    def hurry(self) -> None:
        """Have what is here taken at once."""
        with self._lock:
            self._hurried = True
            self._ready.notify()

    def shut(self) -> None:
        """Have everything taken, then let the taker end. Callers that wait for room go on waiting for it."""
        with self._lock:
            self._open = False
            self._ready.notify()

    def reopen(self) -> None:
        with self._lock:
            self._open = True

    def give_up(self, lines: list[bytes]) -> None:
        """Count what the taker could not put anywhere."""
        with self._lock:
            self.dropped += len(lines)

    def _made_room(self, size: int) -> bool:
        if self._overflow == "block":
            self._ready.notify()
            while len(self._lines) >= self._events_max or self._size_bytes + size > self._bytes_max:
                if not self._lines:
                    return True
                self._room.wait()
            return True
        self.dropped += 1
        if self._overflow == "raise":
            raise WhodidError(
                "full",
                f"The Logger's buffer is full: {len(self._lines):,} events of {self._size_bytes:,} bytes wait.",
                "The server is away or too slow; the logger's report says why.",
            )
        return False

    def _taken(self) -> list[bytes]:
        found: list[bytes] = []
        size_bytes = 0
        lines = self._lines
        while lines and len(found) < self._batch_events and size_bytes < self._batch_bytes:
            line = lines.popleft()
            size_bytes += len(line)
            found.append(line)
        self._size_bytes -= size_bytes
        if found:
            self._room.notify_all()
        if not lines:
            self._hurried = False
        return found
