"""Asking parts that may hang: beside each other, with one bound for all of them.

A database that stands still answers nobody, and says so to nobody. Who has to tell how this server stands does not wait
for it, one question after the other, but says what is known and what is not.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue
from typing import Any, Final

from whodid.errors import WhodidError

# Those who ask wait for 10 s, as Prometheus and most balancers do, or less.
WITHIN_S: Final = 4.0
# A thread that nothing is asked of for so long ends.
IDLE_S: Final = 5.0
# At closing, for each thread: one whose part hangs is not waited for.
CLOSE_S: Final = 0.1

Questions = Mapping[str, Callable[[], object]]
Answers = dict[str, Any]
"""What each part said by its name; a `WhodidError` from one that is away, or has not answered in time."""

# A question that waits for a thread; None ends one.
_Waiting = SimpleQueue[tuple[str, Callable[[], object], Future[Any]] | None]
# What is being asked, by name, and since when.
_Asked = dict[str, tuple[Future[Any], float]]


class Asking:
    """Asks each part in another thread, and shares its answer among those who ask at the same moment.

    A part that has not answered in time is not asked again before it has: no threads pile up behind it, and whoever
    asks meanwhile hears at once that it is away. Names stand for questions: the same name is always the same question.
    """

    def __init__(self, within_s: float = WITHIN_S):
        self._within_s = within_s
        self._lock = threading.Lock()
        self._open: _Asked = {}
        self._waiting: _Waiting = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._closed = False

    def ask(self, questions: Questions) -> Answers:
        """What the parts say; it takes `within_s` seconds at most."""
        asked = self._begun(questions)
        awaited, left_s = self._awaited(asked)
        wait(awaited, left_s)
        return _answers(asked)

    async def asked(self, questions: Questions) -> Answers:
        """The same without blocking."""
        asked = self._begun(questions)
        awaited, left_s = self._awaited(asked)
        if awaited:
            await asyncio.wait([asyncio.wrap_future(future) for future in awaited], timeout=left_s)
        return _answers(asked)

    def close(self) -> None:
        """End the threads, so that nothing of what they asked is held on to; those whose part hangs end with it."""
        with self._lock:
            self._closed = True
            for _ in range(self._idle):
                self._waiting.put(None)
            self._idle = 0
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(CLOSE_S)

    def _begun(self, questions: Questions) -> _Asked:
        with self._lock:
            return {name: self._open.get(name) or self._begin(name, work) for name, work in questions.items()}

    def _begin(self, name: str, work: Callable[[], object]) -> tuple[Future[Any], float]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._open[name] = (future, time.monotonic())
        if self._idle:
            self._idle -= 1
        else:
            thread = threading.Thread(target=self._work, name="whodid-asking", daemon=True)
            self._threads.add(thread)
            thread.start()
        self._waiting.put((name, work, future))
        return self._open[name]

    def _work(self) -> None:
        # Threads are kept for a while: who looks often would else have them made faster than others get a turn.
        while self._goes_on():
            pass
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _goes_on(self) -> bool:
        """Answer one question; whether there may be another. What was asked is let go of with the answer."""
        try:
            taken = self._waiting.get(timeout=IDLE_S)
        except Empty:
            with self._lock:
                ends = bool(self._idle) and self._waiting.empty()
                self._idle -= ends
            return not ends
        return taken is not None and self._answer(*taken)

    def _answer(self, name: str, work: Callable[[], object], future: Future[Any]) -> bool:
        try:
            said, problem = work(), None
        except BaseException as error:
            said, problem = None, error
        with self._lock:
            # Whoever asks from here on wants to know how it stands then.
            del self._open[name]
            goes_on = not self._closed
            self._idle += goes_on
        # As a value: nobody may be left who waits for it, and then an exception would be complained of.
        future.set_result((said, problem))
        return goes_on

    def _awaited(self, asked: _Asked) -> tuple[list[Future[Any]], float]:
        """Whom to wait for, and how long: not again for those that were waited for already."""
        now_s = time.monotonic()
        left_s = {future: since_s + self._within_s - now_s for future, since_s in asked.values()}
        awaited = [future for future, left in left_s.items() if left > 0]
        return awaited, max((left_s[future] for future in awaited), default=0.0)


def _answers(asked: _Asked) -> Answers:
    return {name: _answer_of(future, since_s) for name, (future, since_s) in asked.items()}


def _answer_of(future: Future[Any], since_s: float) -> Any:
    if not future.done():
        waited_s = time.monotonic() - since_s
        return WhodidError("unavailable", f"Nothing was heard for {waited_s:.0f} s.", retry_after_s=5)
    said, problem = future.result()
    if problem is not None and not isinstance(problem, WhodidError):
        raise problem
    return said if problem is None else problem
