"""Events for tests: short to write down, distinct, in time order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from whodid.event import Entity, Event, new_id

START = datetime(2026, 5, 4, 9, 0, 0, 1, tzinfo=UTC)


def event(at: float = 0.0, *, parameters: dict[str, Any] | None = None, **fields: Any) -> Event:
    """An event `at` seconds after `START`."""
    time = fields.pop("time", START + timedelta(seconds=at))
    id_ = fields.pop("id", None) or new_id(int(time.timestamp() * 1000))
    raw = msgspec.Raw(msgspec.json.encode(parameters or {}))
    return Event(id=id_, time=time, type=fields.pop("type", "query-start"), parameters=raw, **fields)


def many(count: int, **fields: Any) -> list[Event]:
    """`count` events, one a second."""
    return [event(number, **fields) for number in range(count)]


def entity(type_: str, id_: str, name: str | None = None, role: str | None = None) -> Entity:
    return Entity(type=type_, id=id_, name=name, role=role)
