"""Group commit: one thread writes what all who wait have brought, syncs once, and tells them all.

    append ─┐                    ┌─ frames numbered and joined ─ write ─ fdatasync ─┐
    append ─┼─► queue ─► thread ─┤                                                  ├─► one wake-up per event loop
    append ─┘                    └─ segment full or old enough: sealed ◄────────────┘

What an event loop brings is handed over once per turn of it, so that the thread is not woken for the first frame of
many. While the thread waits for the disk, the next commit gathers in the queue. Drafts wait as the bytes their callers
hold anyway; only a small commit is copied before it is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from whodid.errors import WhodidError
from whodid.journal import frame
from whodid.journal.base import Outcome, Position
from whodid.journal.direct import Staging
from whodid.journal.segment import Held, OpenSegment
from whodid.journal.space import Rate, Reserve

COMMIT_BYTES_MAX: Final = 8 * 1024 * 1024
WAITING_BYTES_MAX: Final = 256 * 1024 * 1024
COPIED_BYTES_MAX: Final = 128 * 1024
"""Smaller commits are put together before they are written; copying larger ones costs more than writing in pieces."""

NUMBERED_BYTES_MAX: Final = 64
"""More than a frame's sum and number take."""

_RETRY_S: Final = 0.1
REFUSAL_S: Final = 5.0
"""A refusal tells nothing of later: whoever was told to stay away has to come back to find out."""

_log = logging.getLogger(__name__)

Done = Callable[[Outcome], None]


class Append:
    """A frame that waits for its commit, and who waits for it: a function to call in a loop, or a thread."""

    __slots__ = ("done", "loop", "outcome", "prepared", "written")

    def __init__(
        self, prepared: frame.Prepared, loop: asyncio.AbstractEventLoop | None = None, done: Done | None = None
    ):
        self.prepared = prepared
        self.loop = loop
        self.done = done
        self.written = None if loop else threading.Event()
        self.outcome: Outcome | None = None


class _Order:
    """Something else for the thread to do, after all that came before it."""

    def __init__(self, *, stop: bool):
        self.stop = stop
        self.done = threading.Event()
        self.error: WhodidError | None = None


