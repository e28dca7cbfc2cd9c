"""Cursors: where the next page begins, as opaque text. They hold for the filter that they were made with."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import NamedTuple

import msgspec
import xxhash

from whodid import typed
from whodid.errors import WhodidError
from whodid.reading.filters import EventFilter


class Place(NamedTuple):
    """The last event of a page: its time (UTC, without zone) and id."""

    time: datetime
    id: str


class _Content(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    time: datetime
    id: uuid.UUID
    filter: str


def encode(place: Place, wanted: EventFilter) -> str:
    """The cursor behind `place`."""
    content = _Content(place.time, uuid.UUID(place.id), _fingerprint(wanted))
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()


def decode(cursor: str, wanted: EventFilter) -> Place:
    """The place that a cursor names.

    Raises
    ------
    WhodidError("invalid")
        It is no cursor, or belongs to another filter or order.
    """
    try:
        content = typed.decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True), _Content)
    except (ValueError, msgspec.DecodeError):
        raise WhodidError(
            "invalid", "The cursor cannot be read.", "Take next_cursor of a page as it is, or leave cursor out."
        ) from None
    if content.filter != _fingerprint(wanted) or content.time.tzinfo is not None:
        raise WhodidError(
            "invalid", "The cursor belongs to another filter.", "Ask for the next page with the filter of the first."
        )
    return Place(content.time, str(content.id))


def _fingerprint(wanted: EventFilter) -> str:
    """Of what chooses and orders the events; the size of pages may change on the way."""
    fields = {name: value for name, value in msgspec.structs.asdict(wanted).items() if name not in ("limit", "cursor")}
    return xxhash.xxh3_64_hexdigest(msgspec.json.encode(fields, order="deterministic"))
