"""Sessions: opened by a sign-in or by events that name them, ended by a sign-out or by silence.

`users_sessions` has the columns that existing SQL uses; what is known besides lies in `known_sessions`. A session is
open while `ended` is empty. One whose last event is older than the idle time ends at that event: every server looks
every few seconds (`end_idle_sessions`), and so does whoever lists sessions; doing it twice changes nothing. An event
that comes late moves the end; one that is not even idle-old opens the session again, unless somebody ended it.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, case, delete, exists, or_, select, update

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.memberships import Provisioning
from whodid.directory.model import Session
from whodid.directory.users import is_uuid
from whodid.errors import WhodidError
from whodid.event import foreign_id

IDLE_MS: Final = 30 * 60 * 1000
IDLE: Final = "idle"
SIGN_OUT: Final = "sign-out"
TEXT_MAX: Final = 1_000


class Sessions(Provisioning):
    """The part of the directory that knows sessions. `session_idle_ms` is how long one may be silent."""

    session_idle_ms: int = IDLE_MS

    def open_session(
        self,
        user: str | None,
        *,
        id: str | None = None,
        type: str = "browser",
        ip: str | None = None,
        user_agent: str | None = None,
        client: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Open a session of `user` (a login; None for nobody in particular); returns its id, a UUID.

        id          by default a fresh one; one that is there already is joined to the user and goes on.
        type        what kind of session: `browser` for a sign-in.
        ip, user_agent, client
                    where from, with what; texts beyond `TEXT_MAX` characters are cut.
        Raises      WhodidError("not_found") when there is no such user.
        """
        session_id, moment = id or str(uuid.uuid4()), at or now()
        with self.writing() as connection:
            user_id = self._user(connection, user).id if user is not None else None
            row = {"id": session_id, "user_id": user_id, "started": moment, "ip": _cut(ip), "type": type[:TEXT_MAX]}
            put = self.insert(tables.users_sessions).values(row)
            joined = {name: row[name] for name in ("user_id", "ip") if row[name] is not None}
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_={**joined, "ended": None}))
            more = {"last_seen": moment, "user_agent": _cut(user_agent), "client": _cut(client)}
            known = self.insert(tables.known_sessions).values(session_id=session_id, **more)
            connection.execute(
                known.on_conflict_do_update(
                    index_elements=["session_id"], set_={**more, "closed_at": None, "closed_by": None}
                )
            )
        self.forget_known()
        return session_id

    def end_session(self, which: str, *, by: str = SIGN_OUT, at: datetime | None = None) -> Session:
        """End a session at this moment, and sign out the browser whose session it is. Again it changes nothing.

        by      who or what ends it: `sign-out`, or the login of who does this.
        Raises  WhodidError("not_found").
        """
        moment = at or now()
        sessions, known, browsers = tables.users_sessions, tables.known_sessions, tables.browser_sessions
        with self.writing() as connection:
            session = self._session(connection, which)
            signed_in = connection.execute(delete(browsers).where(browsers.c.id == session.id)).rowcount
            if session.ended is None:
                last = max(moment, session.last_seen or moment)
                put = self.insert(known).values(session_id=session.id, last_seen=last, closed_at=moment, closed_by=by)
                connection.execute(
                    put.on_conflict_do_update(
                        index_elements=["session_id"], set_={"closed_at": moment, "closed_by": by[:TEXT_MAX]}
                    )
                )
                connection.execute(update(sessions).where(sessions.c.id == session.id).values(ended=last))
            if signed_in:
                touch(connection)
            ended = self._session(connection, session.id)
        if signed_in:
            self.refresh()
        return ended

    def session(self, which: str) -> Session:
        """The session of this id (an id that is no UUID is known by the UUID made of it). Raises not_found."""
        self.end_idle_sessions()
        with self.reading() as connection:
            return self._session(connection, which)

    def sessions(
        self,
        *,
        user: str | None = None,
        anonymous: bool | None = None,
        type: str | None = None,
        open: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
        offset: int = 0,
    ) -> list[Session]:
        """Sessions, those that began last first.

        user        of this login. Raises WhodidError("not_found").
        anonymous   only those without user, or only those with one.
        open        only those that go on, or only those that have ended.
        since, until  those that had events, or were open, in this span.
        """
        self.end_idle_sessions()
        sessions, known = tables.users_sessions.c, tables.known_sessions.c
        found = _sessions().order_by(sessions.started.desc(), sessions.id).limit(limit).offset(offset)
        if anonymous is not None:
            found = found.where(sessions.user_id.is_(None) if anonymous else sessions.user_id.is_not(None))
        if type is not None:
            found = found.where(sessions.type == type)
        if open is not None:
            found = found.where(sessions.ended.is_(None) if open else sessions.ended.is_not(None))
        if since is not None:
            found = found.where(or_(sessions.ended.is_(None), sessions.ended >= since, known.last_seen >= since))
        if until is not None:
            found = found.where(sessions.started < until)
        with self.reading() as connection:
            if user is not None:
                found = found.where(sessions.user_id == self._user(connection, user).id)
            return [_session_of(row) for row in connection.execute(found)]

    def end_idle_sessions(self, *, at: datetime | None = None) -> int:
        """End the sessions that were silent for `session_idle_ms`, and those that were ended while events of them
        came in at another server. Cheap when there are none; returns how many ended."""
        due = _due((at or now()) - timedelta(milliseconds=self.session_idle_ms))
        sessions = tables.users_sessions
        with self.reading() as connection:
            if connection.execute(select(sessions.c.id).where(due).limit(1)).first() is None:
                return 0
        known = tables.known_sessions.c
        end = case((known.closed_at > known.last_seen, known.closed_at), else_=known.last_seen)
        told = select(end).where(known.session_id == sessions.c.id).scalar_subquery()
        with self.writing() as connection:
            return connection.execute(update(sessions).where(due).values(ended=told)).rowcount

    def forget_sessions(self, before: datetime, limit: int = 1_000) -> int:
        """Forget sessions that ended before a time, at most `limit`; returns how many. Their events stay."""
        sessions, known = tables.users_sessions, tables.known_sessions
        old = select(sessions.c.id).where(sessions.c.ended < before).order_by(sessions.c.ended).limit(limit)
        with self.writing() as connection:
            ids = list(connection.execute(old).scalars())
            connection.execute(delete(known).where(known.c.session_id.in_(ids)))
            connection.execute(delete(sessions).where(sessions.c.id.in_(ids)))
        if ids:
            self.forget_known()
        return len(ids)

    def look_after(self) -> None:
        super().look_after()
        self.end_idle_sessions()

    def closed_sessions(self, connection: Connection, since: datetime) -> set[str]:
        """The sessions that somebody ended since then, as 32 hex digits."""
        known = tables.known_sessions.c
        found = connection.execute(select(known.session_id).where(known.closed_at >= since)).scalars()
        return {identifier.replace("-", "") for identifier in found}

    @staticmethod
    def _session(connection: Connection, which: str) -> Session:
        session_id = str(uuid.UUID(which)) if is_uuid(which) else foreign_id(which)
        row = connection.execute(_sessions().where(tables.users_sessions.c.id == session_id)).first()
        if row is None:
            raise WhodidError("not_found", f"There is no session {which[:200]!r}.", "See: GET /v1/sessions")
        return _session_of(row)


