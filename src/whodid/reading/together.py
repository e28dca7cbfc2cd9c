"""What several ask of a store at the same moment is asked of it once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from whodid.stores.base import Asked, Result


class Together:
    """A store for those who ask at once, as the tiles of a page do: some of them are made of the same rows.

    Who asks what another one asks already has the same answer. Nothing is remembered, and who waited for an answer
    that failed or was stopped asks by itself.
    """

    def __init__(self, store: Asked):
        self.kind = store.kind
        self._store = store
        self._changing = threading.Lock()
        self._answers: dict[Any, Future[Result]] = {}

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
            own.set_exception(problem)
            raise
        else:
            own.set_result(found)
            return found
        finally:
            with self._changing:
                del self._answers[key]
