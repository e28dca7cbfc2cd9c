"""Events to read, and a directory without groups."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from whodid.event import Event, new_id

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def event(
    type: str = "query-start", *, at: datetime = NOW, parameters: dict[str, Any] | None = None, **more: Any
) -> Event:
    """An event of `type`; `entities` as (type, id) or (type, id, name)."""
    raw = msgspec.Raw(json.dumps(parameters or {}).encode())
    given = {"id": new_id(int(at.timestamp() * 1000)), **more}
    entities = [dict(zip(("type", "id", "name"), entity, strict=False)) for entity in given.pop("entities", [])]
    return msgspec.convert(
        {**given, "time": at, "type": type, "entities": entities, "parameters": raw}, Event, from_attributes=True
    )


class NoGroups:
    """A directory without groups."""

    def group_logins(self, name: str) -> Iterable[str]:
        return []
