"""One life of a target: made, opened, handed deliveries, closed, in a thread of its own.

    make ─► open ─► (next run ─► deliveries ─► send ─► dead letters ─► cursor)* ─► flush ─► close

Whoever watches may give an attempt up: its thread then ends at the next call that returns, and touches nothing more.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

from whodid.dispatch.cursor import Cursor
from whodid.dispatch.dead_letters import DeadLetters
from whodid.dispatch.delivery import Form, PartsDelivery, Run, deliveries
from whodid.dispatch.source import Kept, Source
from whodid.journal import crash
from whodid.stores.priority import give_way
from whodid.targets.base import Sent, Target

T = TypeVar("T")
TICK_S: Final = 0.5
_log = logging.getLogger(__name__)


class GivenUp(BaseException):
    """The attempt was given up while a call ran."""


class Owner(Protocol):
    """What an attempt tells and asks of its worker."""

    def make(self) -> Target: ...
    def form(self) -> Form: ...
    def opened(self) -> None: ...
    def idle(self) -> None: ...
    def took(self, delivery: PartsDelivery, sent: Sent) -> None: ...
    def lost(self, events: int) -> None: ...
    def ended(self, attempt: Attempt, error: Exception | None) -> None: ...


class Attempt:
    """See the module. `call_began` is when the call that runs began (monotonic seconds), None between calls."""

    def __init__(
        self, owner: Owner, *, own: str, source: Source, kept: Kept, cursor: Cursor, letters: DeadLetters, name: str
    ):
        self.call_began: float | None = None
        self.is_caught_up = False
        self._owner = owner
        self._own = own
        self._source = source
        self._kept = kept
        self._cursor = cursor
        self._letters = letters
        self._given_up = False
        self._stopping = threading.Event()
        self._target: Target | None = None
        self._at: dict[str, int] = {}
        """By receiver how far this attempt has come."""
        self._sent: dict[str, int] = {}
        """By receiver the place of the last delivery."""
        self._thread = threading.Thread(target=self._run, name=f"whodid-target-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the call that runs, flush, close. `join` waits for it."""
        self._stopping.set()
        self._kept.wake()

    def join(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def give_up(self) -> None:
        """Let the call that hangs go its way, and try to break it off."""
        self._given_up = True
        self._stopping.set()
        if self._target is not None:
            # Even the breaking off might hang.
            threading.Thread(target=self._cancel, args=(self._target,), daemon=True).start()

    def _cancel(self, target: Target) -> None:
        with contextlib.suppress(Exception):
            target.cancel()

    def _run(self) -> None:
        give_way()
        error: Exception | None = None
        try:
            try:
                self._work()
            except Exception as problem:
                error = problem
            if self._target is not None:
                try:
                    self._call(self._target.close)
                except Exception as problem:
                    error = error or problem
            try:
                self._cursor.save(at_once=True)
            except OSError as problem:
                error = error or problem
            self._owner.ended(self, error)
        except GivenUp:
            if self._target is not None:
                with contextlib.suppress(Exception):
                    self._target.close()

    def _work(self) -> None:
        target = self._target = self._call(self._owner.make)
        places = self._call(target.open)
        self._owner.opened()
        self._cursor.move({name: place for name, place in places.items() if name in self._receivers()})
        for receiver in self._source.others():
            self._catch_up(target, receiver)
        while not self._stopping.is_set():
            horizon, wait_s = self._kept.horizon, TICK_S
            run = self._next(self._own)
            gather = target.gathers()
            if run is not None and gather is not None:
                wait_s = min(TICK_S, self._source.gathering_s(run, gather))
                run = None if wait_s > 0 else self._source.gathered(run, gather)
            self.is_caught_up = run is None
            if run is not None:
                self._offer(target, run)
                continue
            for receiver in self._source.others():
                self._catch_up(target, receiver)
            self._call(target.tick)
            self._note_durable(target)
            self._owner.idle()
            self._kept.wait(horizon, wait_s)
        self._call(target.flush)
        self._note_durable(target, at_once=True)

    def _receivers(self) -> list[str]:
        return [*self._source.others(), self._own]

    def _catch_up(self, target: Target, receiver: str) -> None:
        """Send what is stored of a receiver that is not this process's."""
        while not self._stopping.is_set() and (run := self._next(receiver)) is not None:
            self._offer(target, run)

    def _next(self, receiver: str) -> Run | None:
        return self._source.next(receiver, self._place(receiver))

    def _place(self, receiver: str) -> int:
        if receiver not in self._at:
            self._at[receiver] = self._cursor.place(receiver) or 0
        return self._at[receiver]

    def _offer(self, target: Target, run: Run) -> None:
        gone, checked = self._source.lost(run, self._cursor.progress.checked) if run.path is None else (0, 0)
        if gone:
            self._owner.lost(gone)
        form = self._owner.form()
        try:
            for item in deliveries(run, form, target.EVENTS_MAX):
                if isinstance(item, int):
                    self._at[run.receiver] = item
                else:
                    self._send(target, item)
                self._note_durable(target)
                if self._stopping.is_set():
                    return
        except FileNotFoundError:
            # The journal gave the segment up meanwhile; the store has its events.
            if all(path.exists() for path in run.files):
                raise
        self._cursor.progress.checked = max(checked, self._cursor.progress.checked)
        self._call(target.tick)

    def _send(self, target: Target, delivery: PartsDelivery) -> None:
        crash.point("dispatch.before-send")
        sent = self._call(partial(target.send, delivery))
        crash.point("dispatch.after-send")
        if sent.refused:
            numbers = frozenset(refusal.seq for refusal in sent.refused)
            self._letters.add(sent.refused, delivery.originals(numbers))
            crash.point("dispatch.after-dead-letters")
        self._at[delivery.receiver] = self._sent[delivery.receiver] = delivery.last
        self._owner.took(delivery, sent)

    def _note_durable(self, target: Target, *, at_once: bool = False) -> None:
        durable: Mapping[str, int] | None = self._call(target.durable)
        for receiver, at in self._at.items():
            last = self._sent.get(receiver)
            if durable is None or last is None or durable.get(receiver, -1) >= last:
                # Behind the last delivery there was nothing that the target wants.
                self._cursor.move({receiver: at})
            elif receiver in durable:
                self._cursor.move({receiver: durable[receiver]})
        self._cursor.save(at_once=at_once)

    def _call(self, step: Callable[[], T]) -> T:
        """Run a step of the target under its deadline."""
        if self._given_up:
            raise GivenUp
        self.call_began = time.monotonic()
        try:
            return step()
        finally:
            self.call_began = None
            if self._given_up:
                raise GivenUp
