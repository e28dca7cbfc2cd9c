"""Batches as the store writer handles them: in groups, looked through for mentions, or replaced by an apology."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from whodid.event import Event, Provenance, Rejection
from whodid.journal.base import Batch, Frame
from whodid.stores.base import Mentions, Seen, SeenEntity, SeenSession, SeenUser

_Seen = TypeVar("_Seen", bound=Seen)


class Apology:
    """Stands in the place of batches that cannot be stored, up to a number: one rejection that tells of them."""

    path: Path | None = None
    count = 0
    rejects_count = 1

    def __init__(self, receiver: str, number: int, message: str, *, code: str, raw_size_bytes: int | None = None):
        self.receiver = receiver
        self.number = number
        self.size_bytes = len(message)
        reject = Rejection(index=0, code=code, message=message, raw_size_bytes=raw_size_bytes)
        provenance = Provenance(received_at=datetime.now(UTC), receiver=receiver)
        self._frame = Frame(provenance=provenance, seq=0, events=[], rejects=[reject])

    def frames(self) -> Iterator[Frame]:
        yield self._frame

    def array(self) -> None:
        return None


def groups(batches: Sequence[Batch], size_bytes_max: int) -> Iterator[list[Batch]]:
    """Runs of batches of at most `size_bytes_max` bytes together; a larger batch is a run of its own."""
    group: list[Batch] = []
    size_bytes = 0
    for batch in batches:
        if group and size_bytes + batch.size_bytes > size_bytes_max:
            yield group
            group, size_bytes = [], 0
        group.append(batch)
        size_bytes += batch.size_bytes
    if group:
        yield group


class Gathered:
    """Mentions of several writes as if they were of one."""

    def __init__(self, mentions: Mentions):
        self._users = {seen.login: seen for seen in mentions.users}
        self._sessions = {seen.id: seen for seen in mentions.sessions}
        self._entities = {(seen.type, seen.id, seen.name): seen for seen in mentions.entities}

    def __len__(self) -> int:
        return len(self._users) + len(self._sessions) + len(self._entities)

    def add(self, later: Mentions) -> None:
        """Take in the mentions of a later write."""
        for user in later.users:
            _merge(self._users, user.login, user)
        for session in later.sessions:
            _merge(self._sessions, session.id, session)
        for entity in later.entities:
            _merge(self._entities, (entity.type, entity.id, entity.name), entity)

    @property
    def mentions(self) -> Mentions:
        return Mentions(
            users=[*self._users.values()], sessions=[*self._sessions.values()], entities=[*self._entities.values()]
        )


def mentions_of(batches: Sequence[Batch]) -> Mentions:
    """Whom and what batches mention, read frame by frame: for the few that a crash left behind."""
    users: dict[str, SeenUser] = {}
    sessions: dict[str, SeenSession] = {}
    entities: dict[tuple[str, str, str | None], SeenEntity] = {}
    for frame in (frame for batch in batches for frame in batch.frames()):
        for event in frame.events:
            for login in filter(None, (event.user, event.acting_for)):
                _merge(users, login, SeenUser(login=login, first=event.time, last=event.time))
            if event.session is not None:
                _merge(sessions, event.session, _session(event, frame.provenance))
            for one in event.entities:
                seen = SeenEntity(type=one.type, id=one.id, name=one.name, first=event.time, last=event.time)
                _merge(entities, (one.type, one.id, one.name), seen)
    return Mentions(users=[*users.values()], sessions=[*sessions.values()], entities=[*entities.values()])


def _session(event: Event, provenance: Provenance) -> SeenSession:
    return SeenSession(
        id=event.session or "",
        user=event.user,
        orig_address=provenance.orig_address,
        source=event.source,
        first=event.time,
        last=event.time,
    )


_Key = TypeVar("_Key")


def _merge(known: dict[_Key, _Seen], key: _Key, seen: _Seen) -> None:
    before = known.setdefault(key, seen)
    before.first = min(before.first, seen.first)
    before.last = max(before.last, seen.last)
    if isinstance(before, SeenSession) and isinstance(seen, SeenSession):
        # A login within the session makes it that user's.
        before.user = before.user or seen.user
        before.orig_address = before.orig_address or seen.orig_address
