"""Users, sessions and entities that events mention appear by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Table, func, select, update

from whodid.directory import tables
from whodid.directory.groups import Groups
from whodid.directory.known import Known, Span
from whodid.directory.model import Entity, EntityName, Session
from whodid.directory.users import is_uuid, personal_group_uuid, user_uuid
from whodid.errors import WhodidError
from whodid.event import entity_uuid, foreign_id
from whodid.stores.base import Mentions, Seen, SeenEntity, SeenSession, SeenUser

# Parameters of one statement; SQLite takes 32,766.
CHUNK_ROWS: Final = 500

Name = TypeVar("Name", bound=Hashable)
Item = TypeVar("Item", bound=Seen)
Row = dict[str, Any]


class News(NamedTuple, Generic[Item]):
    """What is worth writing of a mention: `span` joined with what was known before."""

    item: Item
    span: Span
    before: Span | None


class Observation(Groups):
    """The part of the directory that learns from events."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._observing = threading.Lock()
        self._users: Known[str] = Known()
        self._sessions: Known[str] = Known()
        self._entities: Known[tuple[str, str]] = Known()

    def observe(self, mentions: Mentions) -> None:
        """Learn whom and what events mention, in one transaction. Again it changes nothing.

        Several servers may learn the same at once. First and last times may lag by `known.STEP`.

        Raises
        ------
        WhodidError("unavailable")
            Temporary: the database cannot be reached; nothing was learned, so tell it again.
        """
        with self._observing:
            users = _news(self._users, mentions.users, lambda user: user.login, lambda _: None)
            sessions = _news(self._sessions, mentions.sessions, lambda session: session.id, lambda one: one.user)
            entities = _news(self._entities, mentions.entities, lambda one: (one.type, one.id), lambda one: one.name)
            if not (users or sessions or entities):
                return
            logins = users.keys() | {each.item.user for each in sessions.values() if each.item.user is not None}
            with self.writing() as connection:
                ids = self._learn_users(connection, users, logins)
                self._learn_sessions(connection, sessions, ids)
                self._learn_entities(connection, entities)
            _remember(self._users, users)
            _remember(self._sessions, sessions)
            _remember(self._entities, entities)

    def forget_known(self) -> None:
        for known in (self._users, self._sessions, self._entities):
            known.clear()

    def entity(self, entity_type: str, entity_id: str) -> Entity:
        """A thing that events mentioned. Raises not_found."""
        known, entities = tables.known_entities, tables.entities
        found = select(known, entities.c.name).join(entities, entities.c.id == known.c.entity_id)
        with self.reading() as connection:
            row = connection.execute(found.where(known.c.type == entity_type, known.c.id == entity_id)).first()
        if row is None:
            raise WhodidError(
                "not_found", f"No event mentioned {entity_type} {entity_id!r}.", "Type and id have to be exact."
            )
        return _entity_of(row)

    def entities(
        self, *, entity_type: str | None = None, text: str | None = None, limit: int = 1_000, offset: int = 0
    ) -> list[Entity]:
        """Things that events mentioned, the latest first; `text` is looked for in name and id."""
        known, entities = tables.known_entities, tables.entities
        found = select(known, entities.c.name).join(entities, entities.c.id == known.c.entity_id)
        if entity_type is not None:
            found = found.where(known.c.type == entity_type)
        if text:
            found = found.where(
                entities.c.name.icontains(text, autoescape=True) | known.c.id.icontains(text, autoescape=True)
            )
        found = found.order_by(known.c.last_seen.desc(), known.c.entity_id).limit(limit).offset(offset)
        with self.reading() as connection:
            return [_entity_of(row) for row in connection.execute(found)]

    def entity_names(self, entity_type: str, entity_id: str) -> list[EntityName]:
        """The names a thing had, the latest first."""
        names = tables.entity_names
        of = names.c.entity_id == str(entity_uuid(entity_type, entity_id))
        with self.reading() as connection:
            found = connection.execute(select(names).where(of).order_by(names.c.last_seen.desc(), names.c.name))
            return [EntityName(name=row.name, first_seen=row.first_seen, last_seen=row.last_seen) for row in found]

    def sessions(self, *, user: str | None = None, limit: int = 1_000) -> list[Session]:
        """Sessions, the latest first; of one user's login if given. Raises not_found."""
        sessions = tables.users_sessions
        found = select(sessions).order_by(sessions.c.started.desc(), sessions.c.id).limit(limit)
        with self.reading() as connection:
            if user is not None:
                found = found.where(sessions.c.user_id == self._user(connection, user).id)
            return [
                Session(**{name: getattr(row, name) for name in Session.__struct_fields__})
                for row in connection.execute(found)
            ]

    def _learn_users(
        self, connection: Connection, news: dict[str, News[SeenUser]], logins: Iterable[str]
    ) -> dict[str, str]:
        """Write users; returns the ids of `logins`."""
        users = tables.users
        ids: dict[str, str] = {}
        wanted = sorted(logins)
        for chunk in _chunks(wanted):
            found = connection.execute(select(users.c.login, users.c.id).where(users.c.login.in_(chunk)))
            ids.update((row.login, row.id) for row in found)
        groups, people, known = [], [], []
        for login in wanted:
            span = news[login].span if login in news else None
            if login not in ids:
                ids[login] = user_uuid(login)
                group = personal_group_uuid(login)
                groups.append({"id": group, "name": login, "friendly_name": login, "personal": True})
                names = {"login": login, "name": login, "friendly_name": login, "group_id": group}
                people.append({"id": ids[login], **names, "joined": span.first if span else None})
            seen = {"first_seen": span.first if span else None, "last_seen": span.last if span else None}
            known.append({"user_id": ids[login], "made": False, **seen})
        self._put(connection, tables.groups, groups)
        self._put(connection, users, people)
        self._put(connection, tables.known_users, known, spans=("first_seen", "last_seen"))
        return ids

    def _learn_sessions(self, connection: Connection, news: dict[str, News[SeenSession]], ids: dict[str, str]) -> None:
        rows = [
            {
                "id": name.lower() if is_uuid(name) else foreign_id(name),
                "user_id": ids[each.item.user] if each.item.user is not None else None,
                "started": each.span.first,
                "ended": each.span.last,
                "ip": each.item.orig_address,
                "type": each.item.source,
            }
            for name, each in news.items()
        ]
        self._put(connection, tables.users_sessions, rows, spans=("started", "ended"), fill=("user_id", "ip"))

    def _learn_entities(self, connection: Connection, news: dict[tuple[str, str], News[SeenEntity]]) -> None:
        types = {kind: str(entity_uuid("entity-type", kind)) for kind, _ in news}
        known, things, names, renamed = [], [], [], []
        for (kind, identifier), each in news.items():
            entity = str(entity_uuid(kind, identifier))
            name = each.item.name
            seen = {"first_seen": each.span.first, "last_seen": each.span.last}
            known.append({"entity_id": entity, "type": kind, "id": identifier, **seen})
            if each.before is None:
                shown = {"name": name, "friendly_name": name}
                things.append({"id": entity, **shown, "entity_type_id": types[kind], "is_deleted": False})
            if name is not None:
                span = {"first_seen": each.item.first, "last_seen": each.item.last}
                names.append({"entity_id": entity, "name": name, **span})
                if each.before is None or each.before.note != name:
                    renamed.append(entity)
        self._put(connection, tables.entities_types, [{"id": types[kind], "name": kind} for kind in types])
        self._put(connection, tables.entities, things)
        self._put(connection, tables.known_entities, known, spans=("first_seen", "last_seen"))
        self._put(connection, tables.entity_names, names, spans=("first_seen", "last_seen"))
        _name_by_latest(connection, sorted(renamed))

    def _put(
        self,
        connection: Connection,
        table: Table,
        rows: list[Row],
        *,
        spans: tuple[str, str] | None = None,
        fill: tuple[str, ...] = (),
    ) -> None:
        """Insert rows; of those there already widen the `spans` and fill what is empty of `fill`."""
        if not rows:
            return
        statement = self.insert(table)
        if spans is None:
            statement = statement.on_conflict_do_nothing()
        else:
            earlier, later = ("least", "greatest") if self.dialect == "postgresql" else ("min", "max")
            changes = {
                name: getattr(func, function)(
                    func.coalesce(table.c[name], statement.excluded[name]),
                    func.coalesce(statement.excluded[name], table.c[name]),
                )
                for name, function in zip(spans, (earlier, later), strict=True)
            }
            changes |= {name: func.coalesce(table.c[name], statement.excluded[name]) for name in fill}
            statement = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes)
        key = [column.name for column in table.primary_key]
        # In order of their keys, so that two servers who write the same rows wait for each other instead of failing;
        # each key once, because one statement may change a row only once.
        distinct = {tuple(row[name] for name in key): row for row in rows}
        connection.execute(statement, [distinct[name] for name in sorted(distinct)])


