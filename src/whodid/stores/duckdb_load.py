"""Loading batches into DuckDB: segments read by the engine itself, each event once by its id.

Rows go straight into `events` within the transaction and are looked over there: rows of the own transaction have row
ids from `OWN_ROWS` on, so that no second copy of a load is ever written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

import duckdb

from whodid.event import EVENT_BYTES_MAX
from whodid.journal.base import Array, Batch
from whodid.stores import duckdb_hours, duckdb_mentions, migrate
from whodid.stores.base import Mentions, Written

# DuckDB numbers the rows of a transaction that is not committed from here on (MAX_ROW_ID in its constants.hpp).
OWN_ROWS: Final = 36_028_797_018_960_000

# The engine's read buffers are twice this, per thread: small is fast, large only where a line needs it.
LINE_BYTES_USUAL: Final = 8 * 1024 * 1024
LINE_BYTES_MAX: Final = 96 * 1024 * 1024

# Ids of version 7 and 8 begin with their time in ms; this many leading hex digits are a span of 4.7 hours.
_SPAN_DIGITS: Final = 6
_SPANS_MAX: Final = 16

# What was received longer ago is what a server could not store while it was receiving.
BEHIND_S_MIN: Final = 5.0

# Few enough that their buffers are small beside the rest; the engine's threads take turns at them.
_BULK_AT_ONCE: Final = 4

_ALL_IDS: Final = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")


class Span(NamedTuple):
    """A range of ids, both ends included."""

    low: str
    high: str


class Load:
    """One transaction's load on one connection; the caller begins and commits it.

    bulk  see `DuckDBStore`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, bulk: bool):
        self._connection = connection
        self._bulk = bulk
        parts = migrate.statements("duckdb", "load")
        self._frames_sql = f"{parts['rows']} {parts['frames']}"
        self._array_sql = f"{parts['rows']} {parts['array']}"
        self._rejects_sql = migrate.statement("duckdb", "load_rejects")
        self._add_rejects_sql = migrate.statement("duckdb", "add_rejects")
        self._finish_sql = migrate.statements("duckdb", "finish")

    def add_arrays(self, arrays: Sequence[Array]) -> None:
        """Insert the events of arrays. Each is read by one thread.

        Several are read at once in bulk, or when the store is far behind; else receiving has a processor of its own.
        """
        at_once = _BULK_AT_ONCE if self._bulk else 2 if _behind_s(arrays) >= BEHIND_S_MIN else 1
        for start in range(0, len(arrays), at_once):
            group = arrays[start : start + at_once]
            sql = " UNION ALL ".join(f"({_numbered(self._array_sql, number)})" for number in range(len(group)))
            given = {f"{name}_{number}": told for number, array in enumerate(group) for name, told in _given(array)}
            added = _changed(self._connection.execute(f"INSERT INTO events {sql}", given))
            if added != sum(array.events_count for array in group):
                raise duckdb.DataError(f"{group[0].path} gave {added} events instead of {group[0].events_count}")

    def add_frames(self, batches: Sequence[Batch], line_bytes_max: int) -> None:
        """Insert the events of batches that have a file."""
        if batches:
            given = {"paths": [str(batch.path) for batch in batches], "line_bytes_max": line_bytes_max}
            self._connection.execute(f"INSERT INTO events {self._frames_sql}", given)

    def add_rejects(self, batches: Sequence[Batch], line_bytes_max: int) -> int:
        """Insert the rejections of batches that have a file but for those that are there already; returns how many."""
        paths = [str(batch.path) for batch in batches if batch.rejects_count]
        if not paths:
            return 0
        given = {"paths": paths, "line_bytes_max": line_bytes_max}
        return _changed(self._connection.execute(self._add_rejects_sql.format(rejects=self._rejects_sql), given))

    def stage(self, batches: Sequence[Batch]) -> None:
        """Put batches, one by one, into temporary tables, the careful way where the engine's reader refuses one.

        To be called outside a transaction, because a refused statement ends one.
        """
        from whodid.stores import duckdb_careful

        for table in ("events", "rejected_events"):
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE staged_{table} AS FROM {table} LIMIT 0")
        for batch in batches:
            if batch.path is None or not self._staged_from_file(batch):
                duckdb_careful.stage(self._connection, batch)

    def drop_staged(self) -> None:
        """Let go of what `stage` gathered."""
        for table in ("events", "rejected_events"):
            self._connection.execute(f"DROP TABLE IF EXISTS staged_{table}")

    def add_staged(self) -> int:
        """Insert what `stage` gathered; returns how many rejections."""
        self._connection.execute("INSERT INTO events FROM staged_events")
        return _changed(self._connection.execute(self._add_rejects_sql.format(rejects="FROM staged_rejected_events")))

    def finish(self, receiver: str, number: int, rejects: int) -> Written:
        """Take out what is stored already, learn whom it mentions, and note the position."""
        loaded, repeated = self._without_repeats()
        mentions = Mentions()
        if loaded > repeated:
            self._own("other_entities")
            duckdb_hours.add(self._connection, OWN_ROWS)
            mentions = duckdb_mentions.collect(lambda name: self._own(name).fetchall())
        self._connection.execute(self._finish_sql["position"], {"receiver": receiver, "number": number})
        return Written(events=loaded - repeated, duplicates=repeated, rejects=rejects, mentions=mentions)

    def _staged_from_file(self, batch: Batch) -> bool:
        given = {"paths": [str(batch.path)], "line_bytes_max": LINE_BYTES_MAX}
        try:
            self._connection.execute("BEGIN")
            self._connection.execute(f"INSERT INTO staged_events {self._frames_sql}", given)
            self._connection.execute(f"INSERT INTO staged_rejected_events {self._rejects_sql}", given)
            self._connection.execute("COMMIT")
        except (duckdb.DataError, duckdb.ProgrammingError, duckdb.OutOfMemoryException):
            self._connection.execute("ROLLBACK")
            return False
        return True

    def _without_repeats(self) -> tuple[int, int]:
        loaded, distinct, unordered, low, high = self._own("survey").fetchall()[0]
        repeated = _changed(self._own("drop_repeated")) if distinct < loaded else 0
        spans = [Span(*_ALL_IDS)] if unordered else list(self._spans(low, high)) if low else []
        self._connection.execute("CREATE OR REPLACE TEMP TABLE known_ids (id UUID)")
        known = sum(_changed(self._own("known", **span._asdict())) for span in spans)
        if known:
            repeated += _changed(self._own("drop_known"))
        return loaded, repeated

    def _spans(self, low: object, high: object) -> Iterator[Span]:
        """The ranges in which ids that begin with their time lie, so that a few late ones cost little."""
        first, last = str(low), str(high)
        if first[:_SPAN_DIGITS] == last[:_SPAN_DIGITS]:
            yield Span(first, last)
            return
        starts = [row[0] for row in self._own("prefixes", digits=_SPAN_DIGITS).fetchall()]
        for group in _neighbours(starts, _SPANS_MAX):
            tail = len(first) - _SPAN_DIGITS
            yield Span(max(first, group[0] + _ALL_IDS[0][-tail:]), min(last, group[-1] + _ALL_IDS[1][-tail:]))

    def _own(self, name: str, **params: object) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(self._finish_sql[name], {"own_rows": OWN_ROWS, **params})


