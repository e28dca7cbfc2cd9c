"""The careful path: one event at a time, every default made, every odd but readable value kept."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.event import (
    ENTITIES_MAX,
    EVENT_BYTES_MAX,
    LEVELS,
    PARAMETERS_MAX,
    Entity,
    Event,
    content_id,
    foreign_id,
    new_id,
)
from whodid.formats import times
from whodid.formats.rejecting import Unreadable
from whodid.formats.text import check_depth, compact, readable_escapes, storable_numbers

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_NULL: Final = b"null"

# What a receiver or a store adds to an event; told by a sender it is a claim, not provenance, and kept as such.
PROVENANCE: Final = frozenset(
    ("received_at", "key_id", "orig_address", "format", "receiver", "seq", "entity_type", "entity_id", "entity_name")
)
TEXT_SIZES_MAX: Final[dict[str, int | None]] = {
    "type": 200,
    "topic": 200,
    "routing_key": 200,
    "user": 200,
    "acting_for": 200,
    "via": 1000,
    "description": None,
    "function": 1000,
    "request_id": 1000,
    "status": 200,
    "error_message": None,
    "error_stack_trace": None,
    "node": 200,
    "node_type": 200,
}
_LEVEL_NAMES: Final = {
    **{level: level for level in LEVELS},
    "warn": "warning",
    "err": "error",
    "fatal": "error",
    "critical": "error",
    "trace": "debug",
    "information": "info",
}
_OTHER_FIELDS: Final = frozenset(
    ("id", "time", "level", "source", "session", "entities", "parameters", "duration_ms", "error_hash")
)
_KNOWN: Final = PROVENANCE | TEXT_SIZES_MAX.keys() | _OTHER_FIELDS


def careful_event(raw: bytes, *, default_time: datetime, digest: bytes | None = None) -> Event:
    """Read one event, which need not be strict.

    raw           the text of one JSON value.
    default_time  of an event that does not say its own.
    digest        of its line in a file: an event without id gets one that is the same at every reading.

    Raises
    ------
    Unreadable
        It is no event; says why.
    """
    fields = _fields_of(raw)
    extra: dict[str, Raw] = {}
    values: dict[str, Any] = {name: text for name in TEXT_SIZES_MAX if (text := _text(name, fields)) is not None}
    if not values.get("type"):
        raise Unreadable("no_type", 'The event does not say its "type".')
    time = _value(fields, "time")
    values["time"] = default_time if time is None else times.instant(time)
    values |= _ids(fields, extra)
    if "id" not in values:
        at_ms = int(values["time"].timestamp() * 1000)
        values["id"] = new_id(at_ms) if digest is None else content_id(0 if time is None else at_ms, digest)
    values |= _choices(fields)
    if (duration_ms := _duration_ms(fields)) is not None:
        values["duration_ms"] = duration_ms
    values["entities"] = _entities(fields, extra)
    values["parameters"] = _parameters(fields, extra)
    if values.get("error_stack_trace") and "error_hash" not in values:
        values["error_hash"] = error_hash_of(values["error_stack_trace"])
    return Event(**values)


def canonical_uuid(text: str) -> str | None:
    """A UUID in canonical lower-case text, or None if `text` is none."""
    return text.lower() if _UUID.fullmatch(text) else None


def _fields_of(raw: bytes) -> dict[str, Raw]:
    if len(raw) > EVENT_BYTES_MAX:
        raise Unreadable("too_large", f"The event has {len(raw):,} bytes; {EVENT_BYTES_MAX:,} are the limit.")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8", f"Byte {error.start} is not UTF-8.") from None
    check_depth(raw)
    if not raw.lstrip().startswith(b"{"):
        check_json(raw)
        raise Unreadable("not_an_event", "The value is no JSON object.")
    try:
        fields = _FIELDS.decode(storable_numbers(readable_escapes(raw)))
    except msgspec.DecodeError as error:
        raise Unreadable("not_json", f"{error}.") from None
    return {name: told for name, told in fields.items() if name not in _KNOWN or bytes(told) != _NULL}


def check_json(raw: bytes) -> None:
    """Raise `Unreadable("not_json")` unless `raw` is one JSON value; its nesting has to be bounded."""
    try:
        msgspec.json.decode(raw, type=Raw)
    except msgspec.DecodeError as error:
        raise Unreadable("not_json", f"{error}.") from None


def _value(fields: dict[str, Raw], name: str) -> Any:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except ValueError:
        raise Unreadable("bad_field", f'The field "{name}" holds a number out of range.') from None


def _text(name: str, fields: dict[str, Raw]) -> str | None:
    raw = fields.get(name)
    if raw is None:
        return None
    return _as_text(f'The field "{name}"', bytes(raw), TEXT_SIZES_MAX[name]) or None


def _as_text(what: str, raw: bytes, size_max: int | None) -> str:
    first = raw.lstrip()[:1]
    if first in (b"{", b"["):
        raise Unreadable("bad_field", f"{what} is {'an object' if first == b'{' else 'a list'} instead of text.")
    text: str = msgspec.json.decode(raw) if first == b'"' else raw.strip().decode()
    if size_max is not None and len(text) > size_max:
        raise Unreadable("bad_field", f"{what} has {len(text):,} characters; {size_max:,} are the limit.")
    return text


def _ids(fields: dict[str, Raw], extra: dict[str, Raw]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, kept_as in (("id", "foreign_id"), ("session", "foreign_session"), ("error_hash", "foreign_error_hash")):
        raw = fields.get(name)
        text = "" if raw is None else _as_text(f'The field "{name}"', bytes(raw), None)
        if text:
            found[name] = canonical_uuid(text) or foreign_id(text)
            if not canonical_uuid(text):
                extra[kept_as] = Raw(msgspec.json.encode(text))
    return found


def _choices(fields: dict[str, Raw]) -> dict[str, str]:
    found: dict[str, str] = {}
    level = _value(fields, "level")
    if level is not None and level != "":
        name = _LEVEL_NAMES.get(level.lower()) if isinstance(level, str) else None
        if name is None:
            raise Unreadable("bad_field", f"The level is {times.shown(level)}; known are {', '.join(LEVELS)}.")
        found["level"] = name
    source = _value(fields, "source")
    if source is not None and source != "":
        if source not in ("client", "server"):
            raise Unreadable("bad_field", f"The source is {times.shown(source)}; known are client and server.")
        found["source"] = source
    return found


def _duration_ms(fields: dict[str, Raw]) -> float | None:
    value = _value(fields, "duration_ms")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise Unreadable("bad_field", f"duration_ms is {times.shown(value)}, which is no number of milliseconds.")
    try:
        return float(value)
    except OverflowError:
        raise Unreadable("bad_field", "duration_ms is out of range.") from None


def _entities(fields: dict[str, Raw], extra: dict[str, Raw]) -> list[Entity]:
    raw = fields.get("entities")
    if raw is None:
        return []
    try:
        told = msgspec.json.decode(raw, type=list[dict[str, Raw]])
    except msgspec.ValidationError:
        raise Unreadable("bad_field", 'The field "entities" is no list of objects.') from None
    if len(told) > ENTITIES_MAX:
        raise Unreadable("too_many", f"The event has {len(told):,} entities; {ENTITIES_MAX} are the limit.")
    if any(one.keys() - {"type", "id", "name", "role"} for one in told):
        extra["event.entities"] = raw
    return [_entity(number, one) for number, one in enumerate(told)]


def _entity(number: int, told: dict[str, Raw]) -> Entity:
    values = {
        name: _as_text(f"The {name} of entity {number}", bytes(told[name]), size_max)
        for name, size_max in (("type", 200), ("id", 1000), ("name", 1000), ("role", 200))
        if name in told and bytes(told[name]) != _NULL
    }
    if not values.get("type") or not values.get("id"):
        raise Unreadable("bad_field", f"Entity {number} lacks its type or its id.")
    return Entity(**values)


def _parameters(fields: dict[str, Raw], extra: dict[str, Raw]) -> Raw:
    told = fields.get("parameters")
    if told is None:
        merged: dict[str, Raw] = {}
    elif bytes(told).lstrip()[:1] == b"{":
        merged = _FIELDS.decode(told)
    else:
        merged = {"value": told}
    origin = {name: raw for name, raw in fields.items() if name in PROVENANCE}
    extra |= {name: raw for name, raw in fields.items() if name not in _KNOWN}
    if origin:
        extra["origin"] = Raw(msgspec.json.encode(origin))
    if len(merged) + len(extra) > PARAMETERS_MAX:
        raise Unreadable("too_many", f"The event has more than {PARAMETERS_MAX:,} parameters.")
    if not extra and told is not None and bytes(told).lstrip()[:1] == b"{":
        return Raw(compact(bytes(told)))
    for name, raw in extra.items():
        free = name
        while free in merged:
            free = f"event.{free}"
        merged[free] = raw
    return Raw(compact(msgspec.json.encode(merged)))


def error_hash_of(stack_trace: str) -> str | None:
    """The group of an error; see `whodid.stack_trace`."""
    from whodid.stack_trace import error_hash

    return error_hash(stack_trace)


def utc_text(time: datetime) -> str:
    """An instant as events carry it: RFC 3339 in UTC with "Z"."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
