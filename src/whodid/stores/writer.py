"""From journal to store: sealed batches are written, the directory is told, and the journal lets go of them.

journal.wait_sealed ─► group ─► store.write ─►│─► directory.observe ─► journal.release
        (a thread)                  │         one    (a thread beside the next write)
                                    │        waits
                                    │ temporary: again, after a growing pause, in smaller groups
                                    └ for good: batch by batch; the one that fails is put aside, the rest goes on
"""

from __future__ import annotations

import contextlib
import logging
import random
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from queue import Empty, Queue
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from whodid.errors import WhodidError
from whodid.journal.base import Batch, Stream
from whodid.stores.base import MISSING, Mentions, Store, Written
from whodid.stores.priority import give_way
from whodid.stores.writer_batches import Apology, Gathered, groups, mentions_of

_log = logging.getLogger(__name__)

GROUP_BYTES_MAX: Final = 256 * 1024 * 1024
PAUSE_S_FIRST: Final = 0.1
PAUSE_S_MAX: Final = 10.0
RATE_SPAN_S: Final = 10.0
MENTIONS_MAX: Final = 100_000
# A write that goes on for longer after its time is over is broken off.
BREAK_OFF_S: Final = 2.0
_WAIT_S: Final = 0.25
_LOOK_S: Final = 0.05

# A single batch that fails this often with anything but these codes is put aside.
TRIES_MAX: Final = 5
_PASSING: Final = frozenset({"unavailable", "full", "busy", "timeout"})


class Observer(Protocol):
    """Who learns whom and what the stored events mention."""

    def observe(self, mentions: Mentions) -> None: ...


class _Stored(NamedTuple):
    """What is in the store, and to be told before the journal lets go of everything up to `number`."""

    number: int
    mentions: Mentions


class WriterStatus(Struct, kw_only=True):
    """How far the store is behind the journal. `rate` is events a second over the last `RATE_SPAN_S` seconds.

    `lag_seconds` is the age of the oldest sealed batch that is not stored. `poisoned` counts batches put aside for
    good, `missing` those that the journal let go of before this store was there; `last_error` is what went wrong last,
    None again after the next success.
    """

    running: bool
    stored: int
    duplicates: int
    rejects: int
    poisoned: int
    missing: int
    lag_batches: int
    lag_bytes: int
    lag_seconds: float
    rate: float
    last_error: str | None


