"""Stopping a question that is being answered: who asks it sets an event, whichever engine answers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from whodid.errors import WhodidError

T = TypeVar("T")

# Questions that are asked in this context end when it is set.
STOP: Final[ContextVar[threading.Event | None]] = ContextVar("whodid_stop", default=None)
_LOOK_S: Final = 0.1


@contextmanager
def stoppable(stop: threading.Event) -> Iterator[None]:
    """Within, queries of a store end soon after `stop` is set, with `stopped()`."""
    token = STOP.set(stop)
    try:
        yield
    finally:
        STOP.reset(token)


def is_stopped() -> bool:
    """Whether the question of this context is to end."""
    stop = STOP.get()
    return stop is not None and stop.is_set()


def stopped() -> WhodidError:
    """What a stopped question raises."""
    return WhodidError("timeout", "The query was stopped.", "Ask again when you like; nothing was changed.")


@contextmanager
def cancelled_by_stop(cancel: Callable[[], None]) -> Iterator[None]:
    """Calls `cancel` from another thread, again and again, from the moment the context's question is to end."""
    stop = STOP.get()
    if stop is None:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if stop.is_set():
                cancel()

    thread = threading.Thread(target=watch, name="whodid-query-stop", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ended_by_ctrl_c(work: Callable[[], T], cancel: Callable[[], None]) -> T:
    """What `work` returns. At Ctrl-C `cancel` is called every 100 ms until `work` has ended.

    Python tells of a signal only in its main thread, and not while that is within a long step of an engine. So another
    thread works for the main one, which costs 0.7 ms; other threads work themselves, and so does a main one that has a
    handler of its own for Ctrl-C.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C came; whatever `work` returned or raised is dropped.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return work()
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with ThreadPoolExecutor(1, "whodid-question") as thread:
            answer = thread.submit(work)
            while not wait([answer], _LOOK_S).done:
                if heard:
                    cancel()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt
    return answer.result()
