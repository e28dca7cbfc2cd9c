"""The event: the one type that every step speaks, its limits, and the ids it is known by."""

from __future__ import annotations

import os
import time as clock
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from whodid.typed import look_at

EVENT_BYTES_MAX: Final = 1024 * 1024
REQUEST_BYTES_MAX: Final = 32 * 1024 * 1024
REQUEST_EVENTS_MAX: Final = 10_000
PARAMETERS_MAX: Final = 1_000
ENTITIES_MAX: Final = 100
NESTING_MAX: Final = 100

TIME_MIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MAX: Final = datetime(2200, 1, 1, tzinfo=UTC)

# Foreign ids become UUID v5 in this namespace, so that the same foreign id is always the same event.
FOREIGN_IDS: Final = uuid.UUID("6f1d7a0e-5c1e-5e0b-9f5c-2f4f6d9b8a11")

Level = Literal["audit", "usage", "error", "warning", "info", "debug"]
# What the logins of programs begin with.
PROGRAM_PREFIXES: Final = ("api:", "no:auth")
# Who did what whodid does by itself: a program.
BY_ITSELF: Final = "api:whodid"

LEVELS: Final[tuple[str, ...]] = ("audit", "usage", "error", "warning", "info", "debug")
Source = Literal["client", "server"]

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Instant = Annotated[datetime, Meta(tz=True)]


class Entity(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A thing that an event touched, by type and id; `role` says as what (`input`, `output`, `query`, …)."""

    type: Name
    id: Annotated[str, Meta(min_length=1, max_length=1000)]
    name: Annotated[str, Meta(max_length=1000)] | None = None
    role: Annotated[str, Meta(max_length=200)] | None = None


class Event(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What somebody did, as the sender tells it. What the receiver adds is in the frame's `Provenance`.

    `id` is a UUID in canonical lower-case text: the idempotency key. `time` has a zone and is written in UTC.
    `parameters` is the JSON text of one object, untouched; `parameters_of` reads it.
    """

    id: str
    time: Instant
    type: Name
    level: Level = "audit"
    topic: Name = "generic"
    routing_key: Name | None = None
    source: Source = "client"
    session: str | None = None
    user: Name | None = None
    acting_for: Name | None = None
    via: Annotated[str, Meta(max_length=1000)] | None = None
    entities: list[Entity] = []
    description: str | None = None
    parameters: Raw = Raw(b"{}")
    function: Annotated[str, Meta(max_length=1000)] | None = None
    duration_ms: Annotated[float, Meta(ge=0)] | None = None
    request_id: Annotated[str, Meta(max_length=1000)] | None = None
    status: Name | None = None
    error_message: str | None = None
    error_stack_trace: str | None = None
    error_hash: str | None = None
    node: Name | None = None
    node_type: Name | None = None


class Provenance(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What the receiver knows about a frame of events: when, by which key, from where, in which format."""

    received_at: datetime
    receiver: str
    format: str = "native"
    key_id: str | None = None
    orig_address: str | None = None


class Rejection(Struct, kw_only=True, omit_defaults=True):
    """Input that could not become an event, kept with its reason so that it can be mended and replayed.

    `id` is the same whenever the same line of the same file is read again, so that it is kept once; None for what
    comes in once only. `index` counts from 0 within its request or batch, `line` from 1 within its file. `raw` is the
    input as text (`raw_encoding` "base64" when it was not UTF-8), cut to `RAW_BYTES_MAX` bytes; `raw_size_bytes` is its
    full size.
    """

    RAW_BYTES_MAX = 64 * 1024

    index: int
    code: str
    message: str
    line: int | None = None
    source: str | None = None
    raw: str | None = None
    raw_encoding: Literal["utf-8", "base64"] = "utf-8"
    raw_size_bytes: int | None = None
    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None


look_at(Event, Provenance, Rejection)


def parameters_of(event: Event) -> dict[str, Any]:
    """The parameters of an event as a dict. Integers beyond 64 bits stay exact; see `formats/native.py`."""
    decoded = msgspec.json.decode(event.parameters)
    return decoded if isinstance(decoded, dict) else {"value": decoded}


def is_program(login: str) -> bool:
    """Whether a login is that of a program: an API key, or no authentication at all."""
    return login.startswith(PROGRAM_PREFIXES)


def new_id(at_ms: int | None = None) -> str:
    """A fresh UUID v7 (RFC 9562) for an event that happened at `at_ms` (epoch ms; now by default)."""
    stamp = clock.time_ns() // 1_000_000 if at_ms is None else at_ms
    return _uuid_of(stamp, os.urandom(10), version=7)


def content_id(at_ms: int, digest: bytes) -> str:
    """A UUID v8 (RFC 9562) of an event that came without id: its time and 10 bytes of a digest of its content.

    The time comes first, as in version 7, so that a store finds a repeated import among its neighbours in time.
    """
    return _uuid_of(at_ms, digest[:10], version=8)


def foreign_id(text: str) -> str:
    """The UUID v5 of an id that is no UUID."""
    return str(uuid.uuid5(FOREIGN_IDS, text))


def entity_uuid(entity_type: str, entity_id: str) -> uuid.UUID:
    """The UUID of an entity: its id where that is a UUID, else a UUID v5 of type and id."""
    try:
        return uuid.UUID(entity_id)
    except ValueError:
        return uuid.uuid5(FOREIGN_IDS, f"{entity_type}:{entity_id}")


def _uuid_of(at_ms: int, tail: bytes, *, version: int) -> str:
    value = bytearray(max(0, min(at_ms, 2**48 - 1)).to_bytes(6, "big") + tail)
    value[6] = version << 4 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(value)))
