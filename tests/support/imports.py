"""Files to import, and a sink that keeps what it is sent."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from whodid.datasets import sources
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.importer import Importer
from whodid.datasets.sinks import Outcome
from whodid.datasets.summary import Summary
from whodid.event import Event, Rejection
from whodid.journal.base import Draft

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def native_line(number: int, **more: Any) -> bytes:
    """One native event; the same number is always the same event."""
    event = {
        "id": str(uuid.UUID(int=number + (0x7 << 76) + (0x2 << 62))),
        "time": (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
        "type": "query-start",
        "user": f"user{number % 7}",
        "parameters": {"n": number},
    }
    return json.dumps(event | more).encode() + b"\n"


def native_lines(numbers: Iterable[int]) -> bytes:
    return b"".join(native_line(number) for number in numbers)


def dss_line(number: int) -> bytes:
    """One event of a DSS audit.log: it has no id of its own."""
    time = START + timedelta(milliseconds=number * 250)
    envelope = {
        "severity": "INFO",
        "logger": "dku.audit.generic",
        "message": {
            "msgType": "dataset-read-data",
            "authUser": f"user{number % 7}",
            "projectKey": "SALES",
            "n": number,
        },
        "mdc": {"apiCall": "/api/datasets/read", "user": f"user{number % 7}"},
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}+0000",
    }
    return json.dumps(envelope).encode() + b"\n"


def dss_lines(numbers: Iterable[int]) -> bytes:
    return b"".join(dss_line(number) for number in numbers)


def write_as(path: Path, data: bytes) -> Path:
    """Write `data`, compressed as the name says."""
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


class KeptSink:
    """Keeps what it is sent as a store would: every id once, every rejection."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.sent = 0
        self.drafts: list[Draft] = []
        self.rejects: list[Rejection] = []

    def send(self, draft: Draft) -> None:
        events = msgspec.json.decode(draft.events, type=list[Event])
        assert len(events) == draft.count <= 10_000
        self.drafts.append(draft)
        self.sent += draft.count
        self.events.update((event.id, event) for event in events)
        self.rejects.extend(draft.rejects)

    def finish(self, timeout_s: float) -> Outcome:
        return Outcome(len(self.events), self.sent - len(self.events))

    @property
    def numbers(self) -> list[int]:
        """The running numbers that `native_line` and `dss_line` put into their events, in order."""
        found = []
        for event in list(self.events.values()):
            parameters = msgspec.json.decode(event.parameters)
            found.append(parameters["n"])
        return sorted(found)


def run(
    sink: KeptSink, checkpoints: Checkpoints | None, *paths: Path, again: bool = False, format: str | None = None
) -> Summary:
    """Import files into a sink, one after another."""
    with Importer(sink, checkpoints, again=again, format=format) as importer:
        for source in sources.find([str(path) for path in paths]).sources:
            importer.read(source)
        return importer.finish()
