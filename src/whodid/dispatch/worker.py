"""A target that runs: its attempts, one after the other, and what is known of it.

starting ─► running ◄─► catching-up
   ▲           │ temporary error           a call passes its deadline
   │           ├────────► backing-off ◄──────── hung
   └───────────┼──────────────┘ (a pause with jitter, then a new attempt)
               └ permanent error: paused, with the reason
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from whodid.client.backoff import Backoff
from whodid.dispatch.attempt import Attempt
from whodid.dispatch.cursor import Cursor
from whodid.dispatch.dead_letters import DeadLetters
from whodid.dispatch.delivery import Form, PartsDelivery
from whodid.dispatch.row import TargetRow
from whodid.dispatch.source import Kept, Source
from whodid.errors import WhodidError
from whodid.journal.space import Rate
from whodid.targets.base import Sent, Target

PAUSE_S_FIRST: Final = 0.2
PAUSE_S_MAX: Final = 60.0
# Calls that were given up and still run; with so many of a target no further one is made.
HANGING_MAX: Final = 4
CATCHING_UP_S: Final = 5.0

State = Literal["starting", "running", "catching-up", "backing-off", "hung", "paused", "stopped"]
_log = logging.getLogger(__name__)


class TargetStatus(Struct, kw_only=True):
    """How a target stands. Events and bytes of `waiting_…` have not been offered to it (or are not durable there);
    `sent`, `refused`, `bytes` and `lost` count since it was made, `rate` is events a second lately."""

    name: str
    kind: str
    state: State
    reason: str | None
    waiting_events: int
    waiting_bytes: int
    oldest_waiting_s: float
    sent: int
    refused: int
    bytes: int
    lost: int
    dead_letters: int
    rate: float
    last_sent_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    retry_in_s: float | None
    place: int


class Parts:
    """What all workers share."""

    def __init__(
        self,
        *,
        own: str,
        kept: Kept,
        make: Callable[[TargetRow], Target],
        form: Callable[[TargetRow], Form],
        source: Callable[[TargetRow], Source],
        on_paused: Callable[[TargetRow, str], None],
        on_lost: Callable[[TargetRow, int], None],
        on_refused: Callable[[TargetRow, int, str], None],
    ):
        self.own = own
        self.kept = kept
        self.make = make
        self.form = form
        self.source = source
        self.on_paused = on_paused
        self.on_lost = on_lost
        self.on_refused = on_refused


class Worker:
    """Runs one target as its row says. `look` is to be called several times a second."""

    def __init__(self, row: TargetRow, folder: Path, parts: Parts):
        self.row = row
        self.letters = DeadLetters(folder)
        self.cursor = Cursor(folder)
        self._parts = parts
        self._attempt: Attempt | None = None
        self._hanging: list[Attempt] = []
        self._refused_told = 0
        self._refused_untold = 0
        self._lock = threading.RLock()
        self._backoff = Backoff(PAUSE_S_FIRST, PAUSE_S_MAX)
        self._retry_at_s = 0.0
        self._state: State = "starting" if row.running else "paused"
        self._reason: str | None = row.reason
        if self.cursor.damage:
            self._state, self._reason = "paused", self.cursor.damage
        self._last_error: str | None = None
        self._last_error_at: datetime | None = None
        self._last_sent_at: datetime | None = None
        self._rate = Rate()
        self._stopped = False
        begins = {receiver: row.begins_at(receiver, parts.own) for receiver in {parts.own, *row.boundary}}
        self.cursor.move({name: seq for name, seq in begins.items() if self.cursor.place(name) is None})
        self.cursor.save(at_once=True)

    @property
    def place(self) -> int:
        """The last number of this process's receiver that is dealt with."""
        return self.cursor.place(self._parts.own) or 0

    def look(self) -> None:
        """Give up a call that passed its deadline; begin a new attempt when its time has come."""
        with self._lock:
            self._hanging = [attempt for attempt in self._hanging if attempt.is_alive]
            if self._stopped or not self.row.running or self._state == "paused":
                return
            attempt = self._attempt
            if attempt is not None:
                began = attempt.call_began
                if began is not None and time.monotonic() - began > self.row.deadline_s:
                    self._give_up(attempt)
            elif time.monotonic() >= self._retry_at_s and len(self._hanging) < HANGING_MAX:
                self._begin()

    def stop(self) -> None:
        """Finish the call that runs, then no more; `join` waits for it."""
        with self._lock:
            self._stopped = True
            self._state = "stopped"
            if self._attempt is not None:
                self._attempt.stop()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended within the time. What has not is given up."""
        with self._lock:
            attempt = self._attempt
        if attempt is None or attempt.join(timeout_s):
            return True
        attempt.give_up()
        return False

    def status(self, waiting: Callable[[Mapping[str, int]], tuple[int, int, float]]) -> TargetStatus:
        """How it stands; `waiting` tells events, bytes and the oldest's age in seconds behind places by receiver."""
        events, size_bytes, oldest_s = waiting(self.cursor.progress.places)
        progress = self.cursor.progress
        with self._lock:
            state = self._state
            if state == "running" and oldest_s > CATCHING_UP_S and self._attempt and not self._attempt.is_caught_up:
                state = "catching-up"
            retry_in_s = max(0.0, self._retry_at_s - time.monotonic()) if state in ("backing-off", "hung") else None
            return TargetStatus(
                name=self.row.name,
                kind=self.row.kind,
                state=state,
                reason=self._reason,
                waiting_events=events,
                waiting_bytes=size_bytes,
                oldest_waiting_s=oldest_s,
                sent=progress.sent,
                refused=progress.refused,
                bytes=progress.bytes,
                lost=progress.lost,
                dead_letters=self.letters.count,
                rate=self._rate.per_second(),
                last_sent_at=self._last_sent_at,
                last_error=self._last_error,
                last_error_at=self._last_error_at,
                retry_in_s=retry_in_s,
                place=self.place,
            )

    # What its attempt asks and tells, in the attempt's thread.

    def make(self) -> Target:
        return self._parts.make(self.row)

    def form(self) -> Form:
        return self._parts.form(self.row)

    def took(self, delivery: PartsDelivery, sent: Sent) -> None:
        self.cursor.count(sent=sent.events, refused=len(sent.refused), size_bytes=sent.size_bytes)
        self._rate.add(sent.events)
        with self._lock:
            self._last_sent_at = datetime.now(UTC)
        if sent.refused:
            self._tell_refused(len(sent.refused), sent.refused[0].message)
        self.idle()

    def _tell_refused(self, events: int, reason: str) -> None:
        """Announce what went to the dead letters each time it doubled: the announcement may be refused, too."""
        self._refused_untold += events
        if self._refused_untold >= self._refused_told:
            untold, self._refused_untold = self._refused_untold, 0
            self._refused_told += untold
            self._parts.on_refused(self.row, untold, reason)

    def opened(self) -> None:
        with self._lock:
            if not self._stopped:
                self._state = "running"

    def idle(self) -> None:
        """All is well: what was taken is taken, and what waits will be."""
        with self._lock:
            self._backoff.reset()
            self._last_error = None

    def lost(self, events: int) -> None:
        self.cursor.count(lost=events)
        _log.error("Target %s lost %d events: neither the journal nor the store has them.", self.row.name, events)
        self._parts.on_lost(self.row, events)

    def ended(self, attempt: Attempt, error: Exception | None) -> None:
        with self._lock:
            if attempt is not self._attempt:
                return
            self._attempt = None
            if self._stopped or error is None:
                return
            self._note(error)
            if isinstance(error, WhodidError) and not error.kind.temporary:
                self._state, self._reason = "paused", str(error)
            else:
                self._wait("backing-off", error.retry_after_s if isinstance(error, WhodidError) else None)
                return
        self._parts.on_paused(self.row, str(error))

    def _begin(self) -> None:
        self._attempt = Attempt(
            self,
            own=self._parts.own,
            source=self._parts.source(self.row),
            kept=self._parts.kept,
            cursor=self.cursor,
            letters=self.letters,
            name=self.row.name,
        )
        self._attempt.start()

    def _give_up(self, attempt: Attempt) -> None:
        self._attempt = None
        self._hanging.append(attempt)
        attempt.give_up()
        with contextlib.suppress(OSError):
            self.cursor.save(at_once=True)
        self._note(TimeoutError(f"It did not answer within {self.row.deadline_s:g} s."))
        self._wait("hung", None)

    def _wait(self, state: State, asked_s: float | None) -> None:
        self._state = state
        self._retry_at_s = time.monotonic() + self._backoff.next_s(asked_s)

    def _note(self, error: Exception) -> None:
        message = str(error) or type(error).__name__
        if message != self._last_error:
            unexpected = not isinstance(error, WhodidError | OSError)
            _log.warning("Target %s: %s", self.row.name, message, exc_info=error if unexpected else None)
        self._last_error, self._last_error_at = message, datetime.now(UTC)
