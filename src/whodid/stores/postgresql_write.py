"""Writing to PostgreSQL: which events are new, their rows by COPY, and what is kept aside."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from whodid.event import Event, Rejection
from whodid.journal.base import Batch, Frame
from whodid.stores.base import Written
from whodid.stores.postgresql_connect import Connection
from whodid.stores.postgresql_mentions import Collector
from whodid.stores.postgresql_rows import COPY, frame_text, is_too_large, line, mended, plain_text
from whodid.stores.postgresql_schema import Partitions
from whodid.stores.postgresql_types import EventTypes

# Events that are held in memory, checked and copied at once.
CHUNK_EVENTS: Final = 20_000
COPY_LINES: Final = 200

_LINE_NUMBER: Final = re.compile(r"COPY events, line (\d+)")
_ADD_REJECTS: Final = """
INSERT INTO whodid.rejected_events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
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
    """An event on its way, with its place in its frame."""

    event: Event
    frame: Frame
    place: int


class Write:
    """One write, within a transaction that holds the lock of writers."""

    def __init__(self, connection: Connection, types: EventTypes, partitions: Partitions):
        self._connection = connection
        self._types = types
        self._partitions = partitions
        self._mentions = Collector()
        self._rejects: list[tuple[Any, ...]] = []
        self._events = 0
        self._duplicates = 0

    def run(self, receiver: str, batches: Sequence[Batch]) -> Written:
        """Write all of it, and the position behind it."""
        for rows in _chunks(batches, self._rejects):
            self._add(rows)
        with self._connection.cursor() as cursor:
            if self._rejects:
                cursor.executemany(_ADD_REJECTS, self._rejects)
            cursor.execute(_ADVANCE, (receiver, batches[-1].number, self._events, len(self._rejects)))
        return Written(
            events=self._events,
            duplicates=self._duplicates,
            rejects=len(self._rejects),
            mentions=self._mentions.mentions(),
        )

    def _add(self, rows: list[Row]) -> None:
        distinct = {row.event.id: row for row in reversed(rows)}
        stored = _stored(self._connection, self._partitions, list(distinct))
        fresh = [row for id_, row in distinct.items() if id_ not in stored]
        fresh.reverse()
        self._duplicates += len(rows) - len(fresh)
        kept = []
        for row in fresh:
            if is_too_large(row.event):
                self._reject(row, "too_large", "an entity's id is longer than the store can find again")
            else:
                kept.append(row)
        if not kept:
            return
        lines = self._lines(kept)
        months = Counter([row.event.time.isoformat()[:7] for row in kept])
        self._partitions.make(self._connection, months, datetime.now(UTC).date())
        self._types.save(self._connection)
        kept = self._copy(kept, lines)
        self._add_further_entities(kept)
        self._events += len(kept)
        for frame, place_rows in _by_frame(kept):
            self._mentions.add((row.event for row in place_rows), frame.provenance.orig_address)

    def _lines(self, rows: list[Row]) -> list[str]:
        """The rows' lines; rows that hold NUL are mended on the way."""
        types, lines = self._types, []
        frame: Frame | None = None
        for place, row in enumerate(rows):
            if row.frame is not frame:
                frame = row.frame
                shared = frame_text(frame.provenance)
            event = row.event
            type_id = types.id_of(event)
            types.meet(event, type_id)
            text = line(event, shared, frame.seq + row.place, type_id)
            if "\0" in text:
                rows[place] = row._replace(event=mended(event))
                text = line(rows[place].event, shared, frame.seq + row.place, type_id)
            lines.append(text)
        return lines

    def _copy(self, rows: list[Row], lines: list[str]) -> list[Row]:
        """COPY the lines; rows that the engine refuses are mended, or else kept as rejects. Returns those stored."""
        kept: list[Row] = []
        begin, end = 0, len(lines)
        while begin < len(lines):
            refused = self._try_copy(lines[begin:end])
            if refused is None:
                kept += rows[begin:end]
                begin, end = end, len(lines)
            elif end - begin == 1:
                kept += self._copy_mended(rows[begin], refused.reason)
                begin, end = end, len(lines)
            elif refused.place is None:
                end = begin + (end - begin) // 2
            elif refused.place == 0:
                end = begin + 1
            else:
                end = begin + refused.place
        return kept

    def _copy_mended(self, row: Row, reason: str) -> list[Row]:
        try:
            mended_row = row._replace(event=mended(row.event))
        except (ValueError, RecursionError):
            self._reject(row, "invalid", reason)
            return []
        event, frame = mended_row.event, row.frame
        text = line(event, frame_text(frame.provenance), frame.seq + row.place, self._types.id_of(row.event))
        refused = None if "\0" in text else self._try_copy([text])
        if refused is None:
            return [mended_row]
        self._reject(row, "invalid", refused.reason)
        return []

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

    def _reject(self, row: Row, code: str, reason: str) -> None:
        raw = msgspec.json.encode(row.event)
        rejection = Rejection(
            index=row.place,
            code=code,
            message=f"The store refused the event: {reason}",
            raw=raw[: Rejection.RAW_BYTES_MAX].decode("utf-8", "ignore"),
            raw_size_bytes=len(raw),
        )
        self._rejects.append(_reject_row(row.frame, rejection))