def _numbered(sql: str, number: int) -> str:
    """The statement with parameters of its own."""
    return re.sub(r"\$(\w+)", rf"$\1_{number}", sql)


def _behind_s(arrays: Sequence[Array]) -> float:
    """For how long the first of these events have waited."""
    first = next((array.runs[0].provenance.received_at for array in arrays if array.runs), None)
    return (datetime.now(UTC) - first).total_seconds() if first is not None else 0.0


def _given(array: Array) -> Iterator[tuple[str, Any]]:
    """The parameters of the statement for an array; rows are counted from 1."""
    told = [run.provenance for run in array.runs]
    yield "path", str(array.path)
    yield "event_bytes_max", 2 * EVENT_BYTES_MAX
    yield "seqs_before", [run.seq - run.place - 2 for run in array.runs]
    yield "received_at", [one.received_at.astimezone(UTC).replace(tzinfo=None) for one in told]
    yield "receivers", [one.receiver for one in told]
    yield "formats", [one.format for one in told]
    yield "key_ids", [one.key_id for one in told]
    yield "orig_addresses", [one.orig_address for one in told]


def _changed(done: duckdb.DuckDBPyConnection) -> int:
    row = done.fetchone()
    return int(row[0]) if row else 0


def _neighbours(starts: Sequence[str], groups_max: int) -> list[list[str]]:
    """Hex prefixes, ascending, parted at their widest gaps into at most `groups_max` runs."""
    gaps = [int(after, 16) - int(before, 16) for before, after in pairwise(starts)]
    wide = sorted((place for place, gap in enumerate(gaps) if gap > 1), key=lambda place: -gaps[place])
    groups, begin = [], 0
    for place in sorted(wide[: groups_max - 1]):
        groups.append(list(starts[begin : place + 1]))
        begin = place + 1
    return [*groups, list(starts[begin:])]
