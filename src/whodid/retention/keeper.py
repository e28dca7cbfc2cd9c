"""Sees to it once a day that what is too old goes, in short steps; of several servers one does it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from whodid.directory import Directory
from whodid.directory.due_work import Work, WorkBook
from whodid.errors import WhodidError
from whodid.event import BY_ITSELF, Event, new_id
from whodid.retention.rule import retention_of
from whodid.stores.base import Store

KIND: Final = "retention"
# A quiet hour in most of the world that has offices.
HOUR_UTC: Final = 2
LOOK_S: Final = 30.0
# A server that goes away in the middle is replaced after this; one that goes on says so with every step.
HOLD_S: Final = 600.0
AGAIN_S: Final = 600.0
ATTEMPTS_MAX: Final = 5
# Between two steps, so that what comes in meanwhile has its turn.
PAUSE_S: Final = 0.05
SESSIONS_AT_ONCE: Final = 1_000
_log = logging.getLogger("whodid.retention")


class Keeper:
    """Takes away what is too old.

    Parameters
    ----------
    owner
        What this server is called among those that share the directory.
    record
        Makes an event of whodid's own durable.
    """

    def __init__(self, store: Store, directory: Directory, *, owner: str, record: Callable[[Event], None]):
        self._store = store
        self._directory = directory
        self._record = record
        self._book = WorkBook(directory, owner)
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread = threading.Thread(target=self._run, name="whodid-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a step that runs is finished."""
        self._stop.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join()

    def ask(self, *, by: str | None = None) -> None:
        """Have it done soon instead of tonight."""
        at = datetime.now(UTC)
        self._book.add(KIND, "asked", at, channel=KIND, given={"by": by}, at=at)
        self._asked.set()

    def runs(self, limit: int = 20) -> list[Work]:
        """The last times, the latest first."""
        return [work for work in self._book.list(KIND, limit=limit) if work.state != "waiting"]

    def look(self, at: datetime) -> bool:
        """Do what is due; whether there was anything."""
        if not retention_of(self._directory).keeps_all:
            due = at.replace(hour=HOUR_UTC, minute=0, second=0, microsecond=0)
            due = due if due <= at else due - timedelta(days=1)
            self._book.add(KIND, "daily", due, channel=KIND, given={}, at=due)
        works = self._book.claim([KIND], at=at, hold_s=HOLD_S)
        for work in works:
            self._do(work)
        return bool(works)

    def forget(self, at: datetime, work: Work | None = None) -> dict[str, int]:
        """Take away what is too old at a time, for as long as the work is this server's; how many of what went."""
        retention = retention_of(self._directory)
        gone: dict[str, int] = {}
        try:
            for level in retention.levels:
                gone[level] = 0
                before = retention.before(level, at)
                more = True
                while more and self._may_go_on(work):
                    step = self._store.forget(level, before)
                    gone[level] += step.events
                    more = step.more and not self._stop.wait(PAUSE_S)
            if retention.sessions is not None:
                gone["sessions"] = self._forget_sessions(at - timedelta(days=retention.sessions), work)
        finally:
            self._tell(gone, at)
        return gone

    def _forget_sessions(self, before: datetime, work: Work | None) -> int:
        gone = 0
        while self._may_go_on(work) and (step := self._directory.forget_sessions(before, SESSIONS_AT_ONCE)):
            gone += step
        return gone

    def _may_go_on(self, work: Work | None) -> bool:
        """Not while stopping, nor with work that another server has taken over because this one seemed gone."""
        if self._stop.is_set():
            return False
        return work is None or self._book.extend(work, at=datetime.now(UTC), hold_s=HOLD_S)

    def _do(self, work: Work) -> None:
        try:
            gone = self.forget(datetime.now(UTC), work)
        except WhodidError as error:
            at = datetime.now(UTC)
            again = at + timedelta(seconds=AGAIN_S) if work.attempts < ATTEMPTS_MAX else None
            self._book.failed(work, {"error": error.message}, at=at, again_at=again)
            return
        if self._stop.is_set():
            self._book.let_go(work)
            return
        self._book.done(work, gone, at=datetime.now(UTC))

    def _tell(self, gone: dict[str, int], at: datetime) -> None:
        """One event with how much went of what; none when nothing did."""
        counted = {name: count for name, count in gone.items() if count}
        if not counted:
            return
        retention = retention_of(self._directory)
        before = {level: retention.before(level, at).isoformat() for level in gone if level in retention.levels}
        told: dict[str, Any] = {"forgotten": counted, "before": before}
        self._record(
            Event(
                id=new_id(),
                time=datetime.now(UTC),
                type="events-forgotten",
                source="server",
                user=BY_ITSELF,
                description="Took away what is older than the retention.",
                parameters=msgspec.Raw(msgspec.json.encode(told)),
            )
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                while self.look(datetime.now(UTC)) and not self._stop.is_set():
                    pass
            except WhodidError as error:
                _log.warning("Retention waits: %s", error.message)
            except Exception:
                # Whatever it is: without this thread nothing would be taken away until the server starts again.
                _log.exception("Retention failed; it is tried again.")
            self._asked.wait(LOOK_S)
            self._asked.clear()
