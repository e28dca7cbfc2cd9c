"""The doors that take events in, as OpenAPI describes them: they are bare, so that the table of routes lacks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from whodid.agent.wire import EVENTS_PATH, HEARTBEAT_PATH, Answer, Hello
from whodid.datasets.door import PATH as IMPORT_PATH
from whodid.datasets.handed import Handed
from whodid.event import REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX, Event


class Door(NamedTuple):
    """What is posted to a path: schemas of bodies by media type, and of the answer."""

    path: str
    tag: str
    summary: str
    description: str
    body: Mapping[str, Any]
    answer: Any


def _posted_event() -> type:
    """Event as senders have to give it: the receiver makes `id` and `time` where they are missing."""
    types = get_type_hints(Event, include_extras=True)
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(Event):
        if field.name == "parameters":
            fields.append((field.name, dict[str, Any], {}))
        elif field.name == "entities":
            fields.append((field.name, types[field.name], []))
        elif field.name in ("id", "time"):
            fields.append((field.name, types[field.name] | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((field.name, types[field.name], field.default))
    return msgspec.defstruct("Event", fields, kw_only=True, namespace={"__doc__": "What somebody did."})


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _summary() -> dict[str, Any]:
    text, whole = {"type": "string"}, {"type": "integer"}
    rejected = {"type": "object", "properties": {"index": whole, "code": text, "message": text}}
    numbers = dict.fromkeys(("accepted", "duplicates", "filtered"), whole)
    return {"type": "object", "properties": {**numbers, "rejected": {"type": "array", "items": rejected}}}


def _lines(*schemas: Any) -> dict[str, Any]:
    """A body of lines of JSON, each of its own schema."""
    return {"type": "string", "description": "Lines of JSON, one for each of x-lines.", "x-lines": list(schemas)}


_EVENTS: Final = {"type": "array", "items": _reference("Event"), "maxItems": REQUEST_EVENTS_MAX}
DOOR_TYPES: Final = (_posted_event(), Hello, Handed, Answer)
DOORS: Final = (
    Door(
        "/v1/events",
        "events",
        "Take events in: the answer 200 means that they are on disk.",
        f"One object, an array, or NDJSON; at most {REQUEST_EVENTS_MAX:,} events and {REQUEST_BYTES_MAX:,} bytes after "
        "decompression (gzip, zstd). A bad event rejects itself, not its batch. `id` and `time` are made where they "
        "are missing; fields that are not listed are kept as parameters.",
        {"application/json": {"anyOf": [_reference("Event"), _EVENTS]}, "application/x-ndjson": {"type": "string"}},
        _summary(),
    ),
    Door(
        EVENTS_PATH,
        "nodes",
        "Take a batch of a node's agent in: the answer 200 means that it is on disk.",
        "For `whodid agent`. Three lines: who sends, what was read (its format, and what of it is no event), the "
        "events; packed with gzip, whose members may follow each other. The same batch again changes nothing.",
        {"application/x-ndjson": _lines(_reference("Hello"), _reference("Handed"), _EVENTS)},
        _reference("Answer"),
    ),
    Door(
        HEARTBEAT_PATH,
        "nodes",
        "A sign of life of a node's agent, with what waits there.",
        "For `whodid agent`. `sent_at` is by the node's own clock, which is compared with this server's.",
        {"application/json": _reference("Hello")},
        _reference("Answer"),
    ),
    Door(
        IMPORT_PATH,
        "events",
        "Take in what an import has read: the answer 200 means that it is on disk.",
        "For `whodid import`, which judges files itself. Two lines: what was read, and the events in strict form.",
        {"application/x-ndjson": _lines(_reference("Handed"), _EVENTS)},
        {"type": "object", "properties": {"accepted": {"type": "integer"}}},
    ),
)
