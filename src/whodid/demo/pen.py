"""The pen that writes the story: events with seeded ids, quickly."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.event import Entity, Event

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S: Final = 86_400

_NO_PARAMETERS: Final = Raw(b"{}")
_encode: Final = msgspec.json.Encoder().encode


class Pen:
    """Collects the events of a stretch of time; their order is made when they are taken.

    Times are epoch seconds. Everything random comes from `dice`, so that a seed tells the same story again.
    """

    def __init__(self, dice: random.Random):
        self.dice = dice
        self.written: list[Event] = []

    def write(
        self,
        at: float,
        type: str,
        *,
        parameters: dict[str, Any] | None = None,
        entity: Entity | None = None,
        entities: list[Entity] | None = None,
        **fields: Any,
    ) -> None:
        """Write one event; `fields` are those of `Event`."""
        at_ms = int(at * 1000)
        if entity is not None:
            fields["entities"] = [entity]
        elif entities is not None:
            fields["entities"] = entities
        self.written.append(
            Event(
                id=seeded_id(self.dice, at_ms),
                time=EPOCH + timedelta(milliseconds=at_ms),
                type=type,
                parameters=Raw(_encode(parameters)) if parameters else _NO_PARAMETERS,
                **fields,
            )
        )

    def take(self, until: datetime) -> list[Event]:
        """Take what happened before `until`, oldest first; the rest stays for later."""
        due = [event for event in self.written if event.time < until]
        self.written = [event for event in self.written if event.time >= until]
        due.sort(key=_time_and_id)
        return due


def seeded_id(dice: random.Random, at_ms: int) -> str:
    """A UUID v7 whose random part comes from `dice`."""
    bits = dice.getrandbits(80)
    text = f"{at_ms:012x}{bits:020x}"
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{'89ab'[bits & 3]}{text[17:20]}-{text[20:]}"


def seeded_uuid(dice: random.Random) -> str:
    """A UUID v4 whose bits come from `dice`."""
    text = f"{dice.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-9{text[17:20]}-{text[20:]}"


def _time_and_id(event: Event) -> tuple[datetime, str]:
    return event.time, event.id
