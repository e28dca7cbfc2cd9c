"""Sending one event now, in the caller's thread, for `audit_sync`."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Final

from whodid.client.backoff import Backoff
from whodid.client.delivery import EVENTS_PATH
from whodid.client.settings import Settings
from whodid.client.spool import body_of
from whodid.client.stats import Counters
from whodid.client.transport import Answer, Transport
from whodid.errors import CODES, WhodidError

_CODE_OF_STATUS: Final = {kind.status: code for code, kind in CODES.items() if not kind.temporary}
_IDLE_MAX: Final = 4


class SyncSender:
    """A few kept-alive connections, one for each caller at a time."""

    def __init__(self, settings: Settings, counters: Counters):
        self._settings = settings
        self._counters = counters
        self.clear()
        _senders.add(self)

    def clear(self) -> None:
        """Begin anew, as a fork does."""
        self._lock = threading.Lock()
        self._idle: list[Transport] = []

    def send(self, event: bytes, timeout_s: float) -> None:
        """Return when the server has the event on its disk. Raises WhodidError; see `Logger.audit_sync`."""
        transport = self._take()
        try:
            self._send(transport, body_of([event]), time.monotonic() + timeout_s)
        finally:
            self._give(transport)

    def close(self) -> None:
        with self._lock:
            for transport in self._idle:
                transport.close()
            self._idle = []

    def _send(self, transport: Transport, body: bytes, deadline: float) -> None:
        backoff = Backoff(self._settings.retry_min_ms / 1000, self._settings.retry_max_ms / 1000)
        while True:
            left_s = deadline - time.monotonic()
            transport.timeout_s = max(0.001, min(left_s, self._settings.request_timeout_ms / 1000))
            asked_s = None
            try:
                answer = transport.post(EVENTS_PATH, body)
            except OSError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if answer.is_taken and not answer.rejected:
                    if answer.told.get("filtered"):
                        self._counters.add(logged=1, filtered=1)
                        raise _left_out()
                    self._counters.add(logged=1, sent=1)
                    return
                if not answer.is_temporary:
                    raise _refused(answer)
                reason, asked_s = answer.reason(), answer.retry_after_s
            wait_s = backoff.next_s(asked_s)
            if time.monotonic() + wait_s >= deadline:
                raise WhodidError(
                    "unavailable",
                    f"The server {self._settings.url} did not take the event in time: {reason}",
                    "It may have it if only the answer was lost; sending it again with the same id does not double it.",
                )
            self._counters.add(retries=1)
            time.sleep(wait_s)

    def _take(self) -> Transport:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        settings = self._settings
        return Transport(settings.url, settings.key, timeout_s=settings.request_timeout_ms / 1000, tls=settings.tls)

    def _give(self, transport: Transport) -> None:
        with self._lock:
            if len(self._idle) < _IDLE_MAX:
                self._idle.append(transport)
                return
        transport.close()


def _left_out() -> WhodidError:
    return WhodidError(
        "forbidden",
        "The server's policy leaves this event out: it is not kept.",
        "See its rules with: whodid policy list; one before them can log events of this type for this user.",
    )


def _refused(answer: Answer) -> WhodidError:
    rejected = answer.rejected
    reason = str(rejected[0].get("message")) if rejected else answer.reason()
    code = "invalid" if rejected else _CODE_OF_STATUS.get(answer.status, "invalid")
    return WhodidError(code, f"The server refused the event: {reason}", "Nothing is kept of it here.")


_senders: weakref.WeakSet[SyncSender] = weakref.WeakSet()


def _forget_in_fork() -> None:
    for sender in list(_senders):
        sender.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_fork)
