"""How many events of a request are of which node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from whodid.event import Event

API_TYPE: Final = "api"
API_TOPIC: Final = "apinode-query"

_NOBODY: Final = {None}


class Counted(Struct, kw_only=True, array_like=True):
    """What a request holds of one node."""

    node: str
    node_type: str | None
    events: int
    is_api: bool


def tally(events: Sequence[Event]) -> list[Counted] | None:
    """What the events are of each node; None if none of them names a node."""
    names = {event.node for event in events}
    if names == _NOBODY or not names:
        return None
    if len(names) == 1:
        return [_counted(events[0].node, events)]
    return [_counted(name, [event for event in events if event.node == name]) for name in names if name is not None]


def _counted(node: str | None, events: Sequence[Event]) -> Counted:
    node_type = next((event.node_type for event in events if event.node_type is not None), None)
    is_api = node_type == API_TYPE or any(event.topic == API_TOPIC for event in events)
    return Counted(node=node or "", node_type=node_type, events=len(events), is_api=is_api)
