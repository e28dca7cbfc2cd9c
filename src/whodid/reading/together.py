"""What several ask of a store within a moment is asked of it once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from whodid.stores.base import Asked, Result

# Of the tiles of a page a few ask at once; others of the same rows begin when these have ended.
REMEMBERED_S: Final = 1.0


class Together:
    """A store for those who ask at once, as the tiles of a page do: some of them are made of the same rows.

    Who asks what another one asks already, or asked within `remembered_s`, has the same answer. Who waited for an
    answer that failed or was stopped asks by itself.
    """

    def __init__(self, store: Asked, *, remembered_s: float = REMEMBERED_S):
        self.kind = store.kind
        self._store = store
        self._remembered_s = remembered_s
        self._changing = threading.Lock()
        self._answers: dict[Any, Future[Result]] = {}
        # Questions that were answered, the earliest first, and until when their answers count.
        self._answered: dict[Any, float] = {}

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 30_000,
        trusted: bool = False,
    ) -> Result:
        """See `Asked.query`."""
        ask = partial(self._store.query, sql, params, limit=limit, timeout_ms=timeout_ms, trusted=trusted)
        key = (sql, repr(params), limit, trusted)
        with self._changing:
            self._forget()
            answer = self._answers.get(key)
            if answer is None:
                own = self._answers[key] = Future()
        if answer is not None:
            with suppress(Exception):
                return answer.result(timeout_ms / 1000)
            return ask()
        try:
            found = ask()
        except BaseException as problem:
            with self._changing:
                del self._answers[key]
            own.set_exception(problem)
            raise
        with self._changing:
            self._answered[key] = time.monotonic() + self._remembered_s
        own.set_result(found)
        return found

    def _forget(self) -> None:
        """Drop the answers whose time is over."""
        now = time.monotonic()
        over = [key for key, until in self._answered.items() if until <= now]
        for key in over:
            del self._answered[key], self._answers[key]
