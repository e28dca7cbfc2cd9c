"""The store in PostgreSQL: any number of whodid processes share it, and other programs read it by its own names.

Schema `public` holds the tables that existing usage SQL names, schema `whodid` the view `events` of
`stores.base.COLUMNS` and what whodid needs besides. Events lie once, in `public.events`, partitioned by month.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg import errors

from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.journal.base import Batch, behind
from whodid.postgresql import Connection
from whodid.stores import guard, postgresql_forget, postgresql_query
from whodid.stores import postgresql_schema as schema
from whodid.stores.base import Forgotten, Mentions, Result, StoreStats, Written
from whodid.stores.postgresql_connect import Connections, break_off, connect, told
from whodid.stores.postgresql_types import EventTypes
from whodid.stores.postgresql_write import Write

# Rows of counts by the hour that may wait to be gathered, and how many events may come before it is looked for that.
WAITING_ROWS_MAX: Final = 300_000
LOOK_EVENTS: Final = 50_000

# Another writer's turn is waited for so long; it gives way after each write.
TURN_TIMEOUT_MS: Final = 60_000

# Whoever has the turn and says nothing for so long, or needs so long for one statement, hangs: the others go on.
SILENT_TIMEOUT_MS: Final = 60_000
STATEMENT_TIMEOUT_MS: Final = 300_000

# A server that says nothing for so long stands still, whether it is asked or written to: there the bound of a
# statement and of a turn have passed without its word.
ASKED_SILENT_S: Final = 60.0
WRITING_SILENT_S: Final = STATEMENT_TIMEOUT_MS / 1_000 + 30.0

# A write that goes on for longer while the store is closed is broken off.
BREAK_OFF_S: Final = 1.0

crash.register(
    {
        "store.before-commit": "a write's rows and position are in its transaction, which is not committed",
        "store.after-commit": "a write is committed; the journal still holds its batches",
    }
)

_STATS: Final = """
SELECT
    (SELECT coalesce(sum(events), 0)::bigint FROM whodid.journal_position),
    (SELECT coalesce(sum(rejects), 0)::bigint FROM whodid.journal_position),
    (
        SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
        WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'whodid'::regnamespace)
    ),
    (SELECT min(event_time) FROM public.events),
    (SELECT max(event_time) FROM public.events)
