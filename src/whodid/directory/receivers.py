"""Receivers: the servers that share this directory, how each stands, and what was lost with one.

Each writes a sign of life every few seconds, with the number up to which it has acknowledged events. Times are the
database's, so that receivers whose clocks differ do not look silent to each other. Several receivers may notice the
same of another; the one whose update counts tells of it.
"""

from __future__ import annotations

import time as clock
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from whodid.directory import tables
from whodid.directory.database import Database, now
from whodid.errors import WhodidError
from whodid.event import BY_ITSELF, Entity

STOPPED: Final = "stopped"
_ROWS: Final = tables.receivers


class Sign(Struct, kw_only=True):
    """A sign of life.

    state         `serving`, `draining` or `stopped`.
    journal       where what it acknowledged is durable: `disk` is lost with the receiver's disk.
    acknowledged  running number of the last event it acknowledged; 0 before the first.
    settled       a number up to which all is in the store; never beyond `acknowledged`.
    standing      how it stands besides, as plain values.
    """

    receiver: str
    name: str
    host: str
    folder: str
    address: str
    version: str
    journal: str
    state: str
    started_at: datetime
    acknowledged: int
    settled: int
    standing: dict[str, Any]


class Receiver(Struct, kw_only=True, frozen=True):
    """A receiver as the directory knows it.

    seen_s_ago      since its last sign of life, by the database's clock.
    clock_ahead_ms  its clock against the database's; negative: behind. None where they are the same.
    silent_at       since when it is missed: it said nothing for too long, and had not said that it stops.
    lost_at         when its journal was found to be gone, or given up.
    lost_first, lost_last
        running numbers that it had acknowledged and that are not in the store; None when there are none.
    replaced_by     the receiver that begun anew in its place.
    """

    receiver: str
    name: str
    host: str
    folder: str
    address: str
    version: str
    journal: str
    state: str
    started_at: datetime
    first_seen: datetime
    last_seen: datetime
    seen_s_ago: float
    acknowledged: int
    settled: int
    clock_ahead_ms: int | None
    standing: dict[str, Any]
    silent_at: datetime | None
    lost_at: datetime | None
    lost_first: int | None
    lost_last: int | None
    replaced_by: str | None
    retired_at: datetime | None
    retired_by: str | None

    @property
    def lost_events(self) -> int:
        """How many numbers were acknowledged and never stored."""
        return self.lost_last - self.lost_first + 1 if self.lost_first and self.lost_last else 0

    @property
    def now_is(self) -> str:
        """`retired`, `lost`, `silent`, or what it said last: `serving`, `draining`, `stopped`."""
        if self.retired_at is not None:
            return "retired"
        if self.lost_at is not None:
            return "lost"
        return "silent" if self.silent_at is not None else self.state


