"""Does the work of a `WorkBook`: each channel has a thread of its own, so that who hangs delays nobody else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from whodid.delivery.call import Call
from whodid.directory.due_work import Work, WorkBook
from whodid.errors import WhodidError
from whodid.stores.stopping import stoppable

# Waits between attempts; the last one is the last try.
AGAIN_S: Final = (60, 300, 900, 3_600, 4 * 3_600)
HOLD_S: Final = 600.0
THREADS_MAX: Final = 16
CLOSE_S: Final = 5.0

_log = logging.getLogger("whodid.delivery")

Clock = Callable[[], datetime]


class Job(NamedTuple):
    """How a kind of work is done.

    do      does it; returns its outcome. `on_call` takes the calls that it makes.
    ended   is told of every attempt: the work as it was claimed, the outcome or the error, and when it is tried again.
    """

    do: Callable[[Work, Callable[[Call], object]], Mapping[str, Any]]
    ended: Callable[[Work, Mapping[str, Any] | None, WhodidError | None, datetime | None], None]


class Worker:
    """Threads that do what is due.

    Parameters
    ----------
    jobs
        By the kind of work.
    clock
        Tells the time, in UTC.
    """

    def __init__(self, book: WorkBook, jobs: Mapping[str, Job], clock: Clock):
        self._book = book
        self._jobs = jobs
        self._clock = clock
        self._busy: dict[str, threading.Thread] = {}
        self._calls: set[Call] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def start_due(self) -> int:
        """Begin what is due and whose channel is free; returns how many pieces."""
        with self._lock:
            room = 0 if self._stop.is_set() else THREADS_MAX - len(self._busy)
            busy = list(self._busy)
        if room <= 0:
            return 0
        claimed = self._book.claim(self._jobs, at=self._clock(), hold_s=HOLD_S, busy=busy, limit=room)
        for work in claimed:
            thread = threading.Thread(target=self._run, args=[work], name=f"whodid-{work.kind}", daemon=True)
            with self._lock:
                self._busy[work.channel] = thread
            thread.start()
        return len(claimed)

    def do_due(self) -> int:
        """Do what is due, one after the other, in this thread; returns how many pieces."""
        count = 0
        while claimed := self._book.claim(self._jobs, at=self._clock(), hold_s=HOLD_S, limit=THREADS_MAX):
            for work in claimed:
                self.do(work)
            count += len(claimed)
        return count

    def do(self, work: Work, *, again: bool = True) -> Mapping[str, Any] | WhodidError:
        """Do a piece that was claimed; its outcome, or what went wrong. `again`: a failure is tried again later."""
        try:
            with stoppable(self._stop):
                outcome = self._jobs[work.kind].do(work, self._note_call)
        except WhodidError as error:
            return self._failed(work, error, again)
        except Exception as error:
            _log.exception("%s %s failed.", work.kind, work.name)
            told = WhodidError("internal", f"{type(error).__name__} while doing {work.kind}.", "The log tells more.")
            return self._failed(work, told, again)
        if self._book.done(work, outcome, at=self._clock()):
            self._jobs[work.kind].ended(work, outcome, None, None)
        return outcome

    def busy(self) -> int:
        """How many pieces are being done."""
        with self._lock:
            return len(self._busy)

    def close(self) -> None:
        """Break off what is being done; others, or the next start, do it."""
        with self._lock:
            self._stop.set()
            calls, threads = list(self._calls), list(self._busy.values())
        for call in calls:
            call.abort("was broken off, as the server stops")
        for thread in threads:
            thread.join(CLOSE_S / max(1, len(threads)))

    def _run(self, work: Work) -> None:
        try:
            self.do(work)
        except Exception as error:
            # What came of it could not be written down: it is done again when the claim is over.
            _log.warning("%s %s: %s", work.kind, work.name, error)
        finally:
            with self._lock:
                self._busy.pop(work.channel, None)

    def _note_call(self, call: Call) -> None:
        with self._lock:
            self._calls = {call}.union(one for one in self._calls if not one.ended)
        if self._stop.is_set():
            call.abort("was broken off, as the server stops")

    def _failed(self, work: Work, error: WhodidError, again: bool) -> WhodidError:
        if self._stop.is_set() and again:
            self._book.let_go(work)
            return error
        at = self._clock()
        left = work.attempts <= len(AGAIN_S) and error.kind.temporary and again
        again_at = at + timedelta(seconds=AGAIN_S[work.attempts - 1]) if left else None
        outcome = {"error": error.message, "hint": error.hint, "code": error.code}
        if self._book.failed(work, outcome, at=at, again_at=again_at):
            self._jobs[work.kind].ended(work, None, error, again_at)
        return error
