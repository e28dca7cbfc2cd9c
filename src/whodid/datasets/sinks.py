"""Where imported events go: into the journal of this process, or to a server."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from whodid.errors import WhodidError
from whodid.journal.base import Draft, Intake

if TYPE_CHECKING:
    import httpx

    from whodid.stores.base import Store
    from whodid.stores.writer import WriterStatus

LOAD_EVENTS: Final = 122_880
"""A row group of the embedded store. Loads of so many events, exactly, cost least: with 2,000 more each takes a
twentieth longer, because these are a row group by themselves; fewer go through the store's log first, a fifth
longer."""

# So many drafts are asked for at once.
_MOMENTS: Final = 1_000


class Writer(Protocol):
    """What stores a journal's events, as far as sinks know it."""

    def flush(self, timeout_s: float) -> None: ...
    def status(self) -> WriterStatus: ...


class Outcome(NamedTuple):
    """What the store made of the events sent: new ones, and ones that it had; whether rejections are kept too.

    new_are_told  False where `stored` may hold events that the store had: a server finds them only later.
    filtered      events that a server's policy left out.
    refused       events that a server did not take from this key, by the reason; it keeps them as rejected.
    """

    stored: int
    duplicates: int
    rejects_kept: bool = True
    new_are_told: bool = True
    filtered: int = 0
    refused: Mapping[str, int] = MappingProxyType({})


class Sink(Protocol):
    """Takes drafts. `send` returns when the draft is durable; temporary errors are for the caller to wait out."""

    def send(self, draft: Draft) -> None: ...

    def finish(self, timeout_s: float) -> Outcome:
        """Wait until all that was sent is stored."""


class JournalSink:
    """The journal of this process, whose writer stores what it holds.

    seal  ends what is stored at once; called where `LOAD_EVENTS` were sent. None leaves that to the journal.
    """

    def __init__(self, journal: Intake, writer: Writer, *, seal: Callable[[], object] | None = None):
        self._journal = journal
        self._writer = writer
        self._seal = seal
        self._unsealed = 0
        before = writer.status()
        self._stored, self._duplicates = before.stored, before.duplicates

    def send(self, draft: Draft) -> None:
        # Before the draft: sent again after an error, it is not there twice.
        if self._seal is not None and self._unsealed >= LOAD_EVENTS:
            self._seal()
            self._unsealed = 0
        self._journal.append_blocking(draft)
        self._unsealed += draft.count

    def finish(self, timeout_s: float) -> Outcome:
        self._writer.flush(timeout_s)
        after = self._writer.status()
        return Outcome(after.stored - self._stored, after.duplicates - self._duplicates)


class SharedJournalSink:
    """The journal of this process while others write into it, too: what became of the own events is asked of the store,
    which knows them by when each draft was received."""

    def __init__(self, journal: Intake, writer: Writer, store: Store):
        self._journal = journal
        self._writer = writer
        self._store = store
        self._sent: list[datetime] = []
        self._count = 0

    def send(self, draft: Draft) -> None:
        self._journal.append_blocking(draft)
        self._count += draft.count
        if draft.count:
            self._sent.append(draft.received_at)

    def finish(self, timeout_s: float) -> Outcome:
        self._writer.flush(timeout_s)
        stored = sum(
            self._stored(self._sent[start : start + _MOMENTS]) for start in range(0, len(self._sent), _MOMENTS)
        )
        return Outcome(stored, self._count - stored)

    def _stored(self, moments: list[datetime]) -> int:
        listed = ", ".join(f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'" for moment in moments)
        names = ", ".join(f"'{name}'" for name in self._journal.streams)
        sql = f"SELECT count(*) AS n FROM events WHERE receiver IN ({names}) AND received_at IN ({listed})"  # noqa: S608
        table = self._store.query(sql, trusted=True, timeout_ms=600_000).table
        return int(table.column("n")[0].as_py())


class ServerSink:
    """A running server, by its import door; by the door for all events where an older server has none for this key.

    Raises WhodidError with the code that the server answers; "unavailable" when it cannot be reached.
    """

    def __init__(self, url: str, key: str | None = None):
        import httpx

        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._client = httpx.Client(base_url=url, headers=headers, timeout=60.0)
        except httpx.InvalidURL as error:
            raise WhodidError("invalid", f"{url!r} is no URL of a server: {error}.") from error
        self._by_import_door = True
        self._accepted = 0
        self._duplicates = 0
        self._filtered = 0
        self._refused: Counter[str] = Counter()
        self._rejects_kept = True

    def send(self, draft: Draft) -> None:
        if self._by_import_door:
            from whodid.datasets.door import PATH
            from whodid.datasets.handed import body_of

            answer = self._post(PATH, body_of(draft), "application/x-ndjson")
            self._by_import_door = answer.status_code not in _DOOR_CLOSED
        if not self._by_import_door:
            self._rejects_kept = self._rejects_kept and not draft.rejects
            if not draft.count:
                return
            answer = self._post("/v1/events", draft.events, "application/json")
        if answer.status_code != 200:
            raise _error_of(answer)
        told = answer.json()
        self._accepted += told["accepted"]
        self._duplicates += told.get("duplicates", 0)
        self._filtered += told.get("filtered", 0)
        self._refused.update(f"{each['code']}: {each['message']}" for each in told.get("rejected", ()))

    def finish(self, timeout_s: float) -> Outcome:
        """What the server said. It finds out only later which events it had stored long ago: these count as stored."""
        return Outcome(
            self._accepted,
            self._duplicates,
            self._rejects_kept,
            new_are_told=False,
            filtered=self._filtered,
            refused=self._refused,
        )

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, content: bytes, media_type: str) -> httpx.Response:
        import httpx

        try:
            return self._client.post(path, content=content, headers={"content-type": media_type})
        except httpx.HTTPError as error:
            raise WhodidError(
                "unavailable", f"{self._client.base_url} cannot be reached: {error}.", "Is the server running?"
            ) from error


# An older server, which has no such door, or closes it to keys that are bound to topics or nodes.
_DOOR_CLOSED: Final = (403, 404, 405)


def _error_of(answer: httpx.Response) -> WhodidError:
    try:
        error = answer.json()["error"]
        said = WhodidError(error["code"], error["message"], error.get("hint"))
        said.kind  # noqa: B018 (an unknown code is no answer of whodid's)
    except (ValueError, KeyError, TypeError):
        said = WhodidError("unavailable", f"{answer.url} answered {answer.status_code}.", "Is that a whodid server?")
    wait_s = answer.headers.get("retry-after", "")
    said.retry_after_s = int(wait_s) if wait_s.isdigit() else None
    return said


def send_patiently(sink: Sink, draft: Draft, *, for_ever: bool = False, patience_s: float = 60.0) -> None:
    """Send, waiting as long as the journal is busy, and up to `patience_s` for what cannot be reached.

    for_ever  wait as long as it takes, for disk space too.

    Raises
    ------
    WhodidError("full")
        Temporary: no disk space. What was sent before is kept; the same import goes on there once there is space.
    WhodidError("unavailable")
        Temporary: not reached within `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    pause_s = 0.05
    while True:
        try:
            return sink.send(draft)
        except WhodidError as error:
            waits = error.kind.temporary if for_ever else error.code in ("busy", "unavailable", "timeout")
            if not waits or (error.code != "busy" and not for_ever and time.monotonic() > deadline):
                raise
            time.sleep(min(error.retry_after_s or pause_s, 5.0))
            pause_s = min(pause_s * 2, 1.0)
