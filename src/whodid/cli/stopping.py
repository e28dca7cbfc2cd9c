"""How a verb that runs until it is asked to stop learns of it: Ctrl-C and SIGTERM."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)
# A signal that the system gives to another thread wakes nobody: whoever waits looks up this often.
_LOOK_UP_S: Final = 0.5


def wait_for(stop: threading.Event) -> None:
    """Block until `stop` is set."""
    while not stop.wait(_LOOK_UP_S):
        pass


@contextmanager
def stop_asked(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """An event, `stop` or one of its own, that Ctrl-C and SIGTERM set, so that what was accepted is finished first."""
    stop = stop or threading.Event()
    # Another thread sets it: the one that waits for it may hold its lock just when the signal comes.
    before = [signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ())) for number in _NUMBERS]
    try:
        yield stop
    finally:
        for number, handler in zip(_NUMBERS, before, strict=True):
            signal.signal(number, handler)
