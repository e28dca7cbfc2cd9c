"""Events as lines of COPY's text format, in the columns of `public.events`."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from whodid.event import Entity, Event, Provenance, entity_uuid, foreign_id

COLUMNS: Final = (
    *("event_time", "seq", "duration_ms", "is_error", "id", "event_type_id", "session_id", "entity_uuid", "error_hash"),
    *("type", "source", "origin", "topic", "entity_role", "entity_type", "entity_id", "entity_name"),
    *("routing_key", '"user"', "acting_for", "via", "description", "function", "request_id", "status"),
    *("error_message", "error_stack_trace", "node", "node_type"),
    *("received_at", "orig_address", "key_id", "format", "receiver", "entities", "entity_references", "parameters"),
)
# A value that stands for nothing; it must not hold what COPY escapes.
NULL: Final = "\x01\x02"
COPY: Final = f"COPY public.events ({', '.join(COLUMNS)}) FROM STDIN WITH (NULL E'\\x01\\x02')"

# What is not written because nearly all events have it; `whodid.events` says it again.
USUAL_FORMAT: Final = "native"
USUAL_ORIGIN: Final = "client"

# An index's entry may have 2,704 bytes.
INDEXED_BYTES_MAX: Final = 2_600

_TO_ESCAPE: Final = re.compile(r"[\\\n\r\t]")
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REPLACEMENT: Final = "\ufffd"
_ENCODER: Final = msgspec.json.Encoder()
_NO_ENTITY: Final = (None, None, None, None)
_TEXTS: Final[Callable[[Event], tuple[str | None, ...]]] = attrgetter(
    *("routing_key", "user", "acting_for", "via", "description", "function", "request_id", "status"),
    *("error_message", "error_stack_trace", "node", "node_type"),
)

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def frame_text(provenance: Provenance) -> str:
    """What all lines of a frame share, as text between tabs."""
    format_ = None if provenance.format == USUAL_FORMAT else provenance.format
    parts = (provenance.orig_address, provenance.key_id, format_, provenance.receiver)
    return "\t".join([provenance.received_at.isoformat(), *(_text(part) for part in parts)])


def line(event: Event, shared: str, seq: int, event_type_id: str) -> str:
    """The line of an event, without its line break; the event is free of NUL (see `mended`)."""
    reference = entities = references = NULL
    first: tuple[str | None, ...] = _NO_ENTITY
    if event.entities:
        entity = event.entities[0]
        first = (entity.role, entity.type, entity.id, entity.name)
        if (other := reference_of(entity.type, entity.id)) != entity.id:
            reference = other
        if len(event.entities) > 1:
            entities = _ENCODER.encode(event.entities).decode()
            references = _ENCODER.encode(references_of(event.entities)).decode()
    fields = (
        # Six times as quick as isoformat; without quotes and zone.
        _ENCODER.encode(event.time)[1:-2].decode(),
        str(seq),
        NULL if event.duration_ms is None else repr(event.duration_ms),
        "t" if event.level == "error" or event.error_stack_trace or event.error_message else "f",
        event.id,
        event_type_id,
        NULL if event.session is None else uuid_text(event.session),
        reference,
        NULL if event.error_hash is None else uuid_text(event.error_hash),
        event.type,
        event.level,
        NULL if event.source == USUAL_ORIGIN else event.source,
        event.topic,
        *[NULL if text is None else text for text in first],
        *[NULL if text is None else text for text in _TEXTS(event)],
    )
    parameters = str(event.parameters, "utf-8") if event.parameters else "{}"
    body = "\t".join(fields)
    tail = f"{entities}\t{references}\t{parameters}"
    if "\\" in body or "\n" in body or "\r" in body or body.count("\t") != len(fields) - 1:
        body = "\t".join([field if field is NULL else _escaped(field) for field in fields])
    if "\\" in tail or tail.count("\t") != 2:
        tail = "\t".join([field if field is NULL else _escaped(field) for field in (entities, references, parameters)])
    return f"{body}\t{shared}\t{tail}"


@lru_cache(maxsize=100_000)
def uuid_text(text: str) -> str:
    """The UUID that a foreign session or hash is stored under: itself where it is one."""
    if _UUID.fullmatch(text):
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return foreign_id(text)


@lru_cache(maxsize=100_000)
def reference_of(type_: str, id_: str) -> str:
    """`entities.id` of an entity."""
    return str(entity_uuid(type_, id_))


def reference_names(entities: Sequence[Entity]) -> list[str]:
    """The parameters that stand for entities: named by role, else by type; a repeated name gets a number."""
    names: dict[str, None] = {}
    for entity in entities:
        wanted = name = entity.role or entity.type
        number = 2
        while name in names:
            name = f"{wanted} {number}"
            number += 1
        names[name] = None
    return list(names)


def references_of(entities: Sequence[Entity]) -> dict[str, str]:
    """`entities.id` by parameter's name."""
    ids = [reference_of(entity.type, entity.id) for entity in entities]
    return dict(zip(reference_names(entities), ids, strict=True))


def is_too_large(event: Event) -> bool:
    """Whether the event has an id that no index of PostgreSQL can hold."""
    for entity in event.entities:
        if len(entity.id) * 4 > INDEXED_BYTES_MAX and len(entity.id.encode()) > INDEXED_BYTES_MAX:
            return True
    return False


def mended(event: Event) -> Event:
    """The event as PostgreSQL can hold it.

    NUL and lone surrogates become U+FFFD; of duplicate keys the last one counts; integers stay exact at any size;
    a number that no double can hold becomes its text.
    """
    value = _clean_value(json.loads(bytes(event.parameters).decode("utf-8", "replace"), parse_float=_number))
    parameters = msgspec.Raw(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    entities = [_clean_texts(entity) for entity in event.entities]
    return msgspec.structs.replace(_clean_texts(event), entities=entities, parameters=parameters)


def plain_text(text: str | None) -> str | None:
    """Text without what PostgreSQL's text cannot hold."""
    return None if text is None else _clean(text)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", _REPLACEMENT)


def _clean_texts(struct: _Struct) -> _Struct:
    """A copy with clean texts in place of its own."""
    texts = {
        name: _clean(value) for name in struct.__struct_fields__ if isinstance(value := getattr(struct, name), str)
    }
    return msgspec.structs.replace(struct, **texts)


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean_value(item) for key, item in value.items()}
    return value


def _number(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else text


def _text(value: str | None) -> str:
    return NULL if value is None else _escaped(_clean(value))


def _escaped(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)
