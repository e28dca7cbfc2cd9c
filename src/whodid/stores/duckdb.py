"""The embedded store: one DuckDB file, owned by one process, written in transactions, read beside the writing.

The engine is locked in: it reads the journal's folder and its own file and nothing else, loads no extension, and its
settings cannot be changed (`enable_external_access`, `allowed_directories`, `lock_configuration`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from whodid.errors import WhodidError
from whodid.journal.base import Array, Batch, behind
from whodid.journal.crash import point, register
from whodid.stores import duckdb_engine, duckdb_forget, duckdb_hours, guard
from whodid.stores.base import Forgotten, Mentions, Result, StoreStats, Written
from whodid.stores.duckdb_errors import damage_told, is_fatal, is_of_data, translated
from whodid.stores.duckdb_load import LINE_BYTES_MAX, LINE_BYTES_USUAL, OWN_ROWS, Load

register(
    {
        "store.before-commit": "a write's rows and position are in its transaction, which is not committed",
        "store.after-commit": "a write is committed; the journal still holds its batches",
    }
)

_log = logging.getLogger(__name__)

ANSWER_BYTES_MAX: Final = 512 * 1024 * 1024


class DuckDBStore:
    """A store in one DuckDB file.

    Parameters
    ----------
    path
        The file; made when it is not there, upgraded when an older whodid made it.
    journal_path
        The folder whose segments the engine may read.
    threads
        Threads of the engine, shared by writing and reading.
    memory_bytes_max
        Memory of the engine in bytes; larger work goes through a folder of temporary files beside `path`.
    bulk
        Few large loads are to come, and nothing is received beside them: they take two threads, and what they leave
        is not put together at once.

    Raises
    ------
    WhodidError("conflict")
        Another process has the file open, or a newer whodid wrote it.
    WhodidError("internal")
        The file is damaged.
    """

    kind = "duckdb"

    def __init__(
        self,
        path: Path,
        *,
        journal_path: Path,
        threads: int = 2,
        memory_bytes_max: int = 1024**3,
        bulk: bool = False,
    ):
        self._path = path
        self._journal_path = journal_path
        self._threads = threads
        self._memory_bytes_max = memory_bytes_max
        self._bulk = bulk
        self._line_bytes_max = LINE_BYTES_USUAL
        self._writing = threading.RLock()
        self._count_again_at_s = 0.0
        self._closed = False
        self._open()

    def position(self, receiver: str) -> int:
        """See `Store.position`."""
        with self._cursor() as cursor:
            return _position(cursor, receiver)

    def positions(self) -> dict[str, int]:
        """See `Store.positions`."""
        with self._cursor() as cursor:
            return dict(cursor.execute("SELECT receiver, number FROM journal_position").fetchall())

    def write(self, batches: Sequence[Batch]) -> Written:
        """See `Store.write`."""
        with self._writing:
            try:
                written = self._write(batches)
            except duckdb.Error as problem:
                raise self._failed(problem, "writing") from problem
        self._events += written.events
        self._uncounted += written.events
        self._count(duckdb_hours.WAITING_MAX_BUSY)
        return written

    def rest(self) -> None:
        """See `Store.rest`: what waits to be counted by the hour is counted, soon where somebody may ask meanwhile."""
        is_early = self._bulk or time.monotonic() < self._count_again_at_s
        self._count(duckdb_hours.WAITING_MAX if is_early else duckdb_hours.waiting_max(self._events))

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 30_000,
        trusted: bool = False,
    ) -> Result:
        """See `Store.query`."""
        from whodid.stores import duckdb_query

        if not trusted:
            guard.check(sql, "duckdb")
        with self._cursor() as cursor:
            try:
                return duckdb_query.run(
                    cursor,
                    sql,
                    params,
                    limit=limit,
                    timeout_ms=timeout_ms,
                    bytes_max=min(ANSWER_BYTES_MAX, self._memory_bytes_max // 2),
                    memory_bytes_max=self._memory_bytes_max,
                )
            except (duckdb.Error, OSError) as problem:
                raise self._failed(problem, "the query") from problem

    def forget(self, level: str, before: datetime) -> Forgotten:
        """See `Store.forget`."""
        with self._writing, self._cursor() as cursor:
            try:
                forgotten = duckdb_forget.forget(cursor, level, before)
            except duckdb.Error as problem:
                raise self._failed(problem, "forgetting") from problem
            self._events -= forgotten.events
            return forgotten

    def stats(self) -> StoreStats:
        """See `Store.stats`."""
        with self._cursor() as cursor:
            row = cursor.execute(
                "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rejected_events), "
                "(SELECT min(time) FROM events), (SELECT max(time) FROM events)"
            ).fetchone()
            assert row is not None
            version = duckdb_engine.version(cursor)
            memory_bytes = duckdb_engine.memory_bytes(cursor)
        files = (self._path, duckdb_engine.log_path(self._path))
        size_bytes = sum(file.stat().st_size for file in files if file.exists())
        return StoreStats(
            events=row[0],
            rejects=row[1],
            size_bytes=size_bytes,
            oldest=_utc(row[2]),
            newest=_utc(row[3]),
            version=version,
            memory_bytes=memory_bytes,
        )

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            try:
                self._connection.execute("CHECKPOINT")
            except duckdb.Error as problem:
                # What is committed is safe in the write-ahead log, and the next opening reads it.
                _log.warning("The store was closed without writing its log into its file: %s", problem)
            finally:
                self._connection.close()

    def _open(self) -> None:
        with damage_told():
            self._connect()
        self._count(duckdb_hours.WAITING_MAX)

    def _connect(self) -> None:
        self._connection = duckdb_engine.connect(
            self._path,
            journal_path=self._journal_path,
            threads=self._threads,
            memory_bytes_max=self._memory_bytes_max,
            bulk=self._bulk,
        )
        try:
            with self._cursor() as cursor, duckdb_engine.transaction(cursor):
                self._events = _stored(cursor)
                self._uncounted = duckdb_hours.show(cursor)
        except BaseException:
            self._connection.close()
            raise

    def _count(self, waiting_max: int) -> None:
        """Count by the hour when more than so many events wait; what fails is tried again after as many."""
        if self._uncounted <= waiting_max:
            return
        with self._writing, self._cursor() as cursor:
            try:
                with duckdb_engine.transaction(cursor):
                    duckdb_hours.count(cursor, OWN_ROWS)
            except duckdb.Error as problem:
                # Answers stay exact, they only take longer.
                _log.warning("Events were not counted by the hour: %s", problem)
            self._uncounted = 0
            self._count_again_at_s = time.monotonic() + duckdb_hours.PAUSE_S

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self._closed:
            raise WhodidError("unavailable", "The store is closed.", retry_after_s=1)
        return self._connection.cursor()

    def _write(self, batches: Sequence[Batch]) -> Written:
        with self._cursor() as cursor:
            receiver = batches[0].receiver
            stored = _position(cursor, receiver)
            waiting = behind(batches, stored)
            if not waiting:
                return Written(events=0, duplicates=0, rejects=0, mentions=Mentions())
            load = Load(cursor, bulk=self._bulk)
            written = self._straight(cursor, load, waiting)
            if written is None:
                load.stage(waiting)
                with duckdb_engine.transaction(cursor):
                    written = load.finish(receiver, waiting[-1].number, load.add_staged())
                    point("store.before-commit")
                load.drop_staged()
            point("store.after-commit")
            return written

    def _straight(self, cursor: duckdb.DuckDBPyConnection, load: Load, batches: Sequence[Batch]) -> Written | None:
        """Load all files at once; None when the engine's reader refuses something in them."""
        arrays: list[Array] = []
        in_frames: list[Batch] = []
        try:
            for batch in batches:
                array = batch.array()
                if array is None:
                    in_frames.append(batch)
                else:
                    arrays.append(array)
            if any(batch.path is None for batch in in_frames):
                return None
            return self._load(cursor, load, batches, arrays, in_frames)
        finally:
            for array in arrays:
                array.path.unlink(missing_ok=True)

    def _load(
        self,
        cursor: duckdb.DuckDBPyConnection,
        load: Load,
        batches: Sequence[Batch],
        arrays: Sequence[Array],
        in_frames: Sequence[Batch],
    ) -> Written | None:
        while True:
            try:
                with duckdb_engine.transaction(cursor):
                    load.add_arrays(arrays)
                    load.add_frames(in_frames, self._line_bytes_max)
                    rejects = load.add_rejects(batches, self._line_bytes_max)
                    written = load.finish(batches[0].receiver, batches[-1].number, rejects)
                    point("store.before-commit")
                return written
            except duckdb.OutOfMemoryException:
                # Long lines need large buffers; event by event a batch needs little.
                if len(batches) == 1:
                    return None
                raise
            except duckdb.Error as problem:
                if not is_of_data(problem):
                    raise
                if "maximum_object_size" not in str(problem) or self._line_bytes_max == LINE_BYTES_MAX:
                    return None
                self._line_bytes_max = LINE_BYTES_MAX

    def _failed(self, problem: Exception, what: str) -> WhodidError:
        """The error to raise; an engine that has given itself up is opened anew first, for the next try."""
        if is_fatal(problem):
            self._reopen()
        return translated(problem, what)

    def _reopen(self) -> None:
        with self._writing:
            if self._closed or _answers(self._connection):
                return
            self._connection.close()
            self._open()


def _answers(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        connection.execute("SELECT 1")
    except duckdb.Error:
        return False
    return True


def _position(cursor: duckdb.DuckDBPyConnection, receiver: str) -> int:
    row = cursor.execute("SELECT number FROM journal_position WHERE receiver = ?", [receiver]).fetchone()
    return int(row[0]) if row else 0


def _stored(cursor: duckdb.DuckDBPyConnection) -> int:
    row = cursor.execute("SELECT count(*) FROM events").fetchone()
    return int(row[0]) if row else 0


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
