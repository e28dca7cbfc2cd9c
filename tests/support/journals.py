"""Journals for tests: small limits, drafts of valid events, and what is read back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from whodid.event import new_id
from whodid.journal.base import Draft
from whodid.journal.disk import DiskJournal

RECEIVED_AT = datetime(2025, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def open_journal(folder: Path, **options: Any) -> DiskJournal:
    """A journal that seals only when told to."""
    usual = {
        "segment_bytes_max": 64 * 1024 * 1024,
        "segment_age_ms_max": 3_600_000,
        "backlog_bytes_max": 1024**3,
        "disk_free_bytes_min": 0,
    }
    return DiskJournal(folder, **(usual | options))


def draft(count: int = 1, **fields: Any) -> Draft:
    """A draft of `count` fresh events; `parameters` goes into each of them, other fields into the draft."""
    parameters = fields.pop("parameters", {})
    events = [
        {"id": new_id(), "time": "2025-03-01T12:30:15Z", "type": "query-start", "parameters": parameters}
        for _ in range(count)
    ]
    made: dict[str, Any] = {"received_at": RECEIVED_AT, "events": msgspec.json.encode(events), "count": count}
    return Draft(**(made | fields))


def ids_of(drafts: Iterable[Draft]) -> list[str]:
    return [event["id"] for each in drafts for event in msgspec.json.decode(each.events)]


def ids_in(journal: DiskJournal) -> list[str]:
    """Ids of all events in sealed batches, in order."""
    return [event.id for batch in journal.sealed() for frame in batch.frames() for event in frame.events]


def numbers_in(journal: DiskJournal) -> list[int]:
    """Running numbers of all events in sealed batches, in order."""
    return [
        frame.seq + index
        for batch in journal.sealed()
        for frame in batch.frames()
        for index in range(len(frame.events))
    ]


def segment_names(folder: Path, pattern: str = "*.*ed") -> list[str]:
    """The files of sealed and released segments in a journal's folder."""
    return sorted(path.name for path in folder.glob(pattern))