"""


class PostgreSQLStore:
    """A store in a PostgreSQL database (version 13 or newer).

    url     `postgresql://user@host/database`; its user owns the tables. Tables are made or upgraded on opening.
    Raises  WhodidError("unavailable")  temporary: the server cannot be reached.
            WhodidError("conflict")     a newer whodid has upgraded the database.
            WhodidError("forbidden")    the user may not make the tables.

    Queries run with the rights of the role `whodid_reader`, when this user may make such a role or has it;
    `has_reader_role` says so. Without it the guard alone keeps queries to the events.
    """

    kind = "postgresql"

    def __init__(self, url: str):
        self._url = url
        self._readers = Connections(url)
        self._writing = threading.Lock()
        self._writer: Connection | None = None
        self._types = EventTypes()
        self._partitions = schema.Partitions()
        self._closed = False
        self._ungathered = LOOK_EVENTS + 1
        with told("opening the store"), self._readers.one() as connection:
            schema.upgrade(connection)
            self.has_reader_role = schema.allow_reader(connection)

    def position(self, receiver: str) -> int:
        """See `Store.position`."""
        with told("reading the position"), self._reader() as connection:
            return _position(connection, receiver)

    def positions(self) -> dict[str, int]:
        """See `Store.positions`."""
        with told("reading the positions"), self._reader() as connection:
            rows = connection.execute("SELECT receiver, number FROM whodid.journal_position").fetchall()
            return {receiver: int(number) for receiver, number in rows}

    def write(self, batches: Sequence[Batch]) -> Written:
        """See `Store.write`."""
        with self._writing, told("writing"):
            try:
                return self._write(batches)
            except errors.UniqueViolation:
                # Somebody else's row appeared outside the writers' lock; it is seen this time.
                return self._write(batches)

    def rest(self) -> None:
        """See `Store.rest`: counts by the hour that lie in many rows are gathered."""
        with self._writing:
            if self._ungathered > LOOK_EVENTS:
                self._ungathered = 0
                with told("gathering counts"), self._transaction() as connection:
                    connection.execute("SELECT whodid.merge_hours(%s)", (WAITING_ROWS_MAX,))

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 30_000,
        trusted: bool = False,
    ) -> Result:
        """See `Store.query`. The name `user` means the column; lists become untyped literals for `= ANY($name)`."""
        if not trusted:
            guard.check(sql, "postgres")
        with told("the query"), self._readers.one() as connection:
            return postgresql_query.run(
                connection,
                sql,
                params,
                limit=limit,
                timeout_ms=timeout_ms,
                as_reader=self.has_reader_role and not trusted,
                alone=not trusted,
            )

    def forget(self, level: str, before: datetime) -> Forgotten:
        """See `Store.forget`."""
        with self._writing, told("forgetting"), self._transaction() as connection:
            return postgresql_forget.forget(connection, level, before)

    def stats(self) -> StoreStats:
        """See `Store.stats`."""
        with told("reading the statistics"), self._reader() as connection:
            row = connection.execute(_STATS).fetchone()
            assert row is not None
            return StoreStats(
                events=row[0],
                rejects=row[1],
                size_bytes=row[2] or 0,
                oldest=_utc(row[3]),
                newest=_utc(row[4]),
                version=schema.version(connection),
            )

    def close(self) -> None:
        """Let go of all connections; what was written is durable already. A write that goes on is broken off."""
        self._closed = True
        if not self._writing.acquire(timeout=BREAK_OFF_S):
            if (writer := self._writer) is not None:
                break_off(writer)
            self._writing.acquire()
        try:
            self._drop_writer()
        finally:
            self._writing.release()
        self._readers.close()

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        with self._readers.one() as connection, connection.within(ASKED_SILENT_S):
            yield connection

    def _write(self, batches: Sequence[Batch]) -> Written:
        receiver = batches[0].receiver
        known = _position(self._connection(), receiver)
        write = self._read(batches, known)
        with self._transaction() as connection:
            stored = _position(connection, receiver)
            if stored != known:
                # Another process has stored some of it since.
                self._types.forget()
                write = self._read(batches, stored)
            if write is None:
                return Written(events=0, duplicates=0, rejects=0, mentions=Mentions())
            write.run(connection, receiver)
            crash.point("store.before-commit")
        if self._types.is_full():
            self._types.forget()
        crash.point("store.after-commit")
        written = write.written()
        self._ungathered += written.events
        return written

    def _read(self, batches: Sequence[Batch], stored: int) -> Write | None:
        """The write of what lies behind a position, its beginning read; None where nothing does."""
        waiting = behind(batches, stored)
        if not waiting:
            return None
        write = Write(self._types, self._partitions, waiting)
        try:
            write.read()
        except BaseException:
            self._types.forget()
            raise
        return write

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that is the only one of all writers to decide which ids are new."""
        connection = self._connection()
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = {TURN_TIMEOUT_MS}")
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (schema.WRITE_LOCK,))
                connection.execute(
                    f"SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}; "
                    f"SET LOCAL idle_in_transaction_session_timeout = {SILENT_TIMEOUT_MS}"
                )
                self._partitions.forget()
                yield connection
        except BaseException as problem:
            self._types.forget()
            if isinstance(problem, psycopg.Error) and connection.broken:
                self._drop_writer()
            if isinstance(problem, errors.LockNotAvailable):
                raise WhodidError(
                    "unavailable",
                    "Another writer has held PostgreSQL for a minute.",
                    "Try again soon.",
                    retry_after_s=1,
                ) from problem
            raise

    def _connection(self) -> Connection:
        if self._closed:
            raise WhodidError("unavailable", "The store is closed.", retry_after_s=1)
        if self._writer is not None and (self._writer.closed or self._writer.broken):
            self._drop_writer()
        if self._writer is None:
            self._writer = connect(self._url)
            self._writer.silent_s = WRITING_SILENT_S
        return self._writer

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _position(connection: Connection, receiver: str) -> int:
    row = connection.execute("SELECT number FROM whodid.journal_position WHERE receiver = %s", (receiver,)).fetchone()
    return int(row[0]) if row else 0


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
