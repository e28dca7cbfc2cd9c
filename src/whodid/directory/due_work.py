"""Work that one of several servers has to do at a time: claimed by a row, taken over when its server went away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import Connection, and_, delete, or_, select, update

from whodid.directory import tables
from whodid.directory.database import Database

State = Literal["waiting", "running", "done", "failed"]

CANDIDATES_MAX: Final = 100
_ROWS: Final = tables.due_work


class Work(Struct, kw_only=True, frozen=True):
    """A piece of work. `given` is what it is to do, `outcome` what came of its last attempt."""

    kind: str
    name: str
    due: datetime
    state: State
    channel: str
    attempts: int
    next_at: datetime
    owner: str | None
    claimed_until: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    given: dict[str, Any]
    outcome: dict[str, Any] | None


class WorkBook:
    """The work of all servers of a directory. Methods block.

    Parameters
    ----------
    owner
        What this server is called among them.
    """

    def __init__(self, directory: Database, owner: str):
        self._directory = directory
        self.owner = owner

    def add(
        self,
        kind: str,
        name: str,
        due: datetime,
        *,
        channel: str,
        given: Mapping[str, Any],
        at: datetime,
        connection: Connection | None = None,
    ) -> bool:
        """Note something to do from `at` on; False when it is noted already. Within the transaction of `connection`."""
        row = {
            "kind": kind, "name": name, "due": due, "state": "waiting", "channel": channel, "attempts": 0,
            "next_at": at, "given": dict(given),
        }  # fmt: skip
        # Drivers count inserted rows differently; what is returned is there.
        put = self._directory.insert(_ROWS).values(row).on_conflict_do_nothing().returning(_ROWS.c.name)
        if connection is not None:
            return connection.execute(put).first() is not None
        with self._directory.writing() as own:
            return own.execute(put).first() is not None

    def claim(
        self, kinds: Iterable[str], *, at: datetime, hold_s: float, busy: Iterable[str] = (), limit: int = 1
    ) -> list[Work]:
        """Take what is due and nobody does, but for work of `busy` channels; it is ours for `hold_s` seconds.

        One piece for each channel. What a server claimed that went away is taken over when its time is over.
        """
        free = or_(
            and_(_ROWS.c.state == "waiting", _ROWS.c.next_at <= at),
            and_(_ROWS.c.state == "running", _ROWS.c.claimed_until < at),
        )
        wanted = select(_ROWS).where(_ROWS.c.kind.in_(list(kinds)), free, _ROWS.c.channel.not_in(list(busy)))
        with self._directory.reading() as connection:
            found = [_work(row) for row in connection.execute(wanted.order_by("next_at", "name").limit(CANDIDATES_MAX))]
        taken: dict[str, Work] = {}
        for work in found:
            if len(taken) < limit and work.channel not in taken and (ours := self._take(work, at, hold_s)):
                taken[work.channel] = ours
        return list(taken.values())

    def claim_one(self, kind: str, name: str, due: datetime, *, at: datetime, hold_s: float) -> Work | None:
        """Take this piece, if nobody does it and it is not done."""
        work = self.get(kind, name, due)
        return self._take(work, at, hold_s) if work is not None and work.state in ("waiting", "running") else None

    def extend(self, work: Work, *, at: datetime, hold_s: float) -> bool:
        """It goes on: it is ours for `hold_s` more seconds; False when somebody else has taken it over meanwhile."""
        with self._directory.writing() as connection:
            longer = update(_ROWS).where(self._ours(work)).values(claimed_until=at + timedelta(seconds=hold_s))
            return connection.execute(longer).rowcount > 0

    def done(self, work: Work, outcome: Mapping[str, Any], *, at: datetime) -> bool:
        """It is done; False when somebody else has taken it over meanwhile."""
        return self._end(work, {"state": "done", "outcome": dict(outcome), "finished_at": at})

    def failed(self, work: Work, outcome: Mapping[str, Any], *, at: datetime, again_at: datetime | None) -> bool:
        """An attempt failed; it is tried again then, or (None) no more. False when it was taken over meanwhile."""
        if again_at is None:
            return self._end(work, {"state": "failed", "outcome": dict(outcome), "finished_at": at})
        return self._end(work, {"state": "waiting", "outcome": dict(outcome), "next_at": again_at})

    def let_go(self, work: Work) -> bool:
        """Give it back undone, for whoever comes next."""
        return self._end(work, {"state": "waiting", "attempts": work.attempts - 1})

    def get(self, kind: str, name: str, due: datetime) -> Work | None:
        with self._directory.reading() as connection:
            row = connection.execute(select(_ROWS).where(*_key(kind, name, due))).first()
        return _work(row) if row is not None else None

    def list(self, kind: str, name: str | None = None, *, limit: int = 100) -> list[Work]:
        """The latest work of a kind, the latest first."""
        wanted = select(_ROWS).where(_ROWS.c.kind == kind).order_by(_ROWS.c.due.desc(), _ROWS.c.name).limit(limit)
        if name is not None:
            wanted = wanted.where(_ROWS.c.name == name)
        with self._directory.reading() as connection:
            return [_work(row) for row in connection.execute(wanted)]

    def forget(self, kind: str, name: str) -> None:
        """Take away what waits under a name."""
        with self._directory.writing() as connection:
            connection.execute(
                delete(_ROWS).where(_ROWS.c.kind == kind, _ROWS.c.name == name, _ROWS.c.state == "waiting")
            )

    def prune(self, before: datetime) -> int:
        """Forget what ended before a time."""
        with self._directory.writing() as connection:
            ended = _ROWS.c.state.in_(["done", "failed"])
            return connection.execute(delete(_ROWS).where(ended, _ROWS.c.finished_at < before)).rowcount

    def hold(self, name: str, *, at: datetime, hold_s: float) -> bool:
        """Whether this server has the lease of a name: as long as it asks for it in time, no other has."""
        leases = tables.leases
        values = {"owner": self.owner, "until": at + timedelta(seconds=hold_s)}
        put = self._directory.insert(leases).values(name=name, **values)
        put = put.on_conflict_do_update(
            index_elements=["name"], set_=values, where=(leases.c.until < at) | (leases.c.owner == self.owner)
        )
        with self._directory.writing() as connection:
            return connection.execute(put.returning(leases.c.name)).first() is not None

    def leave(self, name: str) -> None:
        """Give a lease back."""
        leases = tables.leases
        with self._directory.writing() as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.owner == self.owner))

    def _take(self, work: Work, at: datetime, hold_s: float) -> Work | None:
        changes = {
            "state": "running", "owner": self.owner, "claimed_until": at + timedelta(seconds=hold_s),
            "attempts": work.attempts + 1, "started_at": at,
        }  # fmt: skip
        with self._directory.writing() as connection:
            # Whoever changes the number of attempts from what both saw has it.
            seen = and_(*_key(work.kind, work.name, work.due), _ROWS.c.attempts == work.attempts)
            same = and_(seen, _ROWS.c.state == work.state, _ROWS.c.next_at == work.next_at)
            if not connection.execute(update(_ROWS).where(same).values(changes)).rowcount:
                return None
        return Work(**{name: getattr(work, name) for name in Work.__struct_fields__} | changes)

    def _end(self, work: Work, changes: Mapping[str, Any]) -> bool:
        with self._directory.writing() as connection:
            ended = {**changes, "owner": None, "claimed_until": None}
            return connection.execute(update(_ROWS).where(self._ours(work)).values(ended)).rowcount > 0

    def _ours(self, work: Work) -> Any:
        return and_(
            *_key(work.kind, work.name, work.due),
            _ROWS.c.state == "running",
            _ROWS.c.owner == self.owner,
            _ROWS.c.attempts == work.attempts,
        )


def _key(kind: str, name: str, due: datetime) -> tuple[Any, ...]:
    return _ROWS.c.kind == kind, _ROWS.c.name == name, _ROWS.c.due == due


def _work(row: Any) -> Work:
    return Work(**{name: getattr(row, name) for name in Work.__struct_fields__})
