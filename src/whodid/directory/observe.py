"""Users, sessions and entities that events mention appear by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, select

from whodid.directory import tables
from whodid.directory.database import now
from whodid.directory.entities import Entities, chunks, name_by_latest, type_by_latest
from whodid.directory.ids import entity_hex, session_hex
from whodid.directory.known import EXACT, STEP, Known, Span
from whodid.directory.upsert import Row, Upsert, time_text
from whodid.directory.users import personal_group_uuid
from whodid.stores.base import Mentions, Seen, SeenEntity, SeenSession, SeenUser

Name = TypeVar("Name", bound=Hashable)
Item = TypeVar("Item", bound=Seen)


class News(NamedTuple, Generic[Item]):
    """What is worth writing of a mention: `span` joined with what was known before."""

    item: Item
    span: Span
    before: Span | None


class Observation(Entities):
    """The part of the directory that learns from events."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._observing = threading.Lock()
        self._users: Known[str] = Known()
        self._sessions: Known[str] = Known()
        self._entities: Known[tuple[str, str]] = Known()
        self._names: Known[tuple[str, str, str | None]] = Known()

    def observe(self, mentions: Mentions) -> None:
        """Learn whom and what events mention, in one transaction. Again it changes nothing.

        Several servers may learn the same at once. First and last times of users and entities may lag by `known.STEP`.

        Raises
        ------
        WhodidError("unavailable")
            Temporary: the database cannot be reached; nothing was learned, so tell it again.
        """
        with self._observing:
            users = _news(self._users, mentions.users, lambda user: user.login, lambda _: None)
            sessions = _news(self._sessions, mentions.sessions, lambda one: one.id, lambda one: one.user, EXACT)
            entities = _news(self._entities, mentions.entities, lambda one: (one.type, one.id), lambda one: one.name)
            named = (one for one in mentions.entities if one.name is not None)
            names = _news(self._names, named, lambda one: (one.type, one.id, one.name), lambda _: None)
            if not (users or sessions or entities or names):
                return
            logins = users.keys() | {each.item.user for each in sessions.values() if each.item.user is not None}
            with self.writing() as connection:
                ids = self._learn_users(connection, users, logins)
                self._learn_sessions(connection, sessions, ids)
                self._learn_entities(connection, entities, [(name, each.span) for name, each in names.items()])
            _remember(self._users, users)
            _remember(self._sessions, sessions)
            _remember(self._entities, entities)
            _remember(self._names, names)

    def forget_known(self) -> None:
        for known in (self._users, self._sessions, self._entities, self._names):
            known.clear()

    def _learn_users(
        self, connection: Connection, news: dict[str, News[SeenUser]], logins: Iterable[str]
    ) -> dict[str, str]:
        """Write users; returns the ids of `logins`."""
        ids = {login: span.note for login in logins if (span := self._users.get(login)) is not None and span.note}
        missing = sorted(login for login in logins if login not in ids)
        found = _ids_of_users(connection, missing)
        groups, people = [], []
        known: list[Row] = []
        for login in missing:
            span = news[login].span if login in news else None
            if login not in found:
                found[login] = entity_hex("user", login)
                group = _hex(personal_group_uuid(login))
                groups.append((group, login, login, True))
                people.append((found[login], login, login, login, time_text(span.first) if span else None, group))
            if span is None:
                known.append((found[login], False, None, None))
        ids |= found
        for login, each in news.items():
            known.append((ids[login], False, time_text(each.span.first), time_text(each.span.last)))
            news[login] = each._replace(span=each.span._replace(note=ids[login]))
        _GROUPS.run(connection, groups)
        _USERS.run(connection, people)
        _KNOWN_USERS.run(connection, known)
        return ids

    def _learn_sessions(self, connection: Connection, news: dict[str, News[SeenSession]], ids: dict[str, str]) -> None:
        if not news:
            return
        idle = timedelta(milliseconds=self.session_idle_ms)
        cutoff = now() - idle
        is_live = any(span.last >= cutoff for _, span, _ in news.values())
        closed = self.closed_sessions(connection, cutoff - idle) if is_live else set()
        rows, known = [], []
        for name, (item, span, _) in news.items():
            identifier, last = session_hex(name), time_text(span.last)
            is_open = span.last >= cutoff and identifier not in closed
            user = ids[item.user] if item.user is not None else None
            ended = None if is_open else last
            rows.append((identifier, user, time_text(span.first), ended, item.orig_address, item.source))
            known.append((identifier, last))
        _KNOWN_SESSIONS.run(connection, known)
        _SESSIONS.run(connection, rows)

    def _learn_entities(
        self,
        connection: Connection,
        news: dict[tuple[str, str], News[SeenEntity]],
        named: list[tuple[tuple[str, str, str | None], Span]],
    ) -> None:
        types = {kind: entity_hex("entity-type", kind) for kind in {kind for kind, _ in news}}
        known, things, met, renamed, kinds = [], [], [], [], []
        for (kind, identifier), (_, span, before) in news.items():
            entity, name = entity_hex(kind, identifier), span.note
            seen = (time_text(span.first), time_text(span.last))
            known.append((entity, kind, identifier, *seen))
            if entity == identifier.replace("-", "").lower():
                # The id alone says what it is, so its type may change.
                kinds.append((entity, kind, *seen))
            if before is None:
                things.append((entity, name, name, types[kind], False))
                met.append(entity)
            elif name is not None and before.note != name:
                renamed.append(entity)
        names = [
            (entity_hex(kind, identifier), name, time_text(span.first), time_text(span.last))
            for (kind, identifier, name), span in named
        ]
        _TYPES.run(connection, [(types[kind], kind) for kind in types])
        if _ENTITIES.run(connection, things) < len(things):
            # Some were there already, and may have a later name.
            renamed += met
        _KNOWN_ENTITIES.run(connection, known)
        _NAMES.run(connection, names)
        name_by_latest(connection, sorted(renamed))
        _KINDS.run(connection, kinds)
        type_by_latest(connection, sorted({entity for entity, *_ in kinds}))


