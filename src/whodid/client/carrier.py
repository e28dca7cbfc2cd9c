"""What carries events from the buffer to the server: two threads that never are in the way of the program.

    calls ─► Buffer ─► collector ─► Line (two batches in memory, the rest in the Spool) ─► sender ─► server

The collector fills batches and, while the server is away or slow, brings them to disk; the sender posts the first in
line, and waits between tries. Both start with the first event, and again in a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from typing import Final

from whodid.client.backoff import Backoff
from whodid.client.buffer import Buffer
from whodid.client.delivery import Delivery, Outcome, Verdict
from whodid.client.line import Batch, Line
from whodid.client.policy import Policies
from whodid.client.settings import Settings
from whodid.client.spool import Spool
from whodid.client.stats import Counters, Stats
from whodid.client.transport import Transport

# How often the sender looks for batches that a process left which has ended.
ADOPT_EVERY_S: Final = 30.0
_STEP_S: Final = 0.5


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
        settings = self.settings
        self._starting = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._kicked = False
        self._close_by = 0.0
        self._exited = False
        self.counters.clear()
        self.policies.clear()
        self.buffer.clear()
        self.line.clear()
        self.transport = Transport(
            settings.url, settings.key, timeout_s=settings.request_timeout_ms / 1000, tls=settings.tls
        )
        self._delivery = Delivery(self.transport, self.line.spool, self.counters)
        self._backoff = Backoff(settings.retry_min_ms / 1000, settings.retry_max_ms / 1000)
        self._adopted_at = -ADOPT_EVERY_S
        self.interval_s = settings.flush_interval_ms / 1000
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

    def exit(self) -> None:
        """Close for good: what is logged while the interpreter ends is sent in the caller's thread."""
        self._exited = True
        self.close()

    def start(self) -> None:
        """Start the threads, unless they run."""
        with self._starting:
            if self._threads:
                return
            self._closing = False
            self._adopted_at = -ADOPT_EVERY_S
            self.buffer.reopen()
            threads = [
                threading.Thread(target=run, name=f"whodid-{run.__name__.strip('_')}", daemon=True)
                for run in (self._collect, self._send)
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
        deadline = time.monotonic() + timeout_s
        with self._starting:
            threads, self._closing, self._close_by = self._threads, True, deadline
            self.buffer.shut()
            self._kick()
            for thread in threads:
                if thread is not threading.current_thread():
                    thread.join(max(0.0, deadline - time.monotonic()))
            if not threads:
                self._collect()
                self._send()
            is_settled = self._settled_leftovers(threads)
            self._threads = []
        return is_settled

    def stats(self) -> Stats:
        """The counts of this moment."""
        counts = self.counters.counts
        found = Stats(**{name: getattr(counts, name) for name in Stats.__struct_fields__})
        found.logged = self.buffer.put_total
        found.dropped += self.buffer.dropped
        found.waiting = len(self.buffer) + self.line.waiting
        found.spooled = self.line.spooled
        return found

    def _settled_leftovers(self, threads: list[threading.Thread]) -> bool:
        """Bring what was not sent to disk, and let go of it. Returns whether there was nothing."""
        while lines := self.buffer.take(0):
            if not self.line.add(lines):
                self.buffer.give_up(lines)
        if not self.line.to_disk():
            lost = self.line.waiting - self.line.spooled
            self.counters.report("lost", "%d events could be neither sent nor kept.", lost)
        is_settled = self.line.settled >= self.buffer.put_total
        if not any(thread.is_alive() for thread in threads):
            self.transport.close()
            self.line.release()
        return is_settled

    def _kick(self) -> None:
        self.buffer.hurry()
        with self.line.changed:
            self._kicked = True
            self.line.changed.notify_all()

    def _collect(self) -> None:
        while lines := self.buffer.take(self.interval_s):
            while not self.line.add(lines):
                if self._closing:
                    self._last_try(lines)
                    break
                with self.line.changed:
                    self.line.changed.wait(_STEP_S)
        with self.line.changed:
            self.line.changed.notify_all()

    def _last_try(self, lines: list[bytes]) -> None:
        while time.monotonic() < self._close_by:
            if self.line.add(lines):
                return
            with self.line.changed:
                self.line.changed.wait(_STEP_S / 10)
        self.buffer.give_up(lines)

    def _send(self) -> None:
        self._adopt()
        while True:
            self._refresh()
            batch = self.line.head()
            if batch is None:
                if self._ended():
                    return
                self._idle()
            elif not self._try(batch):
                return

    def _ended(self) -> bool:
        collector = self._threads[0] if self._threads else None
        return self._closing and not len(self.buffer) and (collector is None or not collector.is_alive())

    def _idle(self) -> None:
        wait_s = _STEP_S / 10 if self._closing else ADOPT_EVERY_S
        if self.settings.policy:
            wait_s = min(wait_s, max(0.01, self.policies.due_s()))
        with self.line.changed:
            if not len(self.line):
                self.line.changed.wait(wait_s)
        self._adopt()

    def _try(self, batch: Batch) -> bool:
        """One try to send a batch, and the wait when it fails. Returns whether to go on."""
        try:
            body = self.line.body(batch)
        except OSError as error:
            self.counters.add(dropped=batch.count)
            self.counters.report("spool-lost", "A batch of the spool cannot be read, and is lost: %s.", error)
            self.line.done(batch)
            return True
        outcome = self._delivery.deliver(batch, body)
        if outcome.verdict is Verdict.SETTLED:
            self._is_back()
            self.line.done(batch)
            return True
        self.counters.add(retries=1)
        self._is_away(outcome)
        is_safe = self.line.to_disk()
        if self._closing and is_safe and self.line.spool is not None:
            return False
        self._wait(outcome)
        return not (self._closing and time.monotonic() >= self._close_by)

    def _is_away(self, outcome: Outcome) -> None:
        self.line.away = True
        kept = "kept on disk" if self.line.spool is not None else "kept in memory, as far as there is room"
        if outcome.verdict is Verdict.REFUSED:
            text = "The server %s refuses every event: %s They are %s until that is mended."
        else:
            text = "The server %s does not take events: %s. They are %s and will be sent later."
        self.counters.report(outcome.verdict.value, text, self.settings.url, outcome.reason, kept)

    def _is_back(self) -> None:
        if self.line.away:
            self.line.away = False
            self._backoff.reset()
            for verdict in (Verdict.LATER, Verdict.REFUSED):
                self.counters.mended(verdict.value, "The server %s takes events again.", self.settings.url)

    def _wait(self, outcome: Outcome) -> None:
        """Until the next try. A flush cuts it short, but not what the server asked for."""
        if outcome.verdict is Verdict.REFUSED:
            wait_s = outcome.wait_s or self.settings.refused_pause_ms / 1000
        else:
            wait_s = self._backoff.next_s(outcome.wait_s)
        deadline = time.monotonic() + wait_s
        with self.line.changed:
            while (left_s := deadline - time.monotonic()) > 0:
                if self._kicked and outcome.wait_s is None:
                    break
                if self._closing:
                    left_s = min(left_s, self._close_by - time.monotonic())
                    if left_s <= 0 or self.line.spool is not None:
                        break
                self.line.changed.wait(left_s)
            self._kicked = False

    def _adopt(self) -> None:
        if self.line.spool is None or time.monotonic() - self._adopted_at < ADOPT_EVERY_S:
            return
        self._adopted_at = time.monotonic()
        try:
            self.line.adopt()
        except OSError as error:
            self.counters.report("adopt", "What an ended process left in the spool cannot be read: %s.", error)

    def _refresh(self) -> None:
        if not self.settings.policy or self.line.away or self.policies.due_s() > 0:
            return
        with contextlib.suppress(OSError):
            self.policies.refresh(self.transport)
        policy = self.policies.applied.get(None)
        interval_ms = policy.flush_interval_ms if policy else None
        timeout_ms = policy.request_timeout_ms if policy else None
        self.interval_s = (interval_ms or self.settings.flush_interval_ms) / 1000
        self.transport.timeout_s = (timeout_ms or self.settings.request_timeout_ms) / 1000

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
