"""What clients of PostgreSQL share: connections that wait without end for nobody.

A machine that is gone without a word is the system's to notice, in half a minute; alone it would take a quarter of an
hour. A server that stands still (its disk hangs, its processes are stopped) is none of the system's concern, whose
lines go on; there `within` says how long is waited.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

CONNECT_TIMEOUT_S: Final = 10

_NOTICED: Final[dict[str, Any]] = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

T = TypeVar("T")


class Silent(psycopg.OperationalError):
    """The server said nothing for too long."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed, with an error, when the server says nothing for `silent_s` while it is asked."""

    silent_s: float | None = None

    @contextmanager
    def within(self, silent_s: float | None) -> Iterator[None]:
        """For the length of a block wait for so long at most; None: without end."""
        before, self.silent_s = self.silent_s, silent_s
        try:
            yield
        finally:
            self.silent_s = before

    def wait(self, gen: PQGen[T], *limits: Any, **more: Any) -> T:
        """As the driver does, but not without end."""
        if self.silent_s is None:
            return super().wait(gen, *limits, **more)
        try:
            return super().wait(_bounded(gen, self.silent_s), *limits, **more)
        except Silent:
            # What it would have answered must not be taken for the answer to something else.
            self.close()
            raise


def connect(url: str, *, within_s: float | None = None, **more: Any) -> Connection:
    """A connection, within `CONNECT_TIMEOUT_S` or so many seconds, 2 at least. Raises psycopg.Error."""
    timeout_s = math.ceil(CONNECT_TIMEOUT_S if within_s is None else min(within_s, CONNECT_TIMEOUT_S))
    return Connection.connect(url, connect_timeout=timeout_s, **_NOTICED, **more)


def _bounded(gen: PQGen[T], silent_s: float) -> PQGen[T]:
    """The driver's steps, until the other side was silent for so long. The driver looks in ten times a second."""
    until = time.monotonic() + silent_s
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + silent_s
            elif time.monotonic() > until:
                raise Silent(f"it has said nothing for {silent_s:g} s")
            wanted = gen.send(ready)
    except StopIteration as ended:
        result: T = ended.value
        return result
