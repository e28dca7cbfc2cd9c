"""What DuckDB's complaints mean to the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from whodid.errors import WhodidError

_NO_SPACE: Final = ("No space left", "max_temp_directory_size", "disk is full")
_DAMAGE: Final = ("Corrupt database file", "not a valid DuckDB database file", "Could not read enough bytes from file")
_FORBIDDEN: Final = ("Permission Error", "in read-only mode", "configuration has been locked")


def is_fatal(problem: Exception) -> bool:
    """Whether the engine has given itself up and has to be opened anew."""
    return isinstance(problem, duckdb.FatalException) or "database has been invalidated" in str(problem)


def is_of_data(problem: duckdb.Error) -> bool:
    """Whether the engine refuses what it was given, so that trying the same again cannot help."""
    if is_fatal(problem) or isinstance(problem, duckdb.InternalException | duckdb.InterruptException):
        return False
    return isinstance(problem, duckdb.DataError | duckdb.ProgrammingError)


def is_damage(problem: Exception) -> bool:
    """Whether the engine cannot read its own file."""
    is_of_statement = isinstance(problem, duckdb.DataError | duckdb.ProgrammingError)
    return not is_of_statement and any(sign in str(problem) for sign in _DAMAGE)


@contextmanager
def damage_told() -> Iterator[None]:
    """Opening a damaged file says what to do; everything else stays the engine's own."""
    try:
        yield
    except duckdb.Error as problem:
        if is_damage(problem):
            raise translated(problem, "opening its file") from problem
        raise


def translated(problem: Exception, what: str) -> WhodidError:
    """The `WhodidError` for a complaint of the engine, or of Arrow reading from it, while it was at `what`."""
    text = str(problem).strip()
    if isinstance(problem, duckdb.InterruptException) or "INTERRUPT Error" in text:
        return WhodidError("timeout", f"{what.capitalize()} was stopped at its time limit.", "Narrow the time range.")
    if is_damage(problem):
        return WhodidError(
            "internal",
            f"The store is damaged: {_first_line(text)}.",
            "Take events.duckdb and events.duckdb.wal away and put a copy of both back. Without a copy the next start "
            "makes a new store, with what was not stored yet; files come again by: whodid import --again",
        )
    if any(sign in text for sign in _NO_SPACE):
        return WhodidError("full", f"There is no space left for {what}: {_first_line(text)}", retry_after_s=5)
    if isinstance(problem, duckdb.OutOfMemoryException) or "Out of Memory Error" in text:
        return WhodidError(
            "unavailable",
            f"The store has no memory left for {what}: {_first_line(text)}",
            "Narrow the time range, or raise duckdb_memory_bytes_max.",
            retry_after_s=2,
        )
    if any(sign in text for sign in _FORBIDDEN):
        return WhodidError("forbidden", f"{what.capitalize()} may only read the events: {_first_line(text)}")
    if not isinstance(problem, duckdb.Error) or is_of_data(problem):
        return WhodidError("invalid", f"{what.capitalize()} failed: {text}")
    return WhodidError("unavailable", f"The store failed at {what}: {_first_line(text)}", retry_after_s=2)


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "no reason given"
