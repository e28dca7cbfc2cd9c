"""The line: batches in the order they were logged, each in memory or on disk, from the collector to the sender."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

from whodid.client.spool import Spool, body_of
from whodid.client.stats import Counters

# One on its way and one ready; what comes behind them goes to disk.
IN_MEMORY_MAX = 2

# A small batch on disk takes in more, so that hours without a server do not make thousands of files.
FILE_EVENTS_MAX = 5_000
FILE_BYTES_MAX = 512 * 1024


class Batch:
    """Events to be posted together. Exactly one of `body` and `path` is set; `own` unless another process left it."""

    __slots__ = ("body", "count", "in_flight", "number", "own", "path", "size_bytes")

    def __init__(
        self, number: int, count: int, *, body: bytes | None = None, path: Path | None = None, own: bool = True
    ):
        self.number = number
        self.count = count
        self.body = body
        self.path = path
        self.own = own
        self.size_bytes = len(body) if body else 0
        self.in_flight = False


class Line:
    """Made for one collector, one sender, and any who wait for them."""

    def __init__(self, spool: Spool | None, counters: Counters):
        self.spool = spool
        self._counters = counters
        self.clear()

    def clear(self) -> None:
        """Forget everything, as a fork does; what is on disk stays the parent's."""
        self.changed = threading.Condition()
        self._batches: deque[Batch] = deque()
        self._number = 0
        self.away = False
        self.settled = 0
        if self.spool is not None:
            self.spool.forget()

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def waiting(self) -> int:
        """Events in line."""
        return sum(batch.count for batch in tuple(self._batches))

    @property
    def spooled(self) -> int:
        """Events in line that are on disk."""
        return sum(batch.count for batch in tuple(self._batches) if batch.path is not None)

    def add(self, lines: list[bytes]) -> bool:
        """Put a batch at the end. Returns False when there is no room for it; then try again later."""
        body = body_of(lines)
        with self.changed:
            in_memory = sum(batch.body is not None for batch in self._batches)
            if in_memory == len(self._batches) < IN_MEMORY_MAX and not (self.away and self.spool is not None):
                self._push(Batch(self._number + 1, len(lines), body=body))
                return True
            if self.spool is None:
                return False
            try:
                self._to_disk(body, len(lines))
            except OSError as error:
                self._report(error)
                return False
            return True

    def adopt(self) -> None:
        """Put batches that ended processes left before everything that is not on its way yet."""
        if self.spool is None:
            return
        found = self.spool.adopt()
        with self.changed:
            head = [self._batches.popleft()] if self._batches and self._batches[0].in_flight else []
            for path, count in reversed(found):
                self._batches.appendleft(Batch(0, count, path=path, own=False))
            self._batches.extendleft(head)
            self.changed.notify_all()
        self._counters.add(adopted=sum(count for _, count in found))

    def head(self) -> Batch | None:
        """The batch to be sent next; it is marked as on its way, and stays first in line."""
        with self.changed:
            if not self._batches:
                return None
            self._batches[0].in_flight = True
            return self._batches[0]

    def body(self, batch: Batch) -> bytes:
        """What is to be posted. Raises OSError when its file cannot be read."""
        if batch.body is not None:
            return batch.body
        assert self.spool is not None and batch.path is not None
        return self.spool.read(batch.path)

    def done(self, batch: Batch) -> None:
        """The first batch in line is settled."""
        with self.changed:
            self._batches.popleft()
            if batch.path is not None and self.spool is not None:
                self.spool.remove(batch.path)
                if not batch.own:
                    self.spool.release_empty(batch.path.parent)
            if batch.own:
                self.settled += batch.count
            self.changed.notify_all()

    def to_disk(self) -> bool:
        """Bring what is in memory to disk, so that it outlives this process. Returns whether nothing is left there."""
        if self.spool is None:
            return not self._batches
        with self.changed:
            for batch in self._batches:
                if batch.body is None:
                    continue
                try:
                    batch.path = self.spool.write(batch.number, batch.body)
                except OSError as error:
                    self._report(error)
                    return False
                batch.body = None
            return True

    def release(self) -> None:
        """Leave what is on disk to the next process, and forget it here."""
        if self.spool is None:
            return
        with self.changed:
            self.settled += sum(batch.count for batch in self._batches if batch.path is not None and batch.own)
            self._batches = deque(batch for batch in self._batches if batch.path is None)
            self.away = False
            self.spool.close()

    def wait_until(self, settled: int, deadline: float) -> bool:
        """Wait until so many events of this process are settled, or until `deadline` (monotonic seconds)."""
        with self.changed:
            while self.settled < settled:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self.changed.wait(left_s)
            return True

    def _to_disk(self, body: bytes, count: int) -> None:
        assert self.spool is not None
        last = self._batches[-1] if self._batches else None
        if (
            last is not None
            and last.own
            and last.path is not None
            and not last.in_flight
            and last.count + count <= FILE_EVENTS_MAX
            and last.size_bytes + len(body) <= FILE_BYTES_MAX
        ):
            self.spool.append(last.path, body)
            last.count += count
            last.size_bytes += len(body)
            return
        batch = Batch(self._number + 1, count, path=self.spool.write(self._number + 1, body))
        batch.size_bytes = len(body)
        self._push(batch)

    def _push(self, batch: Batch) -> None:
        self._number = batch.number
        self._batches.append(batch)
        self.changed.notify_all()

    def _report(self, error: OSError) -> None:
        self._counters.report("spool", "Events cannot be kept on disk while the server is away: %s.", error)