_SPANS: Final = ("first_seen", "last_seen")
_GROUPS: Final = Upsert(tables.groups, ("id", "name", "friendly_name", "personal"))
_USERS: Final = Upsert(tables.users, ("id", "login", "name", "friendly_name", "joined", "group_id"))
_KNOWN_USERS: Final = Upsert(tables.known_users, ("user_id", "made", *_SPANS), _SPANS)
_SESSIONS: Final = Upsert(
    tables.users_sessions,
    ("id", "user_id", "started", "ended", "ip", "type"),
    ("started", None),
    fill=("user_id", "ip"),
    open_end="ended",
)
_KNOWN_SESSIONS: Final = Upsert(tables.known_sessions, ("session_id", "last_seen"), (None, "last_seen"))
_TYPES: Final = Upsert(tables.entities_types, ("id", "name"))
_ENTITIES: Final = Upsert(tables.entities, ("id", "name", "friendly_name", "entity_type_id", "is_deleted"))
_KNOWN_ENTITIES: Final = Upsert(tables.known_entities, ("entity_id", "type", "id", *_SPANS), _SPANS)
_KINDS: Final = Upsert(tables.entity_kinds, ("entity_id", "type", *_SPANS), _SPANS)
_NAMES: Final = Upsert(tables.entity_names, ("entity_id", "name", *_SPANS), _SPANS)


def _ids_of_users(connection: Connection, logins: list[str]) -> dict[str, str]:
    users = tables.users
    ids: dict[str, str] = {}
    for chunk in chunks(logins):
        former = tables.former_logins.c
        for found in (
            select(former.login, former.user_id.label("id")).where(former.login.in_(chunk)),
            select(users.c.login, users.c.id).where(users.c.login.in_(chunk)),
        ):
            ids.update((row.login, _hex(row.id)) for row in connection.execute(found))
    return ids


def _hex(identifier: str) -> str:
    return identifier.replace("-", "")


def _news(
    known: Known[Name],
    items: Iterable[Item],
    name_of: Callable[[Item], Name],
    note_of: Callable[[Item], str | None],
    step: timedelta = STEP,
) -> dict[Name, News[Item]]:
    """The mentions that tell something; several of one thing as one."""
    news: dict[Name, News[Item]] = {}
    for item in items:
        name = name_of(item)
        told = Span(item.first, item.last, note_of(item))
        before = known.get(name)
        if before is not None and before.covers(told, step):
            continue
        already = news.get(name)
        span = already.span if already is not None else before
        news[name] = News(item, told if span is None else span.joined(told), before)
    return news


def _remember(known: Known[Name], news: dict[Name, News[Item]]) -> None:
    for name, each in news.items():
        known.put(name, each.span)