class _Refused(NamedTuple):
    """What the engine refused: which line, counted from 0 (None: it does not say), and why."""

    place: int | None
    reason: str


def _chunks(batches: Sequence[Batch], rejects: list[tuple[Any, ...]]) -> Iterator[list[Row]]:
    """The events of batches in runs of about `CHUNK_EVENTS`; the frames' rejections go to `rejects`."""
    rows: list[Row] = []
    for batch in batches:
        for frame in batch.frames():
            rejects += [_reject_row(frame, rejection) for rejection in frame.rejects]
            rows += [Row(event, frame, place) for place, event in enumerate(frame.events)]
            if len(rows) >= CHUNK_EVENTS:
                yield rows
                rows = []
    if rows:
        yield rows


def _stored(connection: Connection, partitions: Partitions, ids: list[str]) -> set[str]:
    """Those of the ids that are stored already, at whatever time.

    Ids of versions 7 and 8 begin with a time: only partitions that have any id between the least and the greatest of
    them can hold one, and an index answers that at once. Other ids are looked for in all partitions.
    """
    timed = [id_ for id_ in ids if id_[14] in "78"]
    others = [id_ for id_ in ids if id_[14] not in "78"]
    names = partitions.names(connection)
    near = _holding(connection, names, min(timed), max(timed)) if timed else []
    found: set[str] = set()
    connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    for among, wanted in ((near, timed), (names, others)):
        if among and wanted:
            arms = (f"SELECT id::text FROM public.{name} WHERE id = ANY(%(ids)s::uuid[])" for name in among)  # noqa: S608
            statement = " UNION ALL ".join(arms)
            found.update(row[0] for row in connection.execute(statement, {"ids": wanted}))
    connection.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on")
    return found


def _holding(connection: Connection, names: Sequence[str], least: str, greatest: str) -> list[str]:
    """The partitions that have any id between two."""
    arms = (
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM public.{name} WHERE id BETWEEN '{least}' AND '{greatest}')"  # noqa: S608
        for name in names
    )
    return [row[0] for row in connection.execute(" UNION ALL ".join(arms))]


def _by_frame(rows: Sequence[Row]) -> Iterator[tuple[Frame, list[Row]]]:
    """Runs of rows that came in one frame."""
    run: list[Row] = []
    for row in rows:
        if run and run[-1].frame is not row.frame:
            yield run[-1].frame, run
            run = []
        run.append(row)
    if run:
        yield run[-1].frame, run


def _reject_row(frame: Frame, rejection: Rejection) -> tuple[Any, ...]:
    provenance = frame.provenance
    raw, encoding = rejection.raw, rejection.raw_encoding
    if raw is not None and "\0" in raw:
        raw, encoding = base64.b64encode(raw.encode("utf-8", "surrogatepass")).decode(), "base64"
    return (
        *(provenance.received_at.replace(tzinfo=None), provenance.receiver, frame.seq, rejection.index),
        *(plain_text(rejection.code), plain_text(rejection.message), rejection.line, plain_text(rejection.source)),
        *(plain_text(raw), encoding, rejection.raw_size_bytes, provenance.format),
        *(provenance.key_id, plain_text(provenance.orig_address)),
    )
