"""Writing to PostgreSQL: which events are new, their rows by COPY, and what is kept aside."""

from __future__ import annotations

import base64
import re
import time as clock
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from whodid.event import Event, Rejection
from whodid.journal.base import Batch, Frame
from whodid.postgresql import Connection
from whodid.stores.base import Written
from whodid.stores.postgresql_mentions import Collector
from whodid.stores.postgresql_rows import COPY, frame_text, is_too_large, line, mended, plain_text
from whodid.stores.postgresql_schema import Partitions, stored_ids
from whodid.stores.postgresql_types import EventTypes, Met

# Events that are held in memory, checked and copied at once: whole frames, until one of the limits is reached.
CHUNK_EVENTS: Final = 5_000
CHUNK_CHARACTERS: Final = 16 * 1024 * 1024
COPY_LINES: Final = 200
GIVE_WAY_ROWS: Final = 50
GIVE_WAY_S: Final = 2e-6

RejectRow = tuple[Any, ...]

_LINE_NUMBER: Final = re.compile(r"COPY events, line (\d+)")
_ADD_REJECTS: Final = """
INSERT INTO whodid.rejected_events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) WHERE id IS NOT NULL DO NOTHING
"""
_ADD_FURTHER: Final = "COPY whodid.event_entities (event_id, time, type, id, role, name) FROM STDIN"
_ADVANCE: Final = """
INSERT INTO whodid.journal_position (receiver, number, events, rejects) VALUES (%s, %s, %s, %s)
ON CONFLICT (receiver) DO UPDATE SET
    number = EXCLUDED.number,
    events = journal_position.events + EXCLUDED.events,
    rejects = journal_position.rejects + EXCLUDED.rejects
"""

# What an engine may say of a value; everything else is no fault of the row.
_OF_DATA: Final = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)


class Row(NamedTuple):
    """An event on its way, with its place in its frame and its line of COPY."""

    event: Event
    frame: Frame
    place: int
    line: str


class Chunk(NamedTuple):
    """Some events, ready to be copied, and what has to be there before them."""

    rows: list[Row]
    met: Met
    rejects: list[RejectRow]


