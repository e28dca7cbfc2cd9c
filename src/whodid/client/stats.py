"""What became of the messages, in numbers; and reports to the program's own log, once for each kind of trouble."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from msgspec import Struct

log: Final = logging.getLogger("whodid.client")

REPORT_AGAIN_S: Final = 3600.0


class Stats(Struct, kw_only=True):
    """Counts since the Logger was made (in a fork: since the fork). `waiting` is what it holds at this moment.

    logged      messages put in line.                    sent        taken by the server, now on its disk.
    duplicates  the server had them already.             filtered    left out by the server's policy, here or there.
    rejected    refused by the server, which kept them.  dead        refused, kept in the folder `dead` of the spool.
    dropped     lost: no room in buffer and spool.       discarded   kept back by a processor.
    adopted     left by a process that ended, sent here. retries     posts that had to be made again.
    callback_failures  processors that threw.            failures    messages that could not be made.
    waiting     not yet settled.                         spooled     of these, on disk.
    """

    logged: int = 0
    sent: int = 0
    duplicates: int = 0
    filtered: int = 0
    rejected: int = 0
    dead: int = 0
    dropped: int = 0
    discarded: int = 0
    adopted: int = 0
    retries: int = 0
    callback_failures: int = 0
    failures: int = 0
    waiting: int = 0
    spooled: int = 0


class Counters:
    """The counts behind `Stats`, and what has been reported."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew, as a fork does."""
        self._lock = threading.Lock()
        self.counts = Stats()
        self._reported: dict[str, float] = {}

    def add(self, **more: int) -> None:
        with self._lock:
            for name, count in more.items():
                if count:
                    setattr(self.counts, name, getattr(self.counts, name) + count)

    def report(self, kind: str, text: str, *arguments: object, error: BaseException | None = None) -> None:
        """Warn the program's own log, once an hour for each kind of trouble at most."""
        with self._lock:
            at = time.monotonic()
            if at - self._reported.get(kind, -REPORT_AGAIN_S) < REPORT_AGAIN_S:
                return
            self._reported[kind] = at
        log.warning(text, *arguments, exc_info=error)

    def mended(self, kind: str, text: str, *arguments: object) -> None:
        """Tell the end of a trouble that was reported; the next one will be reported again."""
        with self._lock:
            if self._reported.pop(kind, None) is None:
                return
        log.info(text, *arguments)
