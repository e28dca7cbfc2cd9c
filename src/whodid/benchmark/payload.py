"""Request bodies of events with fresh ids and times, made faster than a server can take them.

A body is a template of equally long events in which only the time and the id's moving parts are overwritten, one
character of all events at a time, so that the client's own cost stays far below the server's.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from datetime import UTC, datetime
from typing import Final

EVENT_BYTES: Final = 520
_TIME: Final = "2026-01-01T00:00:00.000000Z"
_TYPES: Final = ("query-start", "script-start", "project-opened", "main-menu-item-click", "notebook-start")


def _event(position: int, chance: random.Random) -> bytes:
    entity = chance.randrange(2_000)
    event = {
        "id": f"00000000-0000-7{position % 4096:03x}-{0x8000 + position // 4096:04x}-000000000000",
        "time": _TIME,
        "type": chance.choice(_TYPES),
        "session": str(uuid.UUID(int=uuid.UUID(int=chance.randrange(3_000)).int | 4 << 76 | 8 << 60)),
        "user": f"user{chance.randrange(500):04d}",
        "entities": [
            {"type": "query", "id": str(uuid.UUID(int=entity + 1)), "name": f"Query {entity}", "role": "query"}
        ],
        "description": "@user ran @query",
        "function": f"Team{chance.randrange(20)}:function{chance.randrange(300)}",
        "duration_ms": round(chance.lognormvariate(5, 1.2), 2),
        "status": "ok",
        "parameters": {
            "rows": chance.randrange(100_000),
            "columns": chance.randrange(60),
            "project": f"PROJECT_{chance.randrange(80)}",
            "filter": f"value > {chance.random():.6f}",
            "cached": chance.random() < 0.3,
        },
    }
    text = json.dumps(event, separators=(",", ":"))
    event["description"] = "@user ran @query " + "." * max(0, EVENT_BYTES - len(text) - 1)
    return json.dumps(event, separators=(",", ":")).encode()


class Bodies:
    """Fresh JSON arrays of `batch` events; `client` (0 to 65,535) keeps the ids of several clients apart."""

    def __init__(self, batch: int, client: int = 0, seed: int = 1):
        chance = random.Random(seed)  # noqa: S311 - no secret
        events = [_event(position, chance) for position in range(batch)]
        length = max(len(event) for event in events)
        events = [event[:-1] + b" " * (length - len(event)) + b"}" for event in events]
        first = events[0]
        self.batch = batch
        self._buffer = bytearray(b"[" + b",".join(events) + b"]")
        self._step = length + 1
        self._at_stamp = 1 + first.index(b'"id":"') + 6
        self._at_tail = self._at_stamp + 24
        self._at_time = 1 + first.index(b'"time":"') + 8
        self._client = client
        self._count = 0
        self._now_ms = 0

    @property
    def size_bytes(self) -> int:
        """Of each body."""
        return len(self._buffer)

    def next(self) -> bytes:
        """The next body; its events happened at this millisecond."""
        self._move_on()
        return bytes(self._buffer)

    def put_next(self, request: bytearray) -> None:
        """The next body, at the end of a request; fresh memory for each would cost more than all else here."""
        self._move_on()
        request[-len(self._buffer) :] = self._buffer

    def _move_on(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            stamp = f"{now_ms:012x}"
            moment = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now_ms % 1000:03d}"
            self._write(self._at_stamp, f"{stamp[:8]}-{stamp[8:]}")
            self._write(self._at_time, moment)
        self._write(self._at_tail, f"{self._client:04x}{self._count:08x}")
        self._count += 1

    def _write(self, place: int, text: str) -> None:
        """Put the text into every event at this place; most of it stands there already."""
        for offset, character in enumerate(text.encode(), start=place):
            if self._buffer[offset] != character:
                self._buffer[offset :: self._step] = bytes((character,)) * self.batch