class Write:
    """One write: `read` before its turn, `run` in a transaction that holds the lock of writers, `written` behind it.

    What is read into lines before the turn, other writers need not wait for: while a small write has its turn, only
    PostgreSQL works.
    """

    def __init__(self, types: EventTypes, partitions: Partitions, batches: Sequence[Batch]):
        self._types = types
        self._partitions = partitions
        self._number = batches[-1].number
        self._chunks = self._read_chunks(batches)
        self._first: Chunk | None = None
        self._last: list[Row] = []
        self._mentions = Collector()
        self._events = self._duplicates = self._rejects = 0

    def read(self) -> None:
        """Put the first chunk into lines; those behind it are, while PostgreSQL is busy with the one before."""
        self._first = next(self._chunks, None)

    def run(self, connection: Connection, receiver: str) -> None:
        """Write all of it, and the position behind it."""
        self._connection = connection
        with ThreadPoolExecutor(1, "postgresql-copy") as copying:
            chunk = self._first
            while chunk is not None:
                added = copying.submit(self._add, chunk)
                self._mention(self._last)
                chunk = next(self._chunks, None)
                self._last = added.result()
        connection.execute(_ADVANCE, (receiver, self._number, self._events, self._rejects))

    def written(self) -> Written:
        self._mention(self._last)
        return Written(
            events=self._events,
            duplicates=self._duplicates,
            rejects=self._rejects,
            mentions=self._mentions.mentions(),
        )

    def _read_chunks(self, batches: Sequence[Batch]) -> Iterator[Chunk]:
        chunk = Chunk([], Met(), [])
        size = 0
        for batch in batches:
            for frame in batch.frames():
                chunk.rejects.extend(_reject_row(frame, rejection) for rejection in frame.rejects)
                size += self._read(frame, chunk)
                if len(chunk.rows) >= CHUNK_EVENTS or size >= CHUNK_CHARACTERS:
                    yield chunk
                    chunk = Chunk([], Met(), [])
                    size = 0
        if chunk.rows or chunk.rejects:
            yield chunk

    def _read(self, frame: Frame, chunk: Chunk) -> int:
        """Put the events of a frame into a chunk; returns its characters. Events that hold NUL are mended."""
        shared = frame_text(frame.provenance)
        size = 0
        for place, event in enumerate(frame.events):
            row = self._row(event, frame, place, shared, chunk.met)
            size += len(row.line)
            if is_too_large(row.event):
                chunk.rejects.append(_refused_row(row, "too_large", "an entity's id is longer than an index can hold"))
            else:
                chunk.rows.append(row)
            if place % GIVE_WAY_ROWS == 0:
                # The thread that feeds PostgreSQL gets the interpreter only if this one really sleeps: 22 µs an event
                # become 16.
                clock.sleep(GIVE_WAY_S)
        return size

    def _row(self, event: Event, frame: Frame, place: int, shared: str, met: Met) -> Row:
        type_id = self._types.id_of(event, met)
        text = line(event, shared, frame.seq + place, type_id)
        if "\0" in text:
            event = mended(event)
            text = line(event, shared, frame.seq + place, type_id)
        met.meet(event, type_id)
        return Row(event, frame, place, text)

    def _add(self, chunk: Chunk) -> list[Row]:
        """Store what is new of a chunk; returns that."""
        kept: list[Row] = []
        self._types.save(self._connection, chunk.met)
        distinct: dict[str, Row] = {}
        for row in chunk.rows:
            distinct.setdefault(row.event.id, row)
        stored = stored_ids(self._connection, self._partitions, list(distinct)) if distinct else set()
        fresh = [row for id_, row in distinct.items() if id_ not in stored]
        self._duplicates += len(chunk.rows) - len(fresh)
        if fresh:
            months = Counter([row.line[:7] for row in fresh])
            self._partitions.make(self._connection, months, datetime.now(UTC).date())
            kept = self._copy(fresh, chunk.rejects)
            self._add_further_entities(kept)
            self._events += len(kept)
        if chunk.rejects:
            with self._connection.cursor() as cursor:
                cursor.executemany(_ADD_REJECTS, chunk.rejects)
                self._rejects += cursor.rowcount
        return kept

    def _mention(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._mentions.add(row.event, row.frame.provenance.orig_address)

    def _copy(self, rows: list[Row], rejects: list[RejectRow]) -> list[Row]:
        """COPY the rows; those that the engine refuses are mended, or else become rejects. Returns those stored."""
        kept: list[Row] = []
        begin, end = 0, len(rows)
        while begin < len(rows):
            refused = self._try_copy([row.line for row in rows[begin:end]])
            if refused is None:
                kept += rows[begin:end]
                begin, end = end, len(rows)
            elif end - begin == 1:
                stored = self._copy_mended(rows[begin])
                if stored is None:
                    rejects.append(_refused_row(rows[begin], "invalid", refused.reason))
                else:
                    kept.append(stored)
                begin, end = end, len(rows)
            elif refused.place is None:
                end = begin + (end - begin) // 2
            else:
                end = begin + max(1, refused.place)
        return kept

    def _copy_mended(self, row: Row) -> Row | None:
        try:
            event = mended(row.event)
        except (ValueError, RecursionError):
            return None
        type_id = self._types.id_of(event, Met())
        text = line(event, frame_text(row.frame.provenance), row.frame.seq + row.place, type_id)
        return row._replace(event=event, line=text) if self._try_copy([text]) is None else None

    def _try_copy(self, lines: list[str]) -> _Refused | None:
        """COPY all of the lines or none; says what the engine refused."""
        try:
            with (
                self._connection.transaction(),
                self._connection.cursor() as cursor,
                cursor.copy(COPY) as copy,
            ):
                for begin in range(0, len(lines), COPY_LINES):
                    copy.write("\n".join(lines[begin : begin + COPY_LINES]) + "\n")
        except _OF_DATA as problem:
            found = _LINE_NUMBER.search(problem.diag.context or "")
            reason = (problem.diag.message_primary or str(problem)).splitlines()[0]
            detail = (problem.diag.message_detail or "").splitlines()
            return _Refused(int(found[1]) - 1 if found else None, " ".join([reason, *detail[:1]]))
        return None

    def _add_further_entities(self, rows: Iterable[Row]) -> None:
        further = [row.event for row in rows if len(row.event.entities) > 1]
        if not further:
            return
        with self._connection.cursor() as cursor, cursor.copy(_ADD_FURTHER) as copy:
            for event in further:
                time = event.time.replace(tzinfo=None)
                for entity in event.entities[1:]:
                    copy.write_row((event.id, time, entity.type, entity.id, entity.role, entity.name))


class _Refused(NamedTuple):
    """What the engine refused: which line, counted from 0 (None: it does not say), and why."""

    place: int | None
    reason: str


def _refused_row(row: Row, code: str, reason: str) -> RejectRow:
    raw = msgspec.json.encode(row.event)
    rejection = Rejection(
        index=row.place,
        code=code,
        message=f"The store refused the event: {reason}",
        raw=raw[: Rejection.RAW_BYTES_MAX].decode("utf-8", "ignore"),
        raw_size_bytes=len(raw),
    )
    return _reject_row(row.frame, rejection)


def _reject_row(frame: Frame, rejection: Rejection) -> RejectRow:
    provenance = frame.provenance
    raw, encoding = rejection.raw, rejection.raw_encoding
    if raw is not None and "\0" in raw:
        raw, encoding = base64.b64encode(raw.encode("utf-8", "surrogatepass")).decode(), "base64"
    return (
        *(provenance.received_at.replace(tzinfo=None), provenance.receiver, frame.seq, rejection.index),
        *(plain_text(rejection.code), plain_text(rejection.message), rejection.line, plain_text(rejection.source)),
        *(plain_text(raw), encoding, rejection.raw_size_bytes, provenance.format),
        *(provenance.key_id, plain_text(provenance.orig_address), rejection.id),
    )
