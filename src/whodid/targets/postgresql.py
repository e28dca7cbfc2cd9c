"""PostgreSQL: events as rows of the four tables in any database, made and written by the store of that kind.

A delivery is handed to `stores.base.Store.write` as a batch. Its number, the place, is committed with its rows, so that
both are there or neither; events whose id is there already change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Final

from whodid.errors import WhodidError
from whodid.event import Event
from whodid.journal.base import Array, Frame
from whodid.plugins import STORES, load
from whodid.stores.base import Store
from whodid.targets.base import BaseTarget, Context, Delivery, Offered, Refusal, Sent, TargetOption

_PLACES: Final = "SELECT receiver, number FROM whodid.journal_position WHERE starts_with(receiver, $prefix)"
_STORED: Final = "SELECT CAST(id AS text) AS id FROM whodid.events WHERE id = ANY($ids)"
# What is kept aside begins with the event's id.
_REASONS: Final = """
SELECT substr(raw, 8, 36) AS id, code, message FROM whodid.rejected_events WHERE substr(raw, 8, 36) = ANY($ids)
"""
# Under what the place of test events and replays is kept: they move no other.
_TRIAL: Final = "trial"
# What is said to who may not come in, or asks wrongly; such errors have no code to go by. Others are temporary.
_NOT_LET_IN: Final = (
    *("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry"),
    *("is not permitted to log in", "permission denied", "certificate verify failed", "does not match host name"),
    *("invalid sslmode", "invalid connection option"),
)


class PostgreSQLTarget(BaseTarget):
    """Rows in the tables that other programs and whodid itself read (`postgresql.md`), which are made and upgraded on
    opening."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("url", None, "URL", "postgresql://user:password@host/database?sslmode=verify-full; its user "
                     "owns the tables", secret=True),
    )  # fmt: skip
    EVENTS_MAX: ClassVar[int | None] = 10_000
    EXACTLY_ONCE: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        if context.format != "native":
            raise WhodidError(
                "invalid", f"Rows are made of events in the native format, not of {context.format}.", field="format"
            )
        if not options["url"].startswith(("postgresql://", "postgres://")):
            raise WhodidError(
                "invalid", "url is no address of a PostgreSQL database.", "postgresql://user@host/database", field="url"
            )
        self._prefix = f"target/{context.id}/{context.receiver}/"
        self._store: Store | None = None

    def open(self) -> Mapping[str, int]:
        made = load(STORES, "postgresql")
        try:
            self._store = made(self.options["url"])
        except WhodidError as error:
            raise _explained(error) from error.__cause__
        rows = self._opened.query(_PLACES, {"prefix": self._prefix}, trusted=True, limit=100_000).table.to_pylist()
        places = {row["receiver"].removeprefix(self._prefix): row["number"] for row in rows}
        return {receiver: place for receiver, place in places.items() if receiver != _TRIAL}

    def send(self, delivery: Delivery) -> Sent:
        store = self._opened
        name, number = f"{self._prefix}{delivery.receiver}", delivery.last
        if self.context.testing:
            name = f"{self._prefix}{_TRIAL}"
            number = store.position(name) + 1
        offered = list(delivery.events())
        written = store.write([_Batch(name, number, offered)])
        refused = self._refused(offered) if written.rejects else []
        events = len(offered) - len(refused)
        answer = f"{written.events} rows added, {written.duplicates} were there"
        return Sent(events, sum(map(len, delivery.lines())), refused, answer)

    def close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    @property
    def _opened(self) -> Store:
        if self._store is None:
            raise WhodidError("unavailable", "The connection to PostgreSQL was given up.")
        return self._store

    def _refused(self, offered: Sequence[Offered]) -> list[Refusal]:
        """Which of the events are kept aside over there, and why."""
        store, ids = self._opened, [one.event.id for one in offered]
        most = len(ids)
        stored = set(store.query(_STORED, {"ids": ids}, trusted=True, limit=most).table["id"].to_pylist())
        missing = [one for one in offered if one.event.id not in stored]
        rows = store.query(_REASONS, {"ids": [one.event.id for one in missing]}, trusted=True, limit=100_000)
        reasons = {row["id"]: (row["code"], row["message"]) for row in rows.table.to_pylist()}
        return [Refusal(one.seq, *reasons.get(one.event.id, ("invalid", "It is not there."))) for one in missing]


class _Batch:
    """A delivery as `journal.base.Batch`."""

    path: Path | None = None
    rejects_count = 0

    def __init__(self, receiver: str, number: int, offered: Sequence[Offered]):
        self.receiver = receiver
        self.number = number
        self.count = len(offered)
        self.size_bytes = 0
        self._offered = offered

    def frames(self) -> Iterator[Frame]:
        """Events of one provenance with numbers that follow each other are a frame."""
        numbered = enumerate(self._offered)
        for _, group in groupby(numbered, key=lambda pair: (id(pair[1].provenance), pair[1].seq - pair[0])):
            run = [offered for _, offered in group]
            events: list[Event] = [offered.event for offered in run]
            yield Frame(provenance=run[0].provenance, seq=run[0].seq, events=events)

    def array(self) -> Array | None:
        return None


def _explained(error: WhodidError) -> WhodidError:
    """An error of connecting; permanent where the server says that this user or database may not."""
    told = str(error.__cause__ or "").strip().splitlines()
    words = next((line for line in told if any(word in line for word in _NOT_LET_IN)), None)
    if error.code != "unavailable" or words is None:
        return error
    told_by_server = words.partition("FATAL:")[2].strip() or words
    return WhodidError("forbidden", f"PostgreSQL: {told_by_server[:300]}.", "Check url; then resume.")