def _due(cutoff: datetime) -> Any:
    """Open sessions that are over: somebody ended them, and nothing but what was under way came since; or silence."""
    sessions, known = tables.users_sessions.c, tables.known_sessions.c
    silent = or_(known.last_seen < cutoff, known.closed_at.is_not(None))
    return sessions.ended.is_(None) & exists().where(known.session_id == sessions.id, silent)


def _sessions() -> Select[Any]:
    sessions, known, users = tables.users_sessions, tables.known_sessions, tables.users
    return (
        select(
            sessions,
            users.c.login.label("login"),
            known.c.last_seen,
            known.c.closed_at,
            known.c.closed_by,
            known.c.user_agent,
            known.c.client,
        )
        .join(known, known.c.session_id == sessions.c.id, isouter=True)
        .join(users, users.c.id == sessions.c.user_id, isouter=True)
    )


def _session_of(row: Any) -> Session:
    ended_by = (row.closed_by if row.closed_at is not None else IDLE) if row.ended is not None else None
    return Session(
        id=row.id,
        user_id=row.user_id,
        user=row.login,
        started=row.started,
        last_seen=row.last_seen or row.ended,
        ended=row.ended,
        ended_by=ended_by,
        ip=row.ip,
        type=row.type,
        user_agent=row.user_agent,
        client=row.client,
    )


def _cut(text: str | None) -> str | None:
    return text[:TEXT_MAX] if text else None
