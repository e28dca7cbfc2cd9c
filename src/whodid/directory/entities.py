"""Things that events mentioned: what they are called and were called, of which type they are and were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from whodid.directory import tables
from whodid.directory.columns import UtcTime
from whodid.directory.model import Entity, EntityName
from whodid.directory.sessions import Sessions
from whodid.errors import WhodidError
from whodid.event import entity_uuid

# Parameters of one statement; SQLite takes 32,766.
CHUNK_ROWS: Final = 500


class Entities(Sessions):
    """The part of the directory that knows things."""

    def entity(self, entity_type: str, entity_id: str) -> Entity:
        """A thing that events mentioned, under the name and type it was mentioned with last.

        One whose id is a UUID is found by each type it ever had. Raises not_found.
        """
        known, entities = tables.known_entities, tables.entities
        found = select(known, entities.c.name).join(entities, entities.c.id == known.c.entity_id)
        with self.reading() as connection:
            wanted = known.c.entity_id == str(entity_uuid(entity_type, entity_id))
            row = connection.execute(found.where(wanted)).first()
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
        return self._spans(tables.entity_names, "name", entity_type, entity_id)

    def entity_types(self, entity_type: str, entity_id: str) -> list[EntityName]:
        """The types a thing had, the latest first: more than one only where its id is a UUID."""
        found = self._spans(tables.entity_kinds, "type", entity_type, entity_id)
        if found:
            return found
        entity = self.entity(entity_type, entity_id)
        return [EntityName(name=entity.type, first_seen=entity.first_seen, last_seen=entity.last_seen)]

    def entity_names_now(self, things: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """What things, by type and id, are called now: those that have a name."""
        ids: dict[str, list[tuple[str, str]]] = {}
        for thing in things:
            ids.setdefault(str(entity_uuid(*thing)), []).append(thing)
        entities, names = tables.entities.c, {}
        with self.reading() as connection:
            for chunk in chunks(list(ids)):
                named = select(entities.id, entities.name).where(entities.id.in_(chunk), entities.name.is_not(None))
                for row in connection.execute(named):
                    names.update(dict.fromkeys(ids[row.id], row.name))
        return names

    def _spans(self, table: Any, name: str, entity_type: str, entity_id: str) -> list[EntityName]:
        of = table.c.entity_id == str(entity_uuid(entity_type, entity_id))
        with self.reading() as connection:
            found = connection.execute(select(table).where(of).order_by(table.c.last_seen.desc(), table.c[name]))
            return [
                EntityName(name=getattr(row, name), first_seen=row.first_seen, last_seen=row.last_seen) for row in found
            ]


def name_by_latest(connection: Connection, ids: list[str]) -> None:
    """Call things by the name they were mentioned by last, in whatever order the mentions came."""
    entities, names = tables.entities, tables.entity_names
    latest = (
        select(names.c.name)
        .where(names.c.entity_id == entities.c.id)
        .order_by(names.c.last_seen.desc(), names.c.name)
        .limit(1)
        .scalar_subquery()
    )
    for chunk in chunks(ids):
        connection.execute(update(entities).where(entities.c.id.in_(chunk)).values(name=latest, friendly_name=latest))


def type_by_latest(connection: Connection, ids: list[str]) -> None:
    """Things that were mentioned as several types are of the one they were mentioned as last."""
    kinds, known, things, types = (
        tables.entity_kinds,
        tables.known_entities,
        tables.entities,
        tables.entities_types,
    )
    for chunk in chunks(ids):
        several = select(kinds.c.entity_id).where(kinds.c.entity_id.in_(chunk)).group_by(kinds.c.entity_id)
        found = [row.entity_id for row in connection.execute(several.having(func.count() > 1))]
        for entity in found:
            of = kinds.c.entity_id == entity
            spans = select(
                func.min(kinds.c.first_seen, type_=UtcTime()),
                func.max(kinds.c.last_seen, type_=UtcTime()),
            ).where(of)
            first, last = connection.execute(spans).one()
            latest = select(kinds.c.type).where(of).order_by(kinds.c.last_seen.desc(), kinds.c.type).limit(1)
            kind = connection.execute(latest).scalar_one()
            seen = {"type": kind, "first_seen": first, "last_seen": last}
            connection.execute(update(known).where(known.c.entity_id == entity).values(seen))
            of_type = select(types.c.id).where(types.c.name == kind).limit(1).scalar_subquery()
            connection.execute(update(things).where(things.c.id == entity).values(entity_type_id=of_type))


def chunks(values: list[str]) -> Iterable[list[str]]:
    """Values, at most `CHUNK_ROWS` at a time."""
    return (values[start : start + CHUNK_ROWS] for start in range(0, len(values), CHUNK_ROWS))


def _entity_of(row: Any) -> Entity:
    return Entity(**{name: getattr(row, name) for name in Entity.__struct_fields__})
