"""The courier: brings batches of the outbox to a collector, in order, until each was taken; and tells it is alive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import httpx
import msgspec
from msgspec import Struct

from whodid.agent.outbox import LANES, Lane, Outbox, Parcel
from whodid.agent.settings import Settings
from whodid.agent.wire import EVENTS_PATH, HEARTBEAT_PATH, Answer, Hello, first_line
from whodid.client.backoff import Backoff
from whodid.errors import CODES, WhodidError
from whodid.journal import crash
from whodid.typed import decode

_TIMEOUT_S: Final = 60.0
_PAUSE_S_MAX: Final = 30.0
# Codes that mean the batch itself, whoever sends it and whenever.
_FOR_GOOD: Final = frozenset({"invalid", "too_large", "unsupported"})
_CLOCK_OFF_S: Final = 60.0

_log = logging.getLogger("whodid.agent")


class Sent(Struct, kw_only=True):
    """What the courier did since the start; counts are what collectors answered."""

    batches: int = 0
    events: int = 0
    size_bytes: int = 0
    duplicates: int = 0
    filtered: int = 0
    rejected: int = 0
    refused_batches: int = 0
    last_at: datetime | None = None


class Refusal(NamedTuple):
    """Why a request did not go through. `for_good` means this batch will never be taken."""

    message: str
    for_good: bool = False
    retry_after_s: float | None = None
    tries_next: bool = True


class Courier:
    """Sends from a thread of its own.

    hello  who sends, as it is now.
    """

    def __init__(self, settings: Settings, outbox: Outbox, hello: Callable[[], Hello]):
        self._settings = settings
        self._outbox = outbox
        self._hello = hello
        self._stop = threading.Event()
        self._server = 0
        self._secret = settings.secret()
        self._client = self._opened()
        self._pauses = Backoff(0.5, _PAUSE_S_MAX)
        self._pace = Pace(settings.rate_bytes_s, settings.rate_events_s)
        self._heartbeat_due_s = 0.0
        self._thread = threading.Thread(target=self._run, name="whodid-agent-send", daemon=True)
        self.sent = Sent()
        self.trouble: str | None = None
        self.clock_ahead_s: float | None = None
        self.node: str | None = None

    @property
    def server(self) -> str:
        """The collector that is asked now."""
        return self._settings.servers[self._server]

    def start(self) -> None:
        self._thread.start()

    def close(self, drain_s: float = 0.0) -> None:
        """Stop; before that send for up to `drain_s` seconds what waits to be sent, if the collector takes it."""
        deadline_s = time.monotonic() + drain_s
        while self.trouble is None and self._outbox.first(("live",)) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        self._stop.set()
        self._outbox.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._step():
                    self._rest()
            except Exception:
                _log.exception("Sending failed in a way that should not be.")
                self.trouble = "internal error; the log says more"
                self._stop.wait(_PAUSE_S_MAX)

    def _step(self) -> bool:
        """Send one batch or sign of life; False when nothing is due."""
        if time.monotonic() >= self._heartbeat_due_s:
            refusal = self._ask(HEARTBEAT_PATH, msgspec.json.encode(self._hello()), packed=False)
            if refusal is not None:
                self._wait_out(refusal)
                return True
            self._went_well()
        parcel = self._outbox.first(("live",)) or (self._outbox.first() if self._pace.is_free() else None)
        if parcel is None:
            return False
        self._send(parcel)
        return True

    def _send(self, parcel: Parcel) -> None:
        hello = self._hello()
        # As it stands once this one is taken.
        hello.waiting_events -= parcel.events
        hello.waiting_bytes -= parcel.size_bytes
        try:
            body = first_line(hello) + parcel.path.read_bytes()
        except FileNotFoundError:
            # Somebody emptied the outbox by hand; what comes after it must not wait for it.
            _log.error("A batch of %d events is lost: %s is gone.", parcel.events, parcel.path)
            self._outbox.remove(parcel)
            return
        crash.point("agent.before-send")
        refusal = self._ask(EVENTS_PATH, body, packed=True)
        if refusal is None:
            crash.point("agent.after-answer")
            self._outbox.remove(parcel)
            self._pace.spent(len(body), parcel.events)
            self.sent.batches += 1
            self.sent.size_bytes += len(body)
            self._went_well()
        elif refusal.for_good:
            aside = self._outbox.bury(parcel)
            self.sent.refused_batches += 1
            _log.error("The collector refuses a batch for good: %s It is kept in %s.", refusal.message, aside)
        else:
            self._wait_out(refusal)

    def _ask(self, path: str, body: bytes, *, packed: bool) -> Refusal | None:
        headers = {"content-type": "application/x-ndjson" if packed else "application/json"}
        if packed:
            headers["content-encoding"] = "gzip"
        if self._secret:
            headers["authorization"] = f"Bearer {self._secret}"
        began = datetime.now(UTC)
        try:
            response = self._client.post(path, content=body, headers=headers)
        except httpx.HTTPError as error:
            return Refusal(f"{self.server} cannot be reached: {error or type(error).__name__}.")
        if response.status_code != 200:
            return _refusal(response)
        try:
            answer = decode(response.content, Answer)
        except msgspec.DecodeError:
            return Refusal(f"{self.server} is no whodid collector: it answers {response.content[:80]!r}.")
        self.node = answer.node
        if path == EVENTS_PATH:
            self._count(answer)
        else:
            self._compare_clocks(began, answer.time)
        return None

    def _count(self, answer: Answer) -> None:
        sent = self.sent
        sent.events += answer.accepted
        sent.duplicates += answer.duplicates
        sent.filtered += answer.filtered
        sent.rejected += answer.rejected
        sent.last_at = datetime.now(UTC)

    def _compare_clocks(self, began: datetime, theirs: datetime) -> None:
        ended = datetime.now(UTC)
        ahead_s = (began + (ended - began) / 2 - theirs).total_seconds()
        was_off = self.clock_ahead_s is not None and abs(self.clock_ahead_s) > _CLOCK_OFF_S
        if abs(ahead_s) > _CLOCK_OFF_S and not was_off:
            _log.warning("This machine's clock is %+.0f s off the collector's.", ahead_s)
        self.clock_ahead_s = round(ahead_s, 3)

    def _went_well(self) -> None:
        if self.trouble is not None:
            _log.warning("%s takes events again.", self.server)
        self.trouble = None
        self._pauses.reset()
        self._heartbeat_due_s = time.monotonic() + self._settings.heartbeat_s

    def _wait_out(self, refusal: Refusal) -> None:
        if refusal.message != self.trouble:
            _log.warning("%s It is tried again until it goes through.", refusal.message)
        self.trouble = refusal.message
        if refusal.tries_next and len(self._settings.servers) > 1:
            self._next_server()
        self._stop.wait(self._pauses.next_s(refusal.retry_after_s))
        self._reread_key()

    def _next_server(self) -> None:
        self._server = (self._server + 1) % len(self._settings.servers)
        self._client.close()
        self._client = self._opened()

    def _reread_key(self) -> None:
        try:
            self._secret = self._settings.secret()
        except WhodidError as error:
            _log.warning("%s", error)

    def _rest(self) -> None:
        """Until there is something to send, or a sign of life is due."""
        due_s = self._heartbeat_due_s - time.monotonic()
        free_s = self._pace.free_in_s()
        lanes: tuple[Lane, ...] = LANES if free_s <= 0 else ("live",)
        self._outbox.wait(lanes, min(due_s, free_s if free_s > 0 else due_s))

    def _opened(self) -> httpx.Client:
        return httpx.Client(base_url=self.server, timeout=_TIMEOUT_S)


class Pace:
    """How fast what lay there from before may go: bytes and events a second; 0 for no limit."""

    def __init__(self, bytes_s: int, events_s: int):
        self._bytes_s = bytes_s
        self._events_s = events_s
        self._free_at_s = 0.0

    def spent(self, size_bytes: int, events: int) -> None:
        """So much was sent."""
        took_s = max(
            size_bytes / self._bytes_s if self._bytes_s else 0, events / self._events_s if self._events_s else 0
        )
        self._free_at_s = max(self._free_at_s, time.monotonic()) + took_s

    def free_in_s(self) -> float:
        return self._free_at_s - time.monotonic()

    def is_free(self) -> bool:
        return self.free_in_s() <= 0


def _refusal(response: httpx.Response) -> Refusal:
    wait = response.headers.get("retry-after", "")
    retry_after_s = float(wait) if wait.isdigit() else None
    try:
        error = response.json()["error"]
        code, message = error["code"], f"{error['message']} {error.get('hint') or ''}".strip()
        known = CODES[code]
    except (ValueError, KeyError, TypeError):
        return Refusal(f"{response.url.host} answers {response.status_code}.", retry_after_s=retry_after_s)
    told = f"The collector says: {message}"
    return Refusal(
        told,
        for_good=code in _FOR_GOOD,
        retry_after_s=retry_after_s,
        tries_next=known.temporary,
    )