def _name_by_latest(connection: Connection, ids: list[str]) -> None:
    """Call things by the name they were mentioned by last, in whatever order the mentions came."""
    entities, names = tables.entities, tables.entity_names
    latest = (
        select(names.c.name)
        .where(names.c.entity_id == entities.c.id)
        .order_by(names.c.last_seen.desc(), names.c.name)
        .limit(1)
        .scalar_subquery()
    )
    for chunk in _chunks(ids):
        connection.execute(update(entities).where(entities.c.id.in_(chunk)).values(name=latest, friendly_name=latest))


def _news(
    known: Known[Name], items: Iterable[Item], name_of: Callable[[Item], Name], note_of: Callable[[Item], str | None]
) -> dict[Name, News[Item]]:
    """The mentions that tell something; several of one thing as one."""
    news: dict[Name, News[Item]] = {}
    for item in items:
        name = name_of(item)
        told = Span(item.first, item.last, note_of(item))
        before = known.get(name)
        if before is not None and before.covers(told):
            continue
        already = news.get(name)
        span = already.span if already is not None else before
        news[name] = News(item, told if span is None else span.joined(told), before)
    return news


def _remember(known: Known[Name], news: dict[Name, News[Item]]) -> None:
    for name, each in news.items():
        known.put(name, each.span)


def _chunks(values: list[str]) -> Iterable[list[str]]:
    return (values[start : start + CHUNK_ROWS] for start in range(0, len(values), CHUNK_ROWS))


def _entity_of(row: Any) -> Entity:
    return Entity(**{name: getattr(row, name) for name in Entity.__struct_fields__})
