"""What agent and collector say to each other.

The body of `POST /v1/agent/events` is three lines: who sends (`Hello`), what it was read from (`Handed`), and the JSON
array of events, strict as the journal wants it. It is packed as two gzip members: the first line, fresh at each try,
and the rest, which lies in the outbox. The body of `POST /v1/agent/heartbeat` is a `Hello`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from whodid.event import Name

EVENTS_PATH: Final = "/v1/agent/events"
HEARTBEAT_PATH: Final = "/v1/agent/heartbeat"

Count = Annotated[int, Meta(ge=0)]


class Hello(Struct, kw_only=True, omit_defaults=True):
    """Who sends, and how it stands there.

    agent      id of the agent: its state folder's, the same after each start.
    node       the node; events that name none are of it. None while the agent does not know it.
    machine    name of its machine, which is the node where nothing else tells it, neither events nor the key.
    sent_at    by the node's own clock.
    waiting_…  what the agent holds that was not taken yet.
    """

    agent: Name
    node: Name | None = None
    node_type: Name | None = None
    machine: Name | None = None
    version: Name | None = None
    sent_at: datetime
    waiting_events: Count = 0
    waiting_bytes: Count = 0
    waiting_s: Annotated[float, Meta(ge=0)] = 0.0


class Answer(Struct, kw_only=True):
    """What the collector answers to both; counts are of the events of this request. `node` is what it takes it for."""

    time: datetime
    node: str | None = None
    accepted: int = 0
    duplicates: int = 0
    filtered: int = 0
    rejected: int = 0


def packed(data: bytes) -> bytes:
    """`data` as one gzip member."""
    from isal import igzip

    return bytes(igzip.compress(data, 1))


def first_line(hello: Hello) -> bytes:
    """The first gzip member of a body."""
    return packed(msgspec.json.encode(hello) + b"\n")