class Committer:
    """Owns the open segment and the running numbers.

    on_sealed  called in the committer's thread with each completed segment, before anybody who waits is told.
    """

    def __init__(
        self,
        folder: Path,
        *,
        number_next: int,
        seq_next: int,
        segment_bytes_max: int,
        segment_age_ms_max: int,
        reserve: Reserve,
        on_sealed: Callable[[OpenSegment], None],
    ):
        self.seq_next = seq_next
        self.frames = 0
        self.events = 0
        self.bytes = 0
        self.commits = 0
        self.commit_seconds = 0.0
        self.waiting_bytes = 0
        self._refusal: str | None = None
        self._refused_at_s = 0.0
        self.rate = Rate()
        self._folder = folder
        self._number_next = number_next
        self._segment_bytes_max = segment_bytes_max
        self._segment_age_s_max = segment_age_ms_max / 1000
        self._reserve = reserve
        self._on_sealed = on_sealed
        self._queue: SimpleQueue[Sequence[Append] | _Order] = SimpleQueue()
        self._gathered: dict[asyncio.AbstractEventLoop, list[Append]] = {}
        self._door = threading.Lock()
        self._closed = False
        self._process = os.getpid()
        self._active: OpenSegment | None = None
        self._staging = Staging()
        self._retry_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name="whodid-journal", daemon=True)
        self._thread.start()

    @property
    def active(self) -> OpenSegment | None:
        return self._active

    @property
    def refusal(self) -> str | None:
        """Why the last commit was refused, for `REFUSAL_S` seconds."""
        return self._refusal if time.monotonic() - self._refused_at_s < REFUSAL_S else None

    def put(self, append: Append) -> None:
        """Queue a frame, at once for a thread that waits, at the end of its turn for a loop.

        Raises
        ------
        WhodidError("busy")
            Temporary: the disk is slower than what comes in, and `WAITING_BYTES_MAX` wait for it already.
        WhodidError("unavailable")
            Permanent: the journal is closed, or this process is a fork of the one that opened it.
        """
        size = append.prepared.size_bytes
        self._check_process()
        with self._door:
            self._check_open()
            if self.waiting_bytes and self.waiting_bytes + size > WAITING_BYTES_MAX:
                raise WhodidError(
                    "busy",
                    f"{self.waiting_bytes:,} bytes wait for the journal's disk; the limit is {WAITING_BYTES_MAX:,}.",
                    "Send again a little later.",
                    retry_after_s=1,
                )
            self.waiting_bytes += size
            if append.loop is None:
                self._queue.put((append,))
            elif (gathered := self._gathered.get(append.loop)) is not None:
                gathered.append(append)
            else:
                append.loop.call_soon(self._hand_over, append.loop)
                self._gathered[append.loop] = [append]

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._door:
            if (appends := self._gathered.pop(loop, None)) is not None:
                self._queue.put(appends)

    def seal(self) -> None:
        """Complete the open segment, with everything queued before in it."""
        self._order(stop=False)

    def close(self) -> None:
        """Commit and seal what is queued, then end the thread. Nothing can be queued any more."""
        with self._door:
            if self._closed:
                return
        try:
            self._order(stop=True)
        finally:
            self._thread.join()

    def _order(self, *, stop: bool) -> None:
        order = _Order(stop=stop)
        self._check_process()
        with self._door:
            self._check_open()
            self._closed = stop
            while self._gathered:
                self._queue.put(self._gathered.popitem()[1])
            self._queue.put(order)
        order.done.wait()
        if order.error is not None:
            raise order.error

    def _check_open(self) -> None:
        if self._closed:
            raise WhodidError("unavailable", f"The journal {self._folder} is closed.")

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise WhodidError(
                "unavailable",
                f"The journal {self._folder} belongs to process {self._process}; this is a fork of it.",
                "Start worker processes with spawn, or open the journal after the fork.",
            )

    # From here on: the committer's thread.

    def _run(self) -> None:
        while True:
            appends, order = self._take()
            if appends:
                self._commit(appends)
            if self._is_due():
                self._try_seal()
            if order is not None:
                order.error = self._try_seal()
                if order.stop and self._active is not None:
                    self._active.abandon()
                order.done.set()
                if order.stop:
                    return

    def _take(self) -> tuple[list[Append], _Order | None]:
        """What is queued, up to `COMMIT_BYTES_MAX`; waits for it, but not beyond the time to seal."""
        appends: list[Append] = []
        size = 0
        with contextlib.suppress(Empty):
            item = self._queue.get(timeout=self._due_in_s())
            while True:
                if isinstance(item, _Order):
                    return appends, item
                appends += item
                size += sum([append.prepared.size_bytes for append in item])
                if size >= COMMIT_BYTES_MAX:
                    break
                item = self._queue.get_nowait()
        return appends, None

    def _due_in_s(self) -> float | None:
        if self._active is None or not self._active.size_bytes:
            return None
        due_at_s = max(self._active.began_at_s + self._segment_age_s_max, self._retry_at_s)
        return max(0.0, due_at_s - time.monotonic())

    def _is_due(self) -> bool:
        active = self._active
        if active is None or not active.size_bytes or time.monotonic() < self._retry_at_s:
            return False
        old = time.monotonic() - active.began_at_s >= self._segment_age_s_max
        return old or active.size_bytes >= self._segment_bytes_max

    def _commit(self, appends: Sequence[Append]) -> None:
        began_s = time.monotonic()
        outcomes: Sequence[Outcome]
        try:
            outcomes = self._write(appends)
            self._refusal = None
        except Exception as error:
            refused = self._refused(error)
            outcomes = [refused] * len(appends)
            if self._refusal is None:
                _log.warning("The journal refuses events: %s", refused)
            self._refusal, self._refused_at_s = str(refused), time.monotonic()
        self.commits += 1
        self.commit_seconds += time.monotonic() - began_s
        with self._door:
            self.waiting_bytes -= sum(append.prepared.size_bytes for append in appends)
        tell(appends, outcomes)

    def _write(self, appends: Sequence[Append]) -> list[Position]:
        """Number, join, write and sync; the numbers are used up only if all of it worked."""
        prepared = [append.prepared for append in appends]
        self._reserve.claim(sum([each.size_bytes for each in prepared]) + len(prepared) * NUMBERED_BYTES_MAX)
        segment = self._writable()
        seq = self.seq_next
        end = segment.size_bytes
        pieces: list[bytes] = []
        positions = []
        for each in prepared:
            line = frame.number(each, seq)
            pieces += line
            seq += each.events_count
            end += len(line[0]) + each.size_bytes
            positions.append(Position(segment.number, end))
        size = end - segment.size_bytes
        events = seq - self.seq_next
        if size < COPIED_BYTES_MAX:
            pieces = [b"".join(pieces)]
        try:
            rejects = sum([each.rejects_count for each in prepared])
            segment.append(pieces, Held(size, len(prepared), events, rejects, seq))
        except OSError:
            with contextlib.suppress(OSError):
                segment.mend()
            raise
        self.seq_next = seq
        self.frames += len(appends)
        self.events += events
        self.bytes += size
        self.rate.add(events)
        return positions

    def _writable(self) -> OpenSegment:
        """The open segment, free of what a failed commit left in it; a new one if there is none to trust."""
        if self._active is not None:
            self._active.mend()
            if self._active.distrusted:
                self._seal()
        if self._active is None:
            # A number that a failed attempt took is not tried again: its file may still be there.
            number, self._number_next = self._number_next, self._number_next + 1
            self._active = OpenSegment(self._folder, number, self._staging)
        return self._active

    def _try_seal(self) -> WhodidError | None:
        try:
            self._seal()
        except Exception as error:
            self._retry_at_s = time.monotonic() + _RETRY_S
            return self._refused(error)
        return None

    def _seal(self) -> None:
        if self._active is None:
            return
        holds_frames = self._active.seal()
        done, self._active = self._active, None
        if holds_frames:
            self._on_sealed(done)

    def _refused(self, error: Exception) -> WhodidError:
        if isinstance(error, WhodidError):
            return error
        if isinstance(error, OSError):
            return WhodidError(
                "full",
                f"Writing to the journal in {self._folder} failed: {error.strerror or error}.",
                "Free space there or look after the disk; then it goes on by itself.",
                retry_after_s=5,
            )
        _log.error("The journal failed.", exc_info=error)
        return WhodidError("internal", f"The journal failed: {error!r}.")


