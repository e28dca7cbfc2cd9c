"""Stopping a question that is being answered: who asks it sets an event, whichever engine answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from whodid.errors import WhodidError

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
