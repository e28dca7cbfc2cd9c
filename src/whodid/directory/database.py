"""The directory's database: opening it, its transactions, and the events that tell of its changes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw
from sqlalchemy import Connection, Engine, Table, create_engine, event, exc, inspect, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateColumn

from whodid.directory import tables
from whodid.directory.columns import SCHEMA, metadata
from whodid.errors import WhodidError
from whodid.event import Entity, Event, new_id

VERSION: Final = 1
BUSY_TIMEOUT_MS: Final = 10_000
# A database that says nothing for so long while it is asked does not answer.
SILENT_S: Final = 30.0
# The same while whodid ends: whoever stops it waits for half a minute, for all of it.
ENDING_SILENT_S: Final = 3.0
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

Dialect = Literal["sqlite", "postgresql"]

# The session of the signed-in browser whose request is answered: events that whodid makes meanwhile belong to it.
ACTING_SESSION: Final[ContextVar[str | None]] = ContextVar("whodid_acting_session", default=None)


class Database:
    """Transactions on the directory's tables. All methods block: call them from threads, not from an event loop."""

    def __init__(self, engine: Engine, on_change: Callable[[Event], object] | None):
        self.dialect: Dialect = "postgresql" if engine.dialect.name == "postgresql" else "sqlite"
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self.on_change = on_change

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises WhodidError("unavailable") when the database cannot be reached."""
        with _told(self._engine), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; all of it or nothing is kept."""
        with _told(self._engine), self._writes.begin() as connection:
            yield connection

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT, in the words of this database."""
        if self.dialect == "postgresql":
            from sqlalchemy.dialects import postgresql

            return postgresql.insert(table)
        return sqlite.insert(table)

    def announce(
        self,
        kind: str,
        entity: Entity,
        *,
        by: str | None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell `on_change` of a change. Called inside its transaction: what cannot be audited does not happen."""
        if self.on_change is None:
            return
        told = {name: values for name, values in (("before", before), ("after", after)) if values is not None}
        parameters = Raw(msgspec.json.encode(told))
        self.on_change(
            Event(
                id=new_id(), time=now(), type=kind, source="server", user=by, entities=[entity], parameters=parameters
            )
        )

    def hasten(self) -> None:
        """From here on wait for `ENDING_SILENT_S` at most for what a database on another machine says next."""
        self._engine.update_execution_options(silent_s=ENDING_SILENT_S)
        self._engine.dispose()

    def close(self) -> None:
        self._engine.dispose()


def now() -> datetime:
    return datetime.now(UTC)


def touch(connection: Connection, *, close_access: bool = False) -> None:
    """Count a change that other processes have to see within a second; `close_access` ends access without a key."""
    state = tables.directory_state
    values: dict[str, Any] = {"epoch": state.c.epoch + 1}
    if close_access:
        values["closed"] = True
    connection.execute(update(state).values(values))


