"""What a Kafka target's messages look like, and what is noted beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from whodid.kafka.properties import OVERHEAD_BYTES
from whodid.targets.base import Delivery, Label, Offered, Refusal

Headers = list[tuple[str, str | bytes | None]]

PLACES_BYTES_MAX: Final = 3_500
REFUSED_MAX: Final = 100
_CONTENT_TYPES: Final = {"cloudevents": b"application/cloudevents+json"}


class Message(NamedTuple):
    """An event on its way."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers

    @property
    def size_bytes(self) -> int:
        held = (
            len(self.value)
            + len(self.key or b"")
            + sum(len(name) + len(value or b"") + 10 for name, value in self.headers)
        )
        return held + OVERHEAD_BYTES


class Held(Struct, kw_only=True, omit_defaults=True):
    """What stands beside the committed offset.

    places   by receiver `seq` of the last event that is dealt with; the last one to move comes last.
    refused  by receiver `seq` of the events that the last delivery refused, ascending: if there was a crash before
             dispatch had them among its dead letters, they have to be offered again, and nothing else sent again.
    """

    places: dict[str, int] = {}
    refused: dict[str, list[int]] = {}

    def move(self, receiver: str, place: int, refused: Sequence[Refusal]) -> None:
        self.places.pop(receiver, None)
        self.places[receiver] = place
        # Whoever sends the next delivery has noted what was refused of the last.
        self.refused = {receiver: sorted(refusal.seq for refusal in refused)[:REFUSED_MAX]} if refused else {}

    def text(self) -> str:
        """As JSON, short enough: what is left out has not moved for long, and dispatch's own cursor has it."""
        while len(text := msgspec.json.encode(self)) > PLACES_BYTES_MAX:
            del self.places[next(iter(self.places))]
        return text.decode()


def keyed(delivery: Delivery, name: str) -> Iterator[tuple[int, Label, bytes, bytes | None]]:
    """`seq`, label and line of each event, and the key that an option's `name` makes for it."""
    if name == "entity":
        for (seq, label, line), offered in zip(delivery.labelled(), delivery.events(), strict=True):
            yield seq, label, line, _entity_key(offered)
    else:
        for seq, label, line in delivery.labelled():
            value = getattr(label, name, None)
            yield seq, label, line, value.encode() if value else None


class HeadersOf:
    """The headers of messages in a format."""

    def __init__(self, format: str):
        content_type = _CONTENT_TYPES.get(format, b"application/json")
        self._fixed: Headers = [("format", format.encode()), ("content-type", content_type)]

    def of(self, label: Label) -> Headers:
        told = [(name, getattr(label, name)) for name in ("id", "type", "topic", "level", "node")]
        return [*((name, value.encode()) for name, value in told if value), *self._fixed]


def _entity_key(offered: Offered) -> bytes | None:
    entities = offered.event.entities
    return f"{entities[0].type}:{entities[0].id}".encode() if entities else None
