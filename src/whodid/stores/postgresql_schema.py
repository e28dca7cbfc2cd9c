"""The schema of the PostgreSQL store: its migrations, its monthly partitions, and the role that only reads."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors, sql

from whodid.postgresql import Connection
from whodid.stores import migrate
from whodid.stores.guard_names import RELATIONS

# Keys of advisory locks: one for changes of the schema, one for everything that decides which ids are new.
SCHEMA_LOCK: Final = 7_406_001
WRITE_LOCK: Final = 7_406_002

READER_ROLE: Final = "whodid_reader"

# A month gets a partition when it is this near to today, or when this many events of it come at once. Other events go
# to the default partition: hostile times cannot make partitions without end.
MONTHS_BACK: Final = 24
MONTHS_AHEAD: Final = 1
EVENTS_WORTH_A_PARTITION: Final = 1_000
PARTITIONS_MAX: Final = 360
LOCK_TIMEOUT_MS: Final = 1_000
RETRY_S: Final = 60.0

DEADLOCKS_MAX: Final = 10

_WHODIDS: Final = RELATIONS["postgres"]["whodid"]
_READABLE: Final = {"whodid": _WHODIDS, "public": RELATIONS["postgres"]["public"] - (_WHODIDS - {"events"})}

_VERSION_TABLE: Final = """
CREATE SCHEMA IF NOT EXISTS whodid;
CREATE TABLE IF NOT EXISTS whodid.migrations (number int PRIMARY KEY, name text, applied_at timestamptz DEFAULT now());
"""


def upgrade(connection: Connection, *, up_to: int | None = None) -> int:
    """Bring the database to the newest version, or to `up_to`; returns it. Others who do the same wait for their turn.

    Servers of the previous version may go on meanwhile. What writes waits until it is done. What asks names tables in
    an order of its own: where it and this wait for each other, PostgreSQL ends one, and this begins anew.

    Raises
    ------
    WhodidError("conflict")
        A newer whodid has upgraded the database.
    """
    for _ in range(DEADLOCKS_MAX):
        with suppress(errors.DeadlockDetected):
            return _upgrade(connection, up_to)
    return _upgrade(connection, up_to)


def _upgrade(connection: Connection, up_to: int | None) -> int:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
        connection.execute("SET LOCAL search_path = public")
        connection.execute(_VERSION_TABLE)
        lacking = migrate.pending("postgresql", version(connection), f"in {connection.info.dbname!r}")
        wanted = [migration for migration in lacking if up_to is None or migration.number <= up_to]
        if wanted:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        for migration in wanted:
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO whodid.migrations (number, name) VALUES (%s, %s)", (migration.number, migration.name)
            )
        return version(connection)


def version(connection: Connection) -> int:
    """The number of the last migration applied; 0 before the first."""
    return int(_value(connection, "SELECT coalesce(max(number), 0) FROM whodid.migrations"))


def allow_reader(connection: Connection) -> bool:
    """Let `READER_ROLE` read what queries may read, and nothing else; False when such a role cannot be had.

    The role belongs to the whole server and cannot log in. It is made when it is missing and may be made.
    """
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            if not _value(connection, "SELECT count(*) FROM pg_roles WHERE rolname = %s", (READER_ROLE,)):
                with connection.transaction():
                    connection.execute(f"CREATE ROLE {READER_ROLE} NOLOGIN")
            if not _value(connection, "SELECT pg_has_role(current_user, %s, 'MEMBER')", (READER_ROLE,)):
                connection.execute(f"GRANT {READER_ROLE} TO CURRENT_USER")
            connection.execute(f"GRANT USAGE ON SCHEMA public, whodid TO {READER_ROLE}")
            for schema, names in _READABLE.items():
                tables = ", ".join(f"{schema}.{name}" for name in sorted(names))
                connection.execute(f"GRANT SELECT ON {tables} TO {READER_ROLE}")
        with connection.transaction():
            connection.execute(f"SET LOCAL ROLE {READER_ROLE}")
            connection.execute("SELECT FROM whodid.events LIMIT 0")
    except (errors.InsufficientPrivilege, errors.DuplicateObject, errors.InternalError, errors.UniqueViolation):
        return False
    return True


class Partitions:
    """The monthly partitions of `public.events`, as one writer knows them.

    Call within a transaction that holds `WRITE_LOCK`, and `forget` when another one begins.
    """

    def __init__(self) -> None:
        self._months: set[str] | None = None
        self._not_before = 0.0

    def forget(self) -> None:
        self._months = None

    def names(self, connection: Connection) -> list[str]:
        """Names of all partitions, the default one among them."""
        return ["events_default", *(_name(month) for month in sorted(self._known(connection)))]

    def make(self, connection: Connection, counts: dict[str, int], today: date) -> None:
        """Make the partitions that events need: `counts` of events by month ("2026-05"), in no order.

        When a long query holds the table for `LOCK_TIMEOUT_MS`, no partition is made for `RETRY_S` seconds. Events go
        to the default partition so long, and move when their partition is made.
        """
        known = self._known(connection)
        for month in sorted(counts.keys() - known):
            near = -MONTHS_BACK <= _months_between(today, month) <= MONTHS_AHEAD
            if not near and (counts[month] < EVENTS_WORTH_A_PARTITION or len(known) >= PARTITIONS_MAX):
                continue
            if clock.monotonic() < self._not_before:
                return
            try:
                with connection.transaction():
                    _make(connection, month)
            except errors.LockNotAvailable:
                self._not_before = clock.monotonic() + RETRY_S
                return
            known.add(month)

    def _known(self, connection: Connection) -> set[str]:
        if self._months is None:
            rows = connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'public.events'::regclass"
            ).fetchall()
            names = (row[0].rpartition(".")[2].removeprefix("events_") for row in rows)
            self._months = {name.replace("_", "-") for name in names if name != "default"}
        return self._months


def stored_ids(connection: Connection, partitions: Partitions, ids: list[str]) -> set[str]:
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
            found.update(row[0] for row in connection.execute(" UNION ALL ".join(arms), {"ids": wanted}))
    connection.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on")
    return found


def _holding(connection: Connection, names: Iterable[str], least: str, greatest: str) -> list[str]:
    """The partitions that have any id between two."""
    arms = (
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM public.{name} WHERE id BETWEEN '{least}' AND '{greatest}')"  # noqa: S608
        for name in names
    )
    return [row[0] for row in connection.execute(" UNION ALL ".join(arms))]


def _make(connection: Connection, month: str) -> None:
    """Make a month's partition beside the table, take its rows out of the default partition, and attach it."""
    begin, end = _span(month)
    name = sql.Identifier("public", _name(month))
    within = sql.SQL("event_time >= {} AND event_time < {}").format(begin, end)
    parts: dict[str, Any] = {
        "name": name,
        "index": sql.Identifier(f"{_name(month)}_id"),
        "within": within,
        "begin": begin,
        "end": end,
        "columns": sql.SQL(", ").join(map(sql.Identifier, _written_columns(connection))),
    }

    def run(text: LiteralString) -> None:
        connection.execute(sql.SQL(text).format(**parts))

    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(LOCK_TIMEOUT_MS))
    run("CREATE TABLE {name} (LIKE public.events INCLUDING DEFAULTS INCLUDING GENERATED, CHECK ({within}))")
    run("CREATE UNIQUE INDEX {index} ON {name} (id)")
    run("LOCK TABLE public.events_default IN ACCESS EXCLUSIVE MODE")
    run(
        "WITH moved AS (DELETE FROM public.events_default WHERE {within} RETURNING *) "
        "INSERT INTO {name} ({columns}) SELECT {columns} FROM moved"
    )
    run("ALTER TABLE public.events ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})")
    connection.execute("SET LOCAL lock_timeout = 0")


def _written_columns(connection: Connection) -> list[str]:
    """The columns of events but those that PostgreSQL works out itself."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'public.events'::regclass AND attnum > 0 "
        "AND NOT attisdropped AND attgenerated = ''"
    ).fetchall()
    return [row[0] for row in rows]


def _name(month: str) -> str:
    return f"events_{month.replace('-', '_')}"


def _span(month: str) -> tuple[sql.Literal, sql.Literal]:
    year, number = int(month[:4]), int(month[5:7])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return sql.Literal(f"{month}-01"), sql.Literal("{:04d}-{:02d}-01".format(*following))


def _months_between(today: date, month: str) -> int:
    return (int(month[:4]) - today.year) * 12 + int(month[5:7]) - today.month


def _value(connection: psycopg.Connection[Any], statement: LiteralString, params: tuple[Any, ...] = ()) -> Any:
    row = connection.execute(statement, params).fetchone()
    return row[0] if row else None
