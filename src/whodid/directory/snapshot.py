"""Who may do what, held in memory, so that no request asks the database.

A snapshot is replaced as a whole, never changed. A thread looks four times a second whether another process changed
something; while the database cannot be reached the last snapshot stands, so that posting goes on.
"""

from __future__ import annotations

import logging
import threading
import time as clock
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, update

from whodid.directory import tables
from whodid.directory.database import Database, now
from whodid.directory.granted import grants_by_login
from whodid.directory.model import BrowserSession, Grant, Key
from whodid.errors import WhodidError

LOOK_S: Final = 0.25
LAST_USED_S: Final = 5.0

_log = logging.getLogger("whodid.directory")


class Snapshot(NamedTuple):
    """What counts at this moment. `keys` and `sessions` go by the SHA-256 of their secret and hold only valid ones.

    `grants` are the roles of users, by login, through groups too. `server_keys` are the secrets that servers sign
    with, by name.
    """

    epoch: int
    closed: bool
    keys: Mapping[bytes, Key]
    sessions: Mapping[bytes, BrowserSession]
    settings: Mapping[str, Any]
    stale_at: datetime | None
    grants: Mapping[str, tuple[Grant, ...]]
    server_keys: Mapping[str, bytes]


class Watched(Database):
    """The part of the directory that keeps a snapshot, and notes which keys were used."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.snapshot: Snapshot = self._load()
        self.used: set[str] = set()
        self.seen: set[str] = set()
        self._refreshing = threading.Lock()
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def refresh(self) -> Snapshot:
        """Look whether something changed; the snapshot that counts."""
        with self._refreshing:
            if self._is_stale():
                self.snapshot = self._load()
                self.forget_known()
            return self.snapshot

    def watch(self) -> None:
        """Refresh by itself from now on, until `close`."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="whodid-directory", daemon=True)
            self._watcher.start()

    def has_keys_or_users(self) -> bool:
        """Whether somebody ever made a key or a user: from then on nobody is let in without one."""
        return self.snapshot.closed

    def note_used(self) -> None:
        """Write down that the keys in `used` were used, and the browsers in `seen` seen; one statement for each."""
        used, self.used = self.used, set()
        seen, self.seen = self.seen, set()
        if not used and not seen:
            return
        keys, browsers, at = tables.keys, tables.browser_sessions, now()
        noted = (
            (update(keys).where(keys.c.id == bindparam("key")).values(last_used_at=at), used),
            (update(browsers).where(browsers.c.id == bindparam("key")).values(last_seen_at=at), seen),
        )
        try:
            with self.writing() as connection:
                for statement, names in noted:
                    if names:
                        connection.execute(statement, [{"key": name} for name in sorted(names)])
        except WhodidError:
            self.used |= used
            self.seen |= seen
            raise

    def forget_known(self) -> None:
        """Told when something changed: what is remembered of users may be out of date."""

    def look_after(self) -> None:
        """Called every `LAST_USED_S` seconds while watching: what ends by the passing of time."""

    def close(self) -> None:
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()
        try:
            self.note_used()
        except WhodidError as error:
            _log.warning("When keys were last used could not be noted: %s", error.message)
        super().close()

    def _watch(self) -> None:
        noted_at = clock.monotonic()
        reachable = True
        while not self._stopped.wait(LOOK_S):
            try:
                self.refresh()
                if clock.monotonic() - noted_at >= LAST_USED_S:
                    noted_at = clock.monotonic()
                    self.note_used()
                    self.look_after()
                reachable = True
            except Exception as error:
                # Whatever it is: without this thread a revoked key would count until the server ends.
                if reachable:
                    known = isinstance(error, WhodidError)
                    _log.warning("%s What was known last goes on to count.", error, exc_info=not known)
                reachable = False

    def _is_stale(self) -> bool:
        if self.snapshot.stale_at is not None and now() >= self.snapshot.stale_at:
            return True
        with self.reading() as connection:
            epoch: int = connection.execute(select(tables.directory_state.c.epoch)).scalar_one()
        return epoch != self.snapshot.epoch

    def _load(self) -> Snapshot:
        at = now()
        with self.reading() as connection:
            state = connection.execute(select(tables.directory_state)).one()
            keys = _valid_keys(connection, at)
            sessions = _valid_sessions(connection, at)
            values = connection.execute(select(tables.settings.c.name, tables.settings.c.value)).all()
            grants = grants_by_login(connection)
            signing = connection.execute(select(tables.server_keys.c.name, tables.server_keys.c.secret)).all()
        ends = [key.expires_at for key in keys.values() if key.expires_at is not None]
        ends += [ends_at(session) for session in sessions.values()]
        return Snapshot(
            epoch=state.epoch,
            closed=state.closed,
            keys=keys,
            sessions=sessions,
            settings={row.name: row.value for row in values},
            stale_at=min(ends, default=None),
            grants=grants,
            server_keys={row.name: row.secret for row in signing},
        )


def key_of(row: Any) -> Key:
    """The Key of a row of `keys`."""
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        topics=tuple(row.topics),
        nodes=tuple(row.nodes),
        routing_keys=tuple(row.routing_keys),
        node_type=row.node_type,
        user=row.user,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def session_of(row: Any) -> BrowserSession:
    """The BrowserSession of a row of `browser_sessions`."""
    fields = {name: getattr(row, name) for name in BrowserSession.__struct_fields__}
    return BrowserSession(**fields | {"scopes": tuple(row.scopes)})


def ends_at(session: BrowserSession) -> datetime:
    """When a browser session ends if nothing more is asked."""
    if session.idle_ms is None:
        return session.expires_at
    seen = session.last_seen_at or session.created_at
    return min(session.expires_at, seen + timedelta(milliseconds=session.idle_ms))


def _valid_keys(connection: Connection, at: datetime) -> dict[bytes, Key]:
    keys = tables.keys
    valid = select(keys).where(keys.c.revoked_at.is_(None), (keys.c.expires_at.is_(None)) | (keys.c.expires_at > at))
    valid = valid.where(~_is_inactive(keys.c.user))
    return {row.digest: key_of(row) for row in connection.execute(valid)}


def _valid_sessions(connection: Connection, at: datetime) -> dict[bytes, BrowserSession]:
    sessions = tables.browser_sessions
    valid = select(sessions).where(sessions.c.expires_at > at, ~_is_inactive(sessions.c.user))
    found = {row.digest: session_of(row) for row in connection.execute(valid)}
    return {digest: session for digest, session in found.items() if ends_at(session) > at}


def _is_inactive(login: Any) -> Any:
    """Whether a column's login is that of a user who was deactivated."""
    users, known = tables.users.c, tables.known_users.c
    return exists().where(users.login == login, known.user_id == users.id, known.active.is_(False))
