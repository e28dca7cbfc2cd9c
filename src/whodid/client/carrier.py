"""What carries events from the buffer to the server: two threads that never are in the way of the program.

    calls ─► Buffer ─► collector ─► Line (two batches in memory, the rest in the Spool) ─► Sender ─► server

The collector fills batches and, while the server is away or slow, brings them to disk; the sender posts the first in
line, and waits between tries. Both start with the first event, and again in a fork.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from whodid.client.buffer import Buffer
from whodid.client.line import Line
from whodid.client.policy import Policies
from whodid.client.sender import Sender, Shift
from whodid.client.settings import Settings
from whodid.client.spool import Spool
from whodid.client.stats import Counters, Stats

_STEP_S: Final = 0.5
_CLOSING_STEP_S: Final = 0.05


class Carrier:
    """Takes encoded events and has them settled by the server, in order, exactly once each."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.counters = Counters()
        self.policies = Policies(self.counters)
        self.buffer = Buffer(
            events_max=settings.buffer_events_max,
            bytes_max=settings.buffer_bytes_max,
            batch_events=settings.batch_events_max,
            batch_bytes=settings.batch_bytes_max,
            overflow=settings.overflow,
        )
        self.line = Line(Spool(settings.spool, settings.spool_bytes_max) if settings.spool else None, self.counters)
        self.clear()
        _carriers.add(self)

    def clear(self) -> None:
        """Begin with nothing, as a fork does: what waits is the parent's to send."""
        self._changing = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._exited = False
        self.counters.clear()
        self.policies.clear()
        self.buffer.clear()
        self.line.clear()
        self._begin_shift()
        # Before anything is logged, so that what other exit handlers log is still sent.
        atexit.register(_close_at_exit, weakref.ref(self), os.getpid())

    def put(self, event: bytes) -> bool:
        """Put an event in line; returns whether there was room. Raises what the buffer raises when it is full."""
        if not self._threads and not self._exited:
            self.start()
        is_taken = self.buffer.put(event)
        if self._exited:
            self.close()
        return is_taken

    def start(self) -> None:
        """Start the threads, unless they run."""
        with self._changing:
            if self._threads:
                return
            if self._shift.closing:
                self._begin_shift()
            threads = [
                threading.Thread(target=self._guarded, args=(work, self._shift), name=f"whodid-{name}", daemon=True)
                for name, work in (("collector", self._collector(self._shift)), ("sender", self._sender.run))
            ]
            try:
                for thread in threads:
                    thread.start()
            except RuntimeError:
                # The interpreter is ending and starts none; `close` does their work then.
                return
            self._threads = threads
            self._tell_multiprocessing()

    def flush(self, timeout_s: float) -> bool:
        """Have everything that was put before settled; False when `timeout_s` was not enough for it."""
        target = self.buffer.put_total
        deadline = time.monotonic() + timeout_s
        if self.line.settled >= target:
            return True
        self._kick()
        return self.line.wait_until(target, deadline)

    def close(self, timeout_s: float | None = None) -> bool:
        """Settle what waits, or bring it to disk; then end the threads. Returns whether nothing was left unsettled."""
        timeout_s = self.settings.exit_timeout_ms / 1000 if timeout_s is None else timeout_s
        with self._changing:
            shift, threads = self._shift, self._threads
            shift.close_by = time.monotonic() + timeout_s
            shift.closing = True
            self.buffer.shut()
            self._kick()
            for thread in threads:
                thread.join(max(0.0, shift.close_by - time.monotonic()))
            if not threads:
                self._collector(shift)()
                self._sender.run()
            shift.abandoned = True
            is_settled = self._leave()
            if not any(thread.is_alive() for thread in threads):
                self._sender.close()
            self._threads = []
            self._begin_shift()
        return is_settled

    def exit(self) -> None:
        """Close for good: what is logged while the interpreter ends is sent in the caller's thread."""
        self._exited = True
        self.close()

    def stats(self) -> Stats:
        """The counts of this moment."""
        counts = self.counters.counts
        found = Stats(**{name: getattr(counts, name) for name in Stats.__struct_fields__})
        found.logged += self.buffer.put_total
        found.dropped += self.buffer.dropped
        found.waiting = len(self.buffer) + self.line.waiting
        found.spooled = self.line.spooled
        return found

    def _begin_shift(self) -> None:
        shift = self._shift = Shift()
        self.buffer.reopen()
        self._sender = Sender(
            self.settings, self.line, self.policies, self.counters, shift, lambda: self._is_drained(shift)
        )

    def _is_drained(self, shift: Shift) -> bool:
        collector = self._threads[0] if self._threads else None
        return shift is not self._shift or (not len(self.buffer) and (collector is None or not collector.is_alive()))

    def _leave(self) -> bool:
        """Bring what was not sent to disk, and let go of it. Returns whether there was nothing."""
        while lines := self.buffer.take(0):
            if not self.line.add(lines):
                self.buffer.give_up(lines)
        if not self.line.to_disk():
            lost = self.line.waiting - self.line.spooled
            self.counters.report("lost", "%d events could be neither sent nor kept.", lost)
        is_settled = self.line.settled >= self.buffer.put_total
        self.line.release()
        return is_settled

    def _kick(self) -> None:
        self.buffer.hurry()
        with self.line.changed:
            self._shift.kicked = True
            self.line.changed.notify_all()

    def _guarded(self, work: Callable[[], None], shift: Shift) -> None:
        """Go on after what must not happen, so that one odd event or answer cannot end the logging."""
        while True:
            try:
                work()
                return
            except Exception as error:
                self.counters.add(failures=1)
                self.counters.report("internal", "The Logger met an error of its own, and goes on.", error=error)
                if shift.closing:
                    return
                time.sleep(_STEP_S)

    def _collector(self, shift: Shift) -> Callable[[], None]:
        def collect() -> None:
            while not shift.abandoned and (lines := self.buffer.take(self._sender.interval_s)):
                while not self.line.add(lines):
                    if shift.is_over:
                        self.buffer.give_up(lines)
                        break
                    with self.line.changed:
                        self.line.changed.wait(_CLOSING_STEP_S if shift.closing else _STEP_S)
            with self.line.changed:
                self.line.changed.notify_all()

        return collect

    def _tell_multiprocessing(self) -> None:
        """A child that multiprocessing made ends without `atexit`; it has a list of its own of what is to be done."""
        multiprocessing = sys.modules.get("multiprocessing.util")
        if multiprocessing is not None:
            multiprocessing.Finalize(None, _close_at_exit, args=(weakref.ref(self), os.getpid()), exitpriority=0)


def _close_at_exit(reference: weakref.ref[Carrier], process_id: int) -> None:
    carrier = reference()
    if carrier is not None and process_id == os.getpid():
        carrier.exit()


_carriers: weakref.WeakSet[Carrier] = weakref.WeakSet()


def _forget_in_fork() -> None:
    for carrier in list(_carriers):
        carrier.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_fork)
