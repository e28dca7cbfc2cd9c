"""A store filled with given events, to read from: real SQL on the columns that every store shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec

from whodid.event import Event, new_id
from whodid.stores.base import COLUMNS, Result

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


class PlainStore:
    """The relations of a DuckDB store in memory."""

    kind = "duckdb"

    def __init__(self, events: Sequence[Event] = ()):
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in COLUMNS)
        self._connection.execute(f"CREATE TABLE events ({columns})")
        self._connection.execute(
            "CREATE TABLE event_entities"
            " (event_id UUID, time TIMESTAMP, type VARCHAR, id VARCHAR, role VARCHAR, name VARCHAR)"
        )
        self.add(events)

    def add(self, events: Sequence[Event]) -> None:
        for number, one in enumerate(events):
            fields = msgspec.structs.asdict(one)
            time = one.time.astimezone(UTC).replace(tzinfo=None)
            first = msgspec.to_builtins(one.entities[0]) if one.entities else {}
            row = {
                **{name: value for name, value in fields.items() if name not in ("entities", "parameters")},
                "time": time,
                "received_at": time,
                "entity_type": first.get("type"),
                "entity_id": first.get("id"),
                "entity_name": first.get("name"),
                "entities": msgspec.json.encode(one.entities).decode(),
                "parameters": bytes(one.parameters).decode(),
                "format": "native",
                "receiver": "r1",
                "seq": number,
            }
            marks = ", ".join(f"${name}" for name in row)
            names = ", ".join(f'"{name}"' for name in row)
            self._connection.execute(f"INSERT INTO events ({names}) VALUES ({marks})", row)
            for entity in one.entities[1:]:
                self._connection.execute(
                    "INSERT INTO event_entities VALUES (?, ?, ?, ?, ?, ?)",
                    [one.id, time, entity.type, entity.id, entity.role, entity.name],
                )

    def query(
        self, sql: str, params: Any = None, *, limit: int = 10_000, timeout_ms: int = 30_000, trusted: bool = False
    ) -> Result:
        table = self._connection.cursor().sql(sql, params=params or {}).to_arrow_table()
        return Result(table.slice(0, limit), table.num_rows > limit)
