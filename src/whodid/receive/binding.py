"""Key bindings: what a key may write, so that one service cannot forge another's events."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from whodid.event import Event, Rejection
from whodid.formats.base import Decoded
from whodid.receive.access import Caller


def bind(caller: Caller, decoded: Decoded) -> Decoded:
    """What of `decoded` the caller's key may write; the rest is rejected as `forbidden`.

    A key of exactly one node gives it to events that name none; so does one of a node type.
    """
    own_node = next(iter(caller.nodes)) if len(caller.nodes) == 1 else None
    changed = give_place(decoded.events, own_node, caller.node_type)
    return without(decoded, lambda event: _why_not(caller, event), changed=changed)


def give_place(events: list[Event], node: str | None, node_type: str | None) -> bool:
    """Give events that name no node or no node type these; whether that changed any."""
    changed = False
    for event in events:
        if node is not None and event.node is None:
            event.node = node
            changed = True
        if node_type is not None and event.node_type is None:
            event.node_type = node_type
            changed = True
    return changed


def without(decoded: Decoded, why_not: Callable[[Event], str | None], *, changed: bool = False) -> Decoded:
    """`decoded` without the events for which there is a reason, which are rejected with it as `forbidden`.

    changed  whether the events are no longer those of its payload.
    """
    rejected_before = {each.index for each in decoded.rejects}
    indexes = (index for index in range(len(decoded.events) + len(decoded.rejects)) if index not in rejected_before)
    kept: list[Event] = []
    rejects = list(decoded.rejects)
    for index, event in zip(indexes, decoded.events, strict=False):
        why = why_not(event)
        if why is None:
            kept.append(event)
        else:
            rejects.append(_forbidden(index, why, event))
    if not changed and len(kept) == len(decoded.events):
        return decoded
    rejects.sort(key=lambda each: each.index)
    return Decoded(events=kept, payload=msgspec.json.encode(kept), rejects=rejects)


def _why_not(caller: Caller, event: Event) -> str | None:
    node_types = (caller.node_type,) if caller.node_type is not None else ()
    for what, value, allowed in (
        ("topic", event.topic, caller.topics),
        ("node", event.node, caller.nodes),
        ("node type", event.node_type, node_types),
        ("routing key", event.routing_key, caller.routing_keys),
    ):
        if allowed and value not in allowed:
            told = f"{what} {value!r}" if value is not None else f"no {what}"
            return f"The key {caller.name!r} may not write events of {told}, only of: {', '.join(sorted(allowed))}."
    return None


def _forbidden(index: int, why: str, event: Event) -> Rejection:
    raw = msgspec.json.encode(event)
    kept = raw[: Rejection.RAW_BYTES_MAX].decode(errors="ignore")
    return Rejection(index=index, code="forbidden", message=why, raw=kept, raw_size_bytes=len(raw))
