"""Schedules and alerts on a real engine, with a clock that tests turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from whodid.beside import Beside
from whodid.config import Config
from whodid.engine import Engine
from whodid.event import Event
from whodid.journal.base import Draft


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self, at: datetime):
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def turn(self, **span: float) -> None:
        self.at += timedelta(**span)


class House:
    """An engine and what runs beside it. `clock` is the time of the schedules and alerts, not of the events."""

    def __init__(self, folder: Path, clock: Clock, name: str = "server-1", **options: Any):
        self.engine = Engine.open(Config(data=str(folder), **options))
        self.clock = clock
        self.beside = self.another(name)

    def another(self, name: str, engine: Engine | None = None) -> Beside:
        """What runs beside a server of this name on the same parts, or on another engine's."""
        engine = engine or self.engine
        return Beside(
            store=engine.store,
            directory=engine.directory,
            connections=engine.datasets.connections,
            sealer=engine.sealer,
            server=name,
            record=engine.record,
            clock=self.clock,
            standing=engine._standing,
            public_url="https://audit.example.com",
        )

    def store(self, events: Sequence[Event]) -> None:
        """Take events in; they are stored when this returns."""
        body = msgspec.json.encode(list(events))
        self.engine.journal.append_blocking(Draft(received_at=datetime.now(UTC), events=body, count=len(events)))
        self.engine.flush()

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        """Whodid's own events of a type, oldest first, their parameters read."""
        self.engine.flush()
        sql = "SELECT * FROM events WHERE type = $kind ORDER BY seq"
        found = self.engine.store.query(sql, {"kind": kind}, trusted=True).table.to_pylist()
        return [{**row, "parameters": msgspec.json.decode(row["parameters"] or "{}")} for row in found]

    def everything(self) -> str:
        """All events and settings as one text, to look for what must not be in it."""
        self.engine.flush()
        events = self.engine.store.query("SELECT * FROM events", limit=100_000, trusted=True).table.to_pylist()
        return repr(events) + repr(dict(self.engine.directory.snapshot.settings))

    def close(self) -> None:
        self.beside.close()
        self.engine.close()
