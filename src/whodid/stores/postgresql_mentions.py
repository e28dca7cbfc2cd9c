"""Whom and what the events of a write mention."""

from __future__ import annotations

from datetime import datetime

from whodid.event import Entity, Event
from whodid.stores.base import Mentions, SeenEntity, SeenSession, SeenUser
from whodid.stores.postgresql_rows import uuid_text


class Collector:
    """Collects each login, session and entity once, with its first and last time."""

    def __init__(self) -> None:
        self._users: dict[str, SeenUser] = {}
        self._sessions: dict[str, SeenSession] = {}
        # Each name of a thing by itself: it keeps all of them.
        self._entities: dict[tuple[str, str, str | None], SeenEntity] = {}

    def add(self, event: Event, orig_address: str | None) -> None:
        """Take in an event that came from an address."""
        if event.user is not None:
            self._user(event.user, event.time)
        if event.acting_for is not None:
            self._user(event.acting_for, event.time)
        if event.session is not None:
            self._session(event.session, event, orig_address)
        for entity in event.entities:
            self._entity(entity, event.time)

    def mentions(self) -> Mentions:
        return Mentions(
            users=list(self._users.values()),
            sessions=list(self._sessions.values()),
            entities=list(self._entities.values()),
        )

    def _user(self, login: str, time: datetime) -> None:
        seen = self._users.get(login)
        if seen is None:
            self._users[login] = SeenUser(login=login, first=time, last=time)
        elif time > seen.last:
            seen.last = time
        elif time < seen.first:
            seen.first = time

    def _session(self, session: str, event: Event, orig_address: str | None) -> None:
        seen = self._sessions.get(session)
        if seen is None:
            self._sessions[session] = SeenSession(
                id=uuid_text(session),
                user=event.user,
                orig_address=orig_address,
                source=event.source,
                first=event.time,
                last=event.time,
            )
            return
        if event.time > seen.last:
            seen.last = event.time
        elif event.time < seen.first:
            seen.first, seen.source = event.time, event.source
            seen.user = event.user or seen.user
        seen.user = seen.user or event.user
        seen.orig_address = seen.orig_address or orig_address

    def _entity(self, entity: Entity, time: datetime) -> None:
        key = (entity.type, entity.id, entity.name)
        seen = self._entities.get(key)
        if seen is None:
            self._entities[key] = SeenEntity(type=key[0], id=key[1], name=key[2], first=time, last=time)
        elif time > seen.last:
            seen.last = time
        elif time < seen.first:
            seen.first = time