def tell(appends: Sequence[Append], outcomes: Sequence[Outcome]) -> None:
    """Wake everybody whose frame was in a commit: each event loop once, however many of its tasks wait."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Done, Outcome]]] = {}
    for append, outcome in zip(appends, outcomes, strict=True):
        append.outcome = outcome
        if append.written is not None:
            append.written.set()
        elif append.loop is not None and append.done is not None:
            by_loop.setdefault(append.loop, []).append((append.done, outcome))
    for loop, waiting in by_loop.items():
        # The loop may have been closed by somebody who did not wait for the answer.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_call, waiting)


def _call(waiting: Sequence[tuple[Done, Outcome]]) -> None:
    for done, outcome in waiting:
        try:
            done(outcome)
        except Exception:
            _log.exception("Somebody who waited for the journal failed.")


def own(error: WhodidError) -> WhodidError:
    """A copy for one of several who are told the same error: a traceback belongs to one raise."""
    return WhodidError(error.code, error.message, error.hint, retry_after_s=error.retry_after_s)


def settle(future: asyncio.Future[Position], outcome: Outcome) -> None:
    """Pass an outcome on to a future that still waits for it."""
    if future.done():
        return
    if isinstance(outcome, WhodidError):
        future.set_exception(own(outcome))
    else:
        future.set_result(outcome)