class StoreWriter:
    """Writes a journal's sealed batches into a store, in order, each once.

    Parameters
    ----------
    directory
        Told of users, sessions and entities after each write, before the journal lets go of the batches; or None.
    group_bytes_max
        Batches that wait are written together up to this size.
    settle_s
        The directory is told of the writes of this many seconds at once; a flush does not wait for that.
    """

    def __init__(
        self,
        journal: Stream,
        store: Store,
        directory: Observer | None = None,
        *,
        group_bytes_max: int = GROUP_BYTES_MAX,
        settle_s: float = 0.0,
        pause_s_max: float = PAUSE_S_MAX,
    ):
        self._journal = journal
        self._store = store
        self._directory = directory
        self._group_bytes_max = group_bytes_max
        self._settle_s = settle_s
        self._pause_s_max = pause_s_max
        self.on_stored: Callable[[Sequence[Batch], Written], None] = lambda batches, written: None
        """Told of batches that are stored, before the journal lets go of them."""
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._taken = 0
        self._done = 0
        self._wanted = 0
        self._to_settle: Queue[_Stored | None] = Queue(1)
        self._counts = {"stored": 0, "duplicates": 0, "rejects": 0, "poisoned": 0, "missing": 0}
        self._recent: deque[tuple[float, int]] = deque()
        self._errors: dict[int, str] = {}

    def start(self) -> None:
        """Start the thread. What a crash left between store and journal is finished first."""
        self._thread = threading.Thread(target=self._run, name="whodid-store-writer", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float) -> None:
        """Return when everything that was appended before this call is stored.

        Raises
        ------
        WhodidError("timeout")
            Temporary: it took longer than `timeout_s`; the message says what holds it up.
        """
        number = self._journal.seal()
        with self._progress:
            self._wanted = max(self._wanted, number)
            if not self._progress.wait_for(lambda: self._done >= number, timeout_s):
                reason = self._last_error() or "The store is behind."
                raise WhodidError("timeout", f"Not everything was stored within {timeout_s:g} s: {reason}")

    def close(self, drain_s: float = 10.0) -> None:
        """Store what waits, for at most `drain_s` seconds, and end the thread. The rest stays in the journal.

        A write that does not end by then is broken off by closing the store; where a server stands still that cannot
        be had, the thread is left behind.
        """
        if self._thread is None:
            return
        if not self._stopping.is_set() and drain_s > 0:
            with contextlib.suppress(WhodidError):
                self.flush(drain_s)
        self._stopping.set()
        self._journal.wake()
        self._thread.join(BREAK_OFF_S)
        if self._thread.is_alive():
            self._store.close()
            self._thread.join(BREAK_OFF_S)

    def leave(self, timeout_s: float) -> bool:
        """Begin no further write; whether the one that goes on ended within `timeout_s`. Closes nothing."""
        self._stopping.set()
        self._journal.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def status(self) -> WriterStatus:
        """Where it stands, at this moment."""
        waiting = [batch for batch in self._journal.sealed() if batch.number > self._done]
        running = self._thread is not None and self._thread.is_alive()
        with self._progress:
            return WriterStatus(
                running=running,
                **self._counts,
                lag_batches=len(waiting),
                lag_bytes=sum(batch.size_bytes for batch in waiting),
                lag_seconds=_age_s(waiting[0]) if waiting else 0.0,
                rate=self._rate(),
                last_error=self._last_error(),
            )

    def _run(self) -> None:
        give_way()
        settling = threading.Thread(target=self._settle_all, name="whodid-store-settler", daemon=True)
        settling.start()
        with contextlib.suppress(_Closed):
            self._until_done(self._catch_up)
            while not self._stopping.is_set():
                self._until_done(self._take)
        self._to_settle.put(None)
        settling.join()

    def _take(self) -> None:
        """Store what is sealed by now, or wait a moment for something."""
        for group in groups(self._journal.wait_sealed(self._taken, _WAIT_S), self._group_bytes_max):
            self._write(group)
            if self._stopping.is_set():
                return
        if not any(batch.number > self._taken for batch in self._journal.sealed()):
            self._store.rest()

    def _catch_up(self) -> None:
        """Let go of batches that are stored: the process died before the journal knew, or the directory."""
        position = self._store.position(self._journal.receiver)
        stored = [batch for batch in self._journal.sealed() if batch.number <= position]
        if stored:
            self._until_done(lambda: self._observe(mentions_of(stored)), tries_max=TRIES_MAX)
            self._journal.release(position)
        if (gone := self._journal.released) > position:
            self._pass_over(position + 1, gone)
        self._taken = max(position, gone)
        self._is_done(self._taken)

    def _write(self, batches: Sequence[Batch]) -> None:
        """Store batches, trying again until they are stored, put aside, or the writer is closed."""
        pauses = self._pauses()
        for tried in count(1):
            try:
                self._store_all(batches)
                return
            except Exception as problem:
                self._failed(f"batch {batches[0].number}", problem)
                reason = problem
            if len(batches) == 1 and tried >= TRIES_MAX and not _passes_by_itself(reason):
                self._until_done(partial(self._put_aside, batches[0], reason))
                return
            if self._stopping.wait(next(pauses)):
                # Nothing behind these may be stored before them.
                raise _Closed
            if len(batches) > 1:
                middle = len(batches) // 2
                self._write(batches[:middle])
                self._write(batches[middle:])
                return

    def _store_all(self, batches: Sequence[Batch], *, poisoned: int = 0, missing: int = 0) -> None:
        written = self._store.write(batches)
        with self._progress:
            self._counts["stored"] += written.events
            self._counts["duplicates"] += written.duplicates
            self._counts["rejects"] += written.rejects
            self._counts["poisoned"] += poisoned
            self._counts["missing"] += missing
            self._recent.append((time.monotonic(), written.events))
            self._errors.pop(threading.get_ident(), None)
        self._taken = batches[-1].number
        if not poisoned and not missing:
            self.on_stored(batches, written)
        self._to_settle.put(_Stored(self._taken, written.mentions))

    def _settle_all(self) -> None:
        """Settle what is stored, in order; behind what a closing interrupted nothing more."""
        try:
            while (stored := self._gathered()) is not None:
                self._until_done(partial(self._observe, stored.mentions), tries_max=TRIES_MAX)
                self._until_done(partial(self._journal.release, stored.number))
                self._is_done(stored.number)
        except _Closed:
            while self._to_settle.get() is not None:
                pass

    def _gathered(self) -> _Stored | None:
        """What is to be settled next: all that is stored within `settle_s`, or until somebody waits for it."""
        stored = self._to_settle.get()
        if stored is None or not self._settle_s:
            return stored
        number, gathered = stored.number, Gathered(stored.mentions)
        due_at_s = time.monotonic() + self._settle_s
        while not self._is_wanted(number) and len(gathered) < MENTIONS_MAX and time.monotonic() < due_at_s:
            with contextlib.suppress(Empty):
                later = self._to_settle.get(timeout=_LOOK_S)
                if later is None:
                    # The end: it is to be found again.
                    self._to_settle.put(None)
                    break
                gathered.add(later.mentions)
                number = later.number
        return _Stored(number, gathered.mentions)

    def _is_wanted(self, number: int) -> bool:
        with self._progress:
            return self._done < self._wanted <= number

    def _is_done(self, number: int) -> None:
        with self._progress:
            self._done = number
            self._errors.pop(threading.get_ident(), None)
            self._progress.notify_all()

    def _put_aside(self, batch: Batch, problem: Exception) -> None:
        """Keep a batch that no try can store, tell of it by a rejection in its place, and go on behind it."""
        kept = f"It had {batch.size_bytes:,} bytes."
        if batch.path is not None:
            copy = batch.path.with_suffix(".poison")
            if not copy.exists():
                shutil.copyfile(batch.path, copy)
            kept = f"It is kept in {copy.name} of the journal."
        message = f"Batch {batch.number} with {batch.count} events could not be stored ({problem}). {kept}"
        _log.error(message)
        apology = Apology(batch.receiver, batch.number, message, code="internal", raw_size_bytes=batch.size_bytes)
        self._store_all([apology], poisoned=1)

    def _pass_over(self, first: int, last: int) -> None:
        """Go on behind batches that only another store has: the journal let go of them, so they would never come."""
        batches = f"Batches {first} to {last}" if last > first else f"Batch {last}"
        message = (
            f"{batches} of receiver {self._journal.receiver} went to another store, or to this one after it was "
            "copied. Their events are not here."
        )
        _log.error(message)
        self._store_all([Apology(self._journal.receiver, last, message, code=MISSING)], missing=last - first + 1)

    def _observe(self, mentions: Mentions) -> None:
        if self._directory is not None and (mentions.users or mentions.sessions or mentions.entities):
            self._directory.observe(mentions)

    def _until_done(self, step: Callable[[], None], *, tries_max: int | None = None) -> None:
        """Try a step until it is done or the writer is closed; with `tries_max` give up what will not pass by itself.

        What a closing leaves undone is done by the next start's `_catch_up`, because the journal still has the batches.
        """
        for tried, pause_s in enumerate(self._pauses(), start=1):
            try:
                step()
                return
            except Exception as problem:
                self._failed(_name_of(step), problem)
                if tries_max is not None and tried >= tries_max and not _passes_by_itself(problem):
                    _log.exception("Given up: %s", _name_of(step))
                    return
            if self._stopping.wait(pause_s):
                raise _Closed

    def _pauses(self) -> Iterator[float]:
        """Pauses that double up to the maximum, with jitter, in seconds."""
        pause_s = PAUSE_S_FIRST
        while True:
            yield min(pause_s, self._pause_s_max) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, self._pause_s_max)

    def _failed(self, what: str, problem: Exception) -> None:
        message = f"{what}: {problem or type(problem).__name__}"
        if message != self._errors.get(threading.get_ident()):
            unexpected = not isinstance(problem, WhodidError | OSError)
            _log.warning("Storing failed at %s", message, exc_info=problem if unexpected else None)
        with self._progress:
            self._errors[threading.get_ident()] = message

    def _last_error(self) -> str | None:
        """What went wrong last and did not go well since, in either thread."""
        return next(reversed(self._errors.values()), None)

    def _rate(self) -> float:
        since = time.monotonic() - RATE_SPAN_S
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
        return sum(events for _, events in self._recent) / RATE_SPAN_S


class _Closed(BaseException):
    """The writer was closed in the middle of a step."""


def _passes_by_itself(problem: Exception) -> bool:
    return isinstance(problem, OSError) or (isinstance(problem, WhodidError) and problem.code in _PASSING)


def _name_of(step: Callable[[], None]) -> str:
    return getattr(getattr(step, "func", step), "__name__", "a step").strip("_").replace("_", " ")


def _age_s(batch: Batch) -> float:
    try:
        return max(0.0, time.time() - batch.path.stat().st_mtime) if batch.path else 0.0
    except FileNotFoundError:
        return 0.0
