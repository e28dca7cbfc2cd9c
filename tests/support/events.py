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


FULL = event(
    type="query-finish",
    level="usage",
    topic="apinode-query",
    routing_key="eu",
    source="server",
    session="0b0e9f0a-7f50-4b0c-8f0e-1f2a3b4c5d6e",
    user="дарья",
    acting_for="li.na",
    via="scenario SALES.nightly",
    entities=[entity("query", "q-1", "Orders ☂", "query"), entity("project", "p-1")],
    description="@user ran @query\n\ttwice \\ \"quoted\" 'so' 😀",
    parameters={"rows": 12, "nested": {"a": [1, {"b": None}], "é": "\u2028"}, "": True},
    function="Sales:Orders",
    duration_ms=1234.5678,
    request_id="r-1",
    status="ok",
    error_message="ValueError: 1 < 2",
    error_stack_trace='Traceback:\n  File "a.py", line 1\n',
    error_hash="5f0c7a8e-0d3e-5b0a-9a41-1c2d3e4f5a6b",
    node="dss-1",
    node_type="automation",
    time=datetime(2026, 5, 4, 9, 0, 0, 123457, tzinfo=UTC),
)