def open_engine(url: str) -> Engine:
    """The engine for a `sqlite:///PATH` or `postgresql://…` URL, its tables made or brought up to date.

    Raises
    ------
    WhodidError("invalid")
        Another kind of URL.
    WhodidError("unavailable")
        Temporary: the database cannot be reached.
    WhodidError("conflict")
        A newer whodid made the tables, or the store has not made its tables yet.
    WhodidError("internal")
        The file of SQLite is damaged.
    """
    kind, _, rest = url.partition(":")
    if kind == "sqlite":
        engine = _sqlite(Path(rest.removeprefix("///")))
    elif kind in ("postgresql", "postgres"):
        engine = _postgresql(url)
    else:
        raise WhodidError("invalid", f"A directory cannot be kept in {kind!r}.", "Use sqlite:///PATH or postgresql://…")
    try:
        with _told(engine), engine.execution_options(writes=True).begin() as connection, _unhurried(connection):
            _prepare(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _sqlite(path: Path) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made here, so that nobody else can read it, not even for a moment.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(
        f"sqlite:///{path}", execution_options={"schema_translate_map": {SCHEMA: None}}, pool_timeout=30
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # A transaction that will write takes its lock first: it can wait for it, where an upgrade would fail.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: str) -> Engine:
    from whodid import postgresql

    def connect() -> postgresql.Connection:
        silent_s = engine.get_execution_options().get("silent_s", SILENT_S)
        connection = postgresql.connect(url, within_s=silent_s)
        connection.silent_s = silent_s
        return connection

    # psycopg reads the URL itself, so that it means exactly what it means to the store.
    engine = create_engine("postgresql+psycopg://", creator=connect, pool_pre_ping=True)
    # Many rows in one statement, also where nothing is returned.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def _unhurried(connection: Connection) -> AbstractContextManager[None]:
    """Within, what is made takes as long as it takes."""
    held: Any = connection.connection.driver_connection
    unbounded: AbstractContextManager[None] = (
        held.within(None) if connection.dialect.name == "postgresql" else nullcontext()
    )
    return unbounded


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('whodid directory'))"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        if not inspect(connection).has_table("users"):
            raise WhodidError(
                "conflict", "This database has no whodid tables yet.", "Open the store first: it makes them."
            )
        metadata.create_all(connection, tables=tables.OWN)
    else:
        metadata.create_all(connection)
    _add_columns(connection)
    _add_indexes(connection)
    state = tables.directory_state
    found = connection.execute(select(state.c.version)).scalar()
    if found is None:
        connection.execute(state.insert().values(id=1, version=VERSION, epoch=0, closed=False))
    elif found > VERSION:
        raise WhodidError(
            "conflict",
            f"The directory has version {found}; this whodid knows versions up to {VERSION}.",
            "Update whodid.",
        )


def _add_indexes(connection: Connection) -> None:
    """Make the indexes that are missing. Asking for one that is there would lock its table against those who write."""
    is_postgresql = connection.dialect.name == "postgresql"
    there = (
        set(
            connection.execute(
                text("SELECT indexname FROM pg_indexes WHERE schemaname IN ('whodid', 'public')")
            ).scalars()
        )
        if is_postgresql
        else set()
    )
    # Said here: an index of PostgreSQL's own kind would load all of its dialect at every start, which takes 0.1 s.
    known_sessions = f"{SCHEMA}.known_sessions" if is_postgresql else "known_sessions"
    wanted = {
        "users_login_unique": "users (login)",
        "users_sessions_open": "users_sessions (id) WHERE ended IS NULL",
        "known_sessions_closed": f"{known_sessions} (closed_at) WHERE closed_at IS NOT NULL",
    }
    for name, columns in wanted.items():
        if name not in there:
            unique = "UNIQUE " if name.endswith("_unique") else ""
            connection.execute(text(f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {columns}"))


def _add_columns(connection: Connection) -> None:
    """Give tables that an earlier whodid made the columns they lack; all of those may be empty."""
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    there = inspect(connection).get_multi_columns(schema=schema, filter_names=[table.name for table in tables.OWN])
    for table in tables.OWN:
        known = {column["name"] for column in there.get((schema, table.name), ())}
        for column in table.columns:
            if known and column.name not in known:
                told = CreateColumn(column).compile(dialect=connection.dialect)
                name = f"{schema}.{table.name}" if schema else table.name
                connection.execute(text(f"ALTER TABLE {name} ADD COLUMN {told}"))


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise WhodidError(
            "conflict", "Somebody else made the same thing at the same moment.", "Look at it, then try again."
        ) from error
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        raise WhodidError(
            "unavailable",
            f"The directory's database did not answer ({type(cause).__name__}).",
            "Look at its log; what was asked did not happen.",
            retry_after_s=1,
        ) from error
    except exc.DatabaseError as error:
        if getattr(error.orig, "sqlite_errorcode", None) not in _DAMAGE:
            raise
        raise WhodidError(
            "internal",
            f"The settings {engine.url.database} are damaged: {error.orig}.",
            "Put a copy of the file back. Without one move it away: users, roles, keys, policies and targets have to "
            "be made again; the events are not in it.",
        ) from error
