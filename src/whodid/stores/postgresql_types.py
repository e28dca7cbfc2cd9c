"""`event_types` and `event_parameters`: what events are called and which parameters they carry, learned on the way.

Ids are made from names (UUID v5), so that any number of writers come to the same ones without asking each other.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from whodid.event import FOREIGN_IDS, Event
from whodid.postgresql import Connection
from whodid.stores.postgresql_rows import plain_text, reference_names, uuid_text

# A sender that uses ids as names of parameters must not fill the table: beyond this the names of a type are not
# listed. The events keep them.
PARAMETERS_MAX: Final = 2_000
CACHED_TYPES_MAX: Final = 50_000
NAME_BYTES_MAX: Final = 2_000
REFERENCE: Final = "entity_id"
_ERROR: Final = "error"

_ADD_TYPES: Final = """
INSERT INTO public.event_types (
    id, name, friendly_name, source, is_error, error_source, error_severity, error_stack_trace, error_stack_trace_hash
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
"""
# A group may begin with an event that is no error but carries a trace; the first error names it.
_NAME_GROUPS: Final = """
UPDATE public.event_types
SET name = %s, friendly_name = %s, source = %s, error_source = %s, error_severity = %s
WHERE id = %s AND source <> 'error'
"""
_ADD_PARAMETERS: Final = """
INSERT INTO public.event_parameters (id, event_type_id, name, type) VALUES (%s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET type = EXCLUDED.type
"""
_KNOWN: Final = """
SELECT event_type_id::text, name, type FROM public.event_parameters WHERE event_type_id = ANY(%s::uuid[])
"""

# (name, whether it is a reference) → type.
Parameters = dict[tuple[str, bool], str]


class Met:
    """The types and parameters of some events, on their way into the tables."""

    def __init__(self) -> None:
        self.types: dict[str, tuple[Any, ...]] = {}
        self.parameters: dict[str, Parameters] = {}
        self._shapes: set[tuple[Any, ...]] = set()

    def meet(self, event: Event, event_type_id: str) -> None:
        """Take note of the parameters that an event of this type carries."""
        parameters = _decoded(event.parameters)
        entities = event.entities
        first = (entities[0].role or entities[0].type) if entities else None
        shape = (event_type_id, first, *parameters, *map(type, parameters.values()))
        if shape in self._shapes and len(entities) < 2:
            return
        self._shapes.add(shape)
        known = self.parameters.setdefault(event_type_id, {})
        for name, value in parameters.items():
            if value is not None:
                type_ = _TYPES.get(type(value), "json")
                known[name, False] = _both(known.get((name, False), type_), type_)
        for name in reference_names(entities):
            known[name, True] = REFERENCE


class EventTypes:
    """The types and parameters that one writer has met.

    `id_of` may run in one thread while `save` runs in another, each in one at a time.
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str] = {}
        self._hash_ids: dict[tuple[str, bool], str] = {}
        self._parameters: dict[str, Parameters] = {}

    def forget(self) -> None:
        """Start anew: the transaction that knew of the rest was not committed."""
        self._ids = {}
        self._hash_ids = {}
        self._parameters = {}

    def id_of(self, event: Event, met: Met) -> str:
        """`event_types.id` of an event: one for each type and level, and one for each group of errors."""
        if event.error_hash is not None and event.error_stack_trace:
            return self._hash_ids.get((event.error_hash, event.level == _ERROR)) or self._add_error(event, met)
        return self._ids.get((event.type, event.level)) or self._add(event, met)

    def save(self, connection: Connection, met: Met) -> None:
        """Write what the database does not know yet. In the transaction of the events."""
        unread = [type_id for type_id in met.parameters if type_id not in self._parameters]
        if unread:
            self._read(connection, unread)
        with connection.cursor() as cursor:
            if met.types:
                cursor.executemany(_ADD_TYPES, met.types.values())
                # In one order, so that writers who name the same groups do not wait for each other in a circle.
                if groups := sorted(_names(row) for row in met.types.values() if row[3] == _ERROR and row[8]):
                    cursor.executemany(_NAME_GROUPS, [row[1:] + row[:1] for row in groups])
            if rows := sorted(self._changes(met)):
                cursor.executemany(_ADD_PARAMETERS, rows)

    def is_full(self) -> bool:
        """Whether it is time to `forget`, between two writes."""
        return len(self._ids) + len(self._hash_ids) > CACHED_TYPES_MAX

    def _read(self, connection: Connection, type_ids: list[str]) -> None:
        for type_id in type_ids:
            self._parameters[type_id] = {}
        for type_id, name, type_ in connection.execute(_KNOWN, (type_ids,)):
            self._parameters[type_id][name, type_ == REFERENCE] = type_

    def _changes(self, met: Met) -> Iterator[tuple[str, str, str, str]]:
        for type_id, parameters in met.parameters.items():
            known = self._parameters[type_id]
            for key, type_ in parameters.items():
                before = known.get(key)
                after = type_ if before is None else _both(before, type_)
                name, is_reference = key
                if after == before or not _can_be_listed(name) or (before is None and len(known) >= PARAMETERS_MAX):
                    continue
                known[key] = after
                yield _parameter_id(type_id, name, is_reference), type_id, name, after

    def _add(self, event: Event, met: Met) -> str:
        type_id = str(uuid.uuid5(FOREIGN_IDS, f"event-type:{event.level}:{event.type}"))
        self._ids[event.type, event.level] = type_id
        name = plain_text(event.type)
        met.types[type_id] = (type_id, name, name, event.level, event.level == _ERROR, None, None, None, None)
        return type_id

    def _add_error(self, event: Event, met: Met) -> str:
        assert event.error_hash is not None
        error_hash = uuid_text(event.error_hash)
        type_id = str(uuid.uuid5(FOREIGN_IDS, f"error-group:{error_hash}"))
        self._hash_ids[event.error_hash, event.level == _ERROR] = type_id
        if event.level == _ERROR or type_id not in met.types:
            met.types[type_id] = (
                *(type_id, plain_text(event.type), plain_text(event.error_message or event.type), event.level, True),
                *(event.source, event.level, plain_text(event.error_stack_trace), error_hash),
            )
        return type_id


def _names(row: tuple[Any, ...]) -> tuple[str, ...]:
    """What names a group, of its row: its id, name, friendly name, source, and where and how grave it is."""
    return (row[0], row[1], row[2], row[3], row[5], row[6])


def _decoded(parameters: msgspec.Raw) -> dict[str, Any]:
    """Parameters as values; empty when they are no object."""
    if not parameters:
        return {}
    try:
        values = _DECODER.decode(parameters)
    except msgspec.DecodeError:
        values = json.loads(bytes(parameters).decode("utf-8", "replace"))
    return values if isinstance(values, dict) else {}


def _both(one: str, other: str) -> str:
    """The type of a parameter that came as one and as the other."""
    if one == other:
        return one
    return "double" if {one, other} == {"int", "double"} else "string"


def _can_be_listed(name: str) -> bool:
    return "\0" not in name and (len(name) * 4 <= NAME_BYTES_MAX or len(name.encode()) <= NAME_BYTES_MAX)


def _parameter_id(type_id: str, name: str, is_reference: bool) -> str:
    kind = "reference" if is_reference else "value"
    return str(uuid.uuid5(FOREIGN_IDS, f"event-parameter:{type_id}:{kind}:{name}"))


_DECODER: Final = msgspec.json.Decoder()
_TYPES: Final[dict[type, str]] = {str: "string", int: "int", float: "double", bool: "bool"}
