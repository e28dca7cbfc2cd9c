"""Where a target's next events come from: the journal's kept segments, or the store for what lies before them."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from whodid.dispatch import stored
from whodid.dispatch.delivery import Run, joined
from whodid.dispatch.row import TargetRow
from whodid.dispatch.segments import Segment
from whodid.stores.base import Store
from whodid.targets.base import Gather


class Dropped(NamedTuple):
    """A range of numbers that the journal gave up before every target had it; `events` of them were stored then."""

    first: int
    last: int
    events: int


class Kept:
    """The kept segments of this receiver, and `horizon`: everything up to it is stored. For any thread.

    However many are kept for a target that hangs, the others find their next one at once.
    """

    def __init__(self) -> None:
        self.horizon = 0
        self.dropped: list[Dropped] = []
        self._segments: list[Segment] = []
        self._lasts: list[int] = []
        """By segment the last number up to its end: that of one before it where it holds no event."""
        self._ends: list[int] = []
        """By segment the bytes of all up to its end, those that are gone included."""
        self._gone_bytes = 0
        self._changed = threading.Condition()
        self._wakes = 0

    def add(self, segment: Segment) -> None:
        with self._changed:
            self._segments.append(segment)
            self._lasts.append(max(segment.last, self._lasts[-1] if self._lasts else 0))
            self._ends.append(self._end_bytes + segment.size_bytes)
            self.horizon = max(self.horizon, segment.last)
            self._changed.notify_all()

    def raise_horizon(self, seq: int) -> None:
        with self._changed:
            self.horizon = max(self.horizon, seq)
            self._changed.notify_all()

    def remove(self, number: int) -> None:
        """The segments up to `number` are kept no more."""
        with self._changed:
            gone = bisect_right(self._segments, number, key=attrgetter("number"))
            if gone:
                self._gone_bytes = self._ends[gone - 1]
                del self._segments[:gone], self._lasts[:gone], self._ends[:gone]

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        with self._changed:
            return self._end_bytes - self._gone_bytes

    def segments(self, after: int = -1) -> Sequence[Segment]:
        """Those that hold something behind `after`, or all."""
        with self._changed:
            return self._segments[bisect_right(self._lasts, after) :]

    def at(self, after: int) -> Segment | None:
        """The first segment that holds something behind `after`."""
        with self._changed:
            return next(self._behind(after), None)

    def waiting(self, after: int) -> tuple[int, datetime | None]:
        """How many bytes of segments hold something behind `after`, and when the first event of them was received."""
        with self._changed:
            begin = bisect_right(self._lasts, after)
            before = self._ends[begin - 1] if begin else self._gone_bytes
            received = (segment.received_at for segment in self._behind(after))
            return self._end_bytes - before, next(filter(None, received), None)

    def _behind(self, after: int) -> Iterator[Segment]:
        behind = islice(self._segments, bisect_right(self._lasts, after), None)
        return (segment for segment in behind if segment.count)

    @property
    def _end_bytes(self) -> int:
        return self._ends[-1] if self._ends else self._gone_bytes

    def wait(self, after: int, timeout_s: float) -> None:
        """Return when something behind `after` is stored, at a wake-up, or when the time has passed."""
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(lambda: self.horizon > after or self._wakes > wakes, timeout_s)

    def wake(self) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()


class Source:
    """The events of one target, receiver by receiver, in order."""

    def __init__(self, row: TargetRow, own: str, kept: Kept, store: Store):
        self._row = row
        self._own = own
        self._kept = kept
        self._store = store

    def others(self) -> list[str]:
        """The receivers besides this one whose stored events this process sends, in order."""
        if self._row.start == "now" or self._row.backfilled_by != self._own:
            return []
        return sorted(receiver for receiver in self._row.boundary if receiver != self._own)

    def next(self, receiver: str, after: int) -> Run | None:
        """What comes behind `after`; None when nothing is there (yet, for this process's own receiver).

        Raises as `Store.query`, and OSError.
        """
        boundary = self._boundary(receiver)
        if receiver != self._own:
            return self._page(receiver, after, boundary, self._row.since) if after < boundary else None
        if after < boundary and self._row.since is not None:
            end = min(boundary, self._kept.horizon)
            return self._page(receiver, after, end, self._row.since) if after < end else None
        segment = self._kept.at(after)
        if segment is None:
            horizon = self._kept.horizon
            return self._page(receiver, after, horizon, None) if after < horizon else None
        if after + 1 < segment.first:
            return self._page(receiver, after, segment.first - 1, None)
        return segment.run(after)

    def gathering_s(self, run: Run, gather: Gather) -> float:
        """How long a run of segments should wait for more; 0 or less: no longer."""
        if not run.files:
            return 0.0
        size_bytes, first = self._kept.waiting(run.first - 1)
        if first is None or size_bytes >= gather.size_bytes:
            return 0.0
        return gather.wait_s - (datetime.now(UTC) - first).total_seconds()

    def gathered(self, run: Run, gather: Gather) -> Run:
        """A run with the segments behind it, up to so many bytes."""
        if not run.files:
            return run
        runs, size_bytes = [run], sum(path.stat().st_size for path in run.files)
        for segment in self._kept.segments(run.last):
            if not segment.count:
                continue
            if segment.first != runs[-1].last + 1 or size_bytes >= gather.size_bytes:
                break
            runs.append(segment.run(runs[-1].last))
            size_bytes += segment.size_bytes
        return run if len(runs) == 1 else joined(runs)

    def lost(self, run: Run, checked: int) -> tuple[int, int]:
        """How many events of dropped ranges in this run are gone from the store, too, and how far that was looked at;
        ranges up to `checked` were looked at before."""
        gone = 0
        for dropped in list(self._kept.dropped):
            if run.receiver == self._own and dropped.last > checked and dropped.first <= run.last:
                held = stored.count(self._store, run.receiver, dropped.first - 1, dropped.last)
                gone += max(0, dropped.events - held)
                checked = dropped.last
        return gone, checked

    def _boundary(self, receiver: str) -> int:
        if self._row.start == "now" or self._row.backfilled_by != self._own:
            return 0
        return self._row.boundary.get(receiver, 0)

    def _page(self, receiver: str, after: int, end: int, since: datetime | None) -> Run:
        return stored.page(self._store, receiver, after, end, since)


class SharedSource(Source):
    """The events of one target where the journal is shared by many servers: all of them come out of the store, and the
    server on which the target was made sends them, stream by stream.

    horizons  by stream of the journal up to which number everything is stored.
    """

    def __init__(self, row: TargetRow, own: str, kept: Kept, store: Store, horizons: Callable[[], Mapping[str, int]]):
        super().__init__(row, own, kept, store)
        self._horizons = horizons

    def others(self) -> list[str]:
        if self._row.backfilled_by != self._own:
            return []
        return sorted({*super().others(), *self._horizons()})

    def next(self, receiver: str, after: int) -> Run | None:
        end = self._horizons().get(receiver)
        if end is None:
            return super().next(receiver, after)
        since, boundary = self._row.since, self._boundary(receiver)
        if since is not None and after < boundary:
            end = min(end, boundary)
        else:
            since = None
        return stored.rows_behind(self._store, receiver, after, end, since) if after < end else None
