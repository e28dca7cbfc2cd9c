"""Opening the DuckDB file: its limits, its lock-in, its migrations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from whodid.errors import WhodidError
from whodid.stores import migrate
from whodid.stores.priority import give_way

# Small writes rest in the write-ahead log until it has this size: rewriting a row group for each costs half the rate.
_LOG_BYTES_MAX: Final = 128 * 1024 * 1024
# Up to this many newest rows are found by the columns of the question first, then read whole.
_LATE_ROWS_MAX: Final = 2_000
_TEMPORARY_BYTES_MAX: Final = 4 * 1024**3


def connect(
    path: Path, *, journal_path: Path, threads: int, memory_bytes_max: int, bulk: bool
) -> duckdb.DuckDBPyConnection:
    """The connection that owns the file, at the newest version, locked in.

    bulk  see `DuckDBStore`.

    Raises
    ------
    WhodidError("conflict")
        Another process owns the file, or a newer whodid wrote it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = _connected(
            path,
            config={
                "threads": str(threads),
                "memory_limit": f"{memory_bytes_max // 1024}KiB",
                "temp_directory": str(path.with_name(path.name + ".tmp")),
                "max_temp_directory_size": f"{_TEMPORARY_BYTES_MAX // 1024}KiB",
                "checkpoint_threshold": f"{_LOG_BYTES_MAX // 1024}KiB",
                # Each checkpoint puts one run of half full row groups together: all of them would write most of a
                # large load twice, none would leave a row group for every small load. Where loads are large, none.
                "max_vacuum_tasks": "0" if bulk else "1",
                "preserve_insertion_order": "false",
                "late_materialization_max_rows": str(_LATE_ROWS_MAX),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "python_enable_replacements": "false",
            },
        )
    except duckdb.IOException as problem:
        if "Could not set lock" not in str(problem):
            raise
        raise WhodidError(
            "conflict",
            f"Another process has the store {path} open.",
            "Stop that process, or ask it: the command line talks to a running server by itself.",
        ) from problem
    try:
        _upgrade(connection, path)
        _lock_in(connection, journal_path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    """Connect in a thread that gives way to receiving: the engine's own threads take their priority from it."""
    with ThreadPoolExecutor(1, thread_name_prefix="whodid-engine", initializer=give_way) as starter:
        return starter.submit(duckdb.connect, str(path), config=config).result()


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what is done inside, or nothing of it."""
    cursor.execute("BEGIN")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        # The engine may have ended the transaction itself; the first error says why.
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        raise


def version(cursor: duckdb.DuckDBPyConnection) -> int:
    """The number of the last migration that was applied; 0 for an empty file."""
    row = cursor.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone()
    return int(row[0]) if row else 0


def memory_bytes(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """What the engine holds of its limit: `base_table` is the file's pages, `in_memory_table` what is not in the file
    yet; the rest belongs to questions."""
    rows = cursor.execute("SELECT lower(tag), memory_usage_bytes FROM duckdb_memory() WHERE memory_usage_bytes > 0")
    return {str(tag): int(size_bytes) for tag, size_bytes in rows.fetchall()}


def log_path(path: Path) -> Path:
    """Where the engine keeps what is not yet in the file itself."""
    return path.with_name(path.name + ".wal")


def _upgrade(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)"
    )
    for migration in migrate.pending("duckdb", version(connection), str(path)):
        with transaction(connection):
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, (now() AT TIME ZONE 'UTC'))", [migration.number, migration.name]
            )


def _lock_in(connection: duckdb.DuckDBPyConnection, journal_path: Path) -> None:
    journal = str(journal_path.absolute()).replace("'", "''")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute(f"SET GLOBAL allowed_directories = ['{journal}/']")
    connection.execute("SET GLOBAL enable_external_access = false")
    connection.execute("SET GLOBAL lock_configuration = true")
