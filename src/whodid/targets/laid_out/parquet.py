"""Files of lines turned into Parquet by DuckDB's own reader and writer."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from whodid.errors import WhodidError
from whodid.targets.laid_out.writing import Written

THREADS: Final = 2
_BLOCK_BYTES: Final = 1024 * 1024


def converted(working: Path, written: list[Written]) -> list[Written]:
    """The files as Parquet, on disk; the lines are gone. One that is there from before is made again.

    Raises
    ------
    WhodidError("invalid")
        A line cannot be read as an event of the native form.
    """
    with duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": True}) as connection:
        return [_converted(connection, working, file) for file in written]


def _converted(connection: duckdb.DuckDBPyConnection, working: Path, file: Written) -> Written:
    lines, made = working / file.working, working / f"{file.working}-parquet"
    statement = _statement().replace("$lines", _quoted(lines)).replace("$parquet", _quoted(made))
    try:
        connection.execute(statement)
    except duckdb.InvalidInputException as error:
        raise WhodidError("invalid", f"Events cannot be written as Parquet: {str(error)[:300]}") from error
    except duckdb.IOException as error:
        raise WhodidError("full", f"Parquet cannot be written: {str(error)[:300]}", "Free some space.") from error
    lines.unlink()
    size_bytes, digest = _synced(made)
    return msgspec.structs.replace(file, working=made.name, size_bytes=size_bytes, sha256=digest)


@cache
def _statement() -> str:
    return (files(__package__) / "sql" / "parquet.sql").read_text("utf-8")


def _synced(path: Path) -> tuple[int, str]:
    """On disk when this returns: (bytes, SHA-256)."""
    digest = hashlib.sha256()
    with path.open("rb+") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
        os.fsync(file.fileno())
        return file.tell(), digest.hexdigest()


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
