"""A few connections to a store's engine, kept for the next caller."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from whodid.errors import WhodidError

IDLE_MAX: Final = 4
BUSY_MAX: Final = 16

Held = TypeVar("Held")


class Pool(ABC, Generic[Held]):
    """Connections; one that failed is thrown away, so that the next caller gets a new one.

    All of it may be called from several threads at once.
    """

    def __init__(self) -> None:
        self._idle: list[Held] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(BUSY_MAX)
        self._closed = False

    @abstractmethod
    def _open(self) -> Held:
        """Another connection. Raises WhodidError("unavailable"), temporary, when no server answers."""

    @abstractmethod
    def _end(self, held: Held) -> None:
        """Close a connection that is of no more use."""

    @abstractmethod
    def _is_whole(self, held: Held, problem: BaseException | None) -> bool:
        """Whether a connection serves the next caller, too, after the block of this one, which raised `problem`."""

    def _still_answers(self, held: Held) -> bool:
        """Whether one that was idle can be used."""
        return True

    @contextmanager
    def one(self, *, wait_s: float = 30.0) -> Iterator[Held]:
        """A connection outside any transaction, for the length of a block.

        Raises
        ------
        WhodidError("busy")
            Temporary: `BUSY_MAX` others were at work for `wait_s` seconds.
        WhodidError("unavailable")
            Temporary: no server answers, or the store is closed.
        """
        if not self._slots.acquire(timeout=wait_s):
            raise WhodidError("busy", f"{BUSY_MAX} queries are running already.", "Try again soon.", retry_after_s=1)
        try:
            held = self._take()
            try:
                yield held
            except BaseException as problem:
                self._give_back(held, problem)
                raise
            self._give_back(held, None)
        finally:
            self._slots.release()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for held in idle:
            self._end(held)

    def _take(self) -> Held:
        while (held := self._taken_idle()) is not None:
            if self._still_answers(held):
                return held
            self._end(held)
        return self._open()

    def _taken_idle(self) -> Held | None:
        with self._lock:
            if self._closed:
                raise WhodidError("unavailable", "The store is closed.", retry_after_s=1)
            return self._idle.pop() if self._idle else None

    def _give_back(self, held: Held, problem: BaseException | None) -> None:
        is_whole = self._is_whole(held, problem)
        with self._lock:
            if is_whole and not self._closed and len(self._idle) < IDLE_MAX:
                self._idle.append(held)
                return
        self._end(held)