class Receivers(Database):
    """The part of the directory that knows receivers."""

    def note_receiver(self, sign: Sign) -> None:
        """Write a sign of life down. A receiver that was silent, given up or retired is back; a further one is news."""
        with self.writing() as connection:
            at, ahead_ms = self._clock(connection)
            told = {name: getattr(sign, name) for name in sign.__struct_fields__}
            changes = {**told, "last_seen": at, "clock_ahead_ms": ahead_ms}
            later = func.greatest if self.dialect == "postgresql" else func.max
            ours = _ROWS.c.receiver == sign.receiver
            was_away = or_(
                _ROWS.c.silent_at.is_not(None), _ROWS.c.lost_at.is_not(None), _ROWS.c.retired_at.is_not(None)
            )
            back = update(_ROWS).where(ours, was_away).values(**_PRESENT)
            if connection.execute(back).rowcount:
                self._say("receiver-back", sign.receiver, sign.name)
            further = {**changes, "settled": later(_ROWS.c.settled, sign.settled)}
            if connection.execute(update(_ROWS).where(ours).values(further)).rowcount:
                return
            is_further = connection.execute(select(_ROWS.c.receiver).limit(1)).first() is not None
            connection.execute(insert(_ROWS).values(**changes, first_seen=at))
            if not is_further:
                return
            told_of = {"host": sign.host, "folder": sign.folder, "address": sign.address, "version": sign.version}
            self._say("receiver-registered", sign.receiver, sign.name, after=told_of)

    def receivers(self, *, retired: bool = False) -> list[Receiver]:
        """The receivers by name; with `retired` those that were retired, too."""
        found = select(_ROWS).order_by(_ROWS.c.name, _ROWS.c.started_at)
        if not retired:
            found = found.where(_ROWS.c.retired_at.is_(None))
        with self.reading() as connection:
            at, _ = self._clock(connection)
            return [_receiver(row, at) for row in connection.execute(found)]

    def receiver(self, which: str) -> Receiver:
        """One receiver by its id, or by its name. Raises WhodidError("not_found"), ("conflict")."""
        known = self.receivers(retired=True)
        found = [one for one in known if one.receiver == which]
        found = found or [one for one in known if one.name == which and one.retired_at is None]
        found = found or [one for one in known if one.name == which]
        if not found:
            raise WhodidError("not_found", f"There is no receiver {which[:200]!r}.", "See: whodid receiver list")
        if len(found) > 1:
            ids = ", ".join(f"{one.receiver} ({one.now_is})" for one in found)
            raise WhodidError("conflict", f"{len(found)} receivers are called {which!r}.", f"Name one by its id: {ids}")
        return found[0]

    def tell_silent_receivers(self, silent_s: float) -> list[str]:
        """Mark receivers that said nothing for too long, and tell of each once; returns their names. 0: never.

        One that said that it stops is not missed.
        """
        if silent_s <= 0:
            return []
        silent = []
        with self.reading() as connection:
            at, _ = self._clock(connection)
            missed = and_(
                _ROWS.c.state != STOPPED,
                *(_ROWS.c[name].is_(None) for name in ("silent_at", "lost_at", "retired_at")),
                _ROWS.c.last_seen < at - timedelta(seconds=silent_s),
            )
            found = connection.execute(select(_ROWS.c.receiver, _ROWS.c.name, _ROWS.c.last_seen).where(missed)).all()
        for row in found:
            still = and_(_ROWS.c.receiver == row.receiver, _ROWS.c.last_seen == row.last_seen, missed)
            with self.writing() as connection:
                if connection.execute(update(_ROWS).where(still).values(silent_at=at)).rowcount:
                    self._say("receiver-silent", row.receiver, row.name, after={"last_seen": row.last_seen})
                    silent.append(row.name)
        return silent

    def lose_receiver(
        self, lost: Receiver, stored: int, *, replaced_by: str | None = None, by: str = BY_ITSELF
    ) -> Receiver:
        """A receiver's journal is gone, or nobody waits for it any more; told once.

        stored  the highest running number of it that is stored. What it acknowledged beyond that, and beyond what it
                said is settled, is the gap.
        """
        through = max(stored, lost.settled)
        gap = lost.journal == "disk" and lost.acknowledged > through
        first, last = (through + 1, lost.acknowledged) if gap else (None, None)
        same = and_(_ROWS.c.receiver == lost.receiver, _ROWS.c.lost_at.is_(None), _ROWS.c.last_seen == lost.last_seen)
        with self.writing() as connection:
            at, _ = self._clock(connection)
            changes = {"lost_at": at, "lost_first": first, "lost_last": last, "replaced_by": replaced_by}
            if connection.execute(update(_ROWS).where(same).values(changes)).rowcount:
                told: dict[str, Any] = {"events": lost.acknowledged - through if gap else 0}
                told |= {"first": first, "last": last, "last_seen": lost.last_seen, "replaced_by": replaced_by}
                self._say("receiver-lost", lost.receiver, lost.name, by=by, after=told)
        return self.receiver(lost.receiver)

    def retire_receiver(self, which: str, *, by: str | None = None) -> Receiver:
        """A receiver is shown no more, until it is back. Raises not_found, conflict."""
        found = self.receiver(which)
        if found.retired_at is None:
            with self.writing() as connection:
                at, _ = self._clock(connection)
                ours = and_(_ROWS.c.receiver == found.receiver, _ROWS.c.retired_at.is_(None))
                if connection.execute(update(_ROWS).where(ours).values(retired_at=at, retired_by=by)).rowcount:
                    self._say("receiver-retired", found.receiver, found.name, by=by)
        return self.receiver(found.receiver)

    def _clock(self, connection: Connection) -> tuple[datetime, int | None]:
        """The database's time, and how many ms this machine's clock is ahead of it."""
        if self.dialect == "sqlite":
            return now(), None
        asked = clock.monotonic()
        theirs: datetime = connection.execute(select(_DATABASE_TIME)).scalar_one().replace(tzinfo=UTC)
        took_s = clock.monotonic() - asked
        return theirs, round(((now() - theirs).total_seconds() - took_s / 2) * 1_000)

    def _say(
        self, kind: str, receiver: str, name: str, *, by: str | None = None, after: dict[str, Any] | None = None
    ) -> None:
        self.announce(kind, Entity(type="receiver", id=receiver, name=name), by=by or BY_ITSELF, after=after)


_PRESENT: Final = dict.fromkeys(
    ("silent_at", "lost_at", "lost_first", "lost_last", "replaced_by", "retired_at", "retired_by")
)
_DATABASE_TIME: Final[ColumnElement[datetime]] = func.timezone("UTC", func.clock_timestamp())


def _receiver(row: Any, at: datetime) -> Receiver:
    fields = {name: getattr(row, name) for name in Receiver.__struct_fields__ if name != "seen_s_ago"}
    return Receiver(**fields, seen_s_ago=max(0.0, (at - row.last_seen).total_seconds()))
