"""Parquet by DuckDB: segments of the journal are read as they lie, without an event passing through Python."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Final

import duckdb

from whodid import durable
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.pattern import MISSING, PathPattern
from whodid.targets.base import Delivery
from whodid.targets.laid_out.writing import LineFile, Written

THREADS: Final = 2
# DuckDB's read buffers are twice this for each thread: small is fast, large only where a frame needs it.
LINE_BYTES_USUAL: Final = 8 * 1024 * 1024

_BLOCK_BYTES: Final = 1024 * 1024
_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_FIELDS: Final = (
    "id VARCHAR, time TIMESTAMP, type VARCHAR, level VARCHAR, topic VARCHAR, routing_key VARCHAR, source VARCHAR, "
    'session VARCHAR, "user" VARCHAR, acting_for VARCHAR, via VARCHAR, entities JSON, description VARCHAR, '
    "parameters JSON, function VARCHAR, duration_ms DOUBLE, request_id VARCHAR, status VARCHAR, error_message VARCHAR, "
    "error_stack_trace VARCHAR, error_hash VARCHAR, node VARCHAR, node_type VARCHAR"
)
_COLUMNS: Final = re.sub(r'("?\w+"?) (\w+)', r"\1: '\2'", _FIELDS)
_PERIODS: Final = (("year", "%Y", 1970), ("month", "%m", 1), ("day", "%d", 1), ("hour", "%H", 0))
_PART: Final = "part_"
FORM: Final = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880"

Values = Mapping[str, str | int | None]
"""Of the columns that rows are divided by."""


class ParquetWriting:
    """The events of one commit, as `writing.Writing` has them, turned into files when it is closed.

    Deliveries that are whole segments are only noted; others are written down as lines.
    """

    COLUMNS: ClassVar[str] = "*"
    """What of `sql/parquet.sql` files have, and what is worked out from it."""
    ORDER: ClassVar[str] = ""
    """How the rows of a file are sorted: SQL, or nothing for any order."""

    def __init__(self, working: Path, folders: PathPattern, *, prefix: str):
        self.places: dict[str, int] = {}
        self.size_bytes = 0
        self.events = 0
        self._working = working
        self._folders = folders
        self._prefix = prefix
        self._whole: list[Delivery] = []
        self._lines: LineFile | None = None
        self._made: list[Path] = []

    def take(self, delivery: Delivery) -> tuple[int, int]:
        """Note or write down a delivery's events: (events, bytes as lines)."""
        if delivery.path is not None:
            size_bytes = delivery.path.stat().st_size
            self._whole.append(delivery)
        else:
            size_bytes = self._written_down(list(delivery.lines()))
        self.places[delivery.receiver] = delivery.last
        self.events += delivery.count
        self.size_bytes += size_bytes
        return delivery.count, size_bytes

    def close(self) -> list[Written]:
        """All files, on disk.

        Raises
        ------
        WhodidError("invalid")
            An event cannot be read.
        WhodidError("full")
            There is no space.
        """
        self._working.mkdir(parents=True, exist_ok=True, mode=0o700)
        with duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": False}) as connection:
            self._load(connection)
            names = [name for name, _ in self.parts()]
            distinct = f"SELECT DISTINCT {', '.join(names)} FROM loaded ORDER BY ALL" if names else "SELECT 1"  # noqa: S608
            return [
                self._file(connection, dict(zip(names, values, strict=False)))
                for values in connection.execute(distinct).fetchall()
            ]

    def abandon(self) -> None:
        """Take everything away."""
        if self._lines is not None:
            self._lines.abandon()
        for path in self._made:
            path.unlink(missing_ok=True)

    def parts(self) -> Sequence[tuple[str, str]]:
        """What rows are divided by, a file each: (name of a column, its expression)."""
        return _parts(self._folders)

    def form(self) -> str:
        """How files are written: options of DuckDB's COPY."""
        return FORM

    def written(self, working: Path, values: Values, *, unique: str, events: int) -> Written:
        """What is told of a file whose rows have these values; it is whole, and comes to the disk here."""
        size_bytes, digest = synced(working)
        path = f"{self._folder_of(values)}/{self._prefix}-{unique}.parquet".lstrip("/")
        return Written(working=working.name, path=path, events=events, size_bytes=size_bytes, sha256=digest)

    def _written_down(self, lines: Sequence[bytes]) -> int:
        if self._lines is None:
            self._working.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lines = LineFile(self._working / f"{new_id()}.part", "none")
        return self._lines.write(lines)

    def _load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """All rows in a table `loaded`, with what they are divided by."""
        try:
            paths = [delivery.path for delivery in self._whole if delivery.path is not None]
            left_out = [(delivery.receiver, seq) for delivery in self._whole for seq in delivery.left_out]
            self._load_from(connection, "segments", paths, left_out)
        except duckdb.InvalidInputException:
            # What only our own reader accepts goes the long way.
            connection.execute("DROP TABLE IF EXISTS loaded")
            for delivery in self._whole:
                self._written_down(list(delivery.lines()))
        if self._lines is not None:
            self._lines.close()
            try:
                self._load_from(connection, "lines", [self._lines.path], ())
            except duckdb.InvalidInputException as error:
                raise WhodidError("invalid", f"Events cannot be written as Parquet: {str(error)[:300]}") from error
            self._lines.path.unlink()

    def _load_from(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: str,
        paths: Sequence[Path],
        left_out: Sequence[tuple[str, int]],
    ) -> None:
        if not paths:
            return
        rows = f"{_statements()['row']} {_statements()[source]}".replace("$fields", _FIELDS)
        rows = rows.replace("$columns", _COLUMNS).replace("$paths", f"[{', '.join(map(quoted, paths))}]")
        if left_out:
            connection.execute("CREATE TEMP TABLE left_out (receiver VARCHAR, seq BIGINT)")
            connection.executemany("INSERT INTO left_out VALUES (?, ?)", left_out)
            rows = f"FROM ({rows}) ANTI JOIN left_out USING (receiver, seq)"
        columns = "".join(f", {expression} AS {name}" for name, expression in self.parts())
        selected = f"SELECT {self.COLUMNS}{columns} FROM ({rows})"  # noqa: S608 - names and expressions are our own
        longest = max(map(_longest_line_bytes, paths))
        size = LINE_BYTES_USUAL if longest < LINE_BYTES_USUAL else longest + 1
        connection.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS loaded AS FROM ({selected.replace('$line_bytes_max', str(size))}) LIMIT 0"
        )
        connection.execute(f"INSERT INTO loaded {selected.replace('$line_bytes_max', str(size))}")

    def _file(self, connection: duckdb.DuckDBPyConnection, values: Values) -> Written:
        """The rows with these values as a file under its working name."""
        unique = new_id()
        working = self._working / f"{unique}.part"
        self._made.append(working)
        others = f"* EXCLUDE ({', '.join(values)})" if values else "*"
        where = " AND ".join(f"{name} IS NOT DISTINCT FROM {_literal(value)}" for name, value in values.items())
        rows = f"SELECT {others} FROM loaded WHERE {where or 'true'} {self.ORDER}"  # noqa: S608 - our own, or escaped
        try:
            made = connection.execute(f"COPY ({rows}) TO {quoted(working)} ({self.form()})").fetchone()
        except duckdb.IOException as error:
            raise WhodidError("full", f"Parquet cannot be written: {str(error)[:300]}", "Free some space.") from error
        return self.written(working, values, unique=unique, events=int(made[0]) if made else 0)

    def _folder_of(self, values: Values) -> str:
        dimensions = {name: str(values[f"{_PART}{place}"]) for place, name in enumerate(self._folders.dimensions)}
        year, month, day, hour = (int(values.get(f"{_PART}{name}", least) or least) for name, _, least in _PERIODS)
        return self._folders.folder(dimensions, datetime(year, month, day, hour, tzinfo=UTC))


def _parts(folders: PathPattern) -> list[tuple[str, str]]:
    """What rows are divided by: (name of a column, its expression)."""
    found = [
        (f"{_PART}{place}", f"coalesce(nullif({name}, ''), '{MISSING}')")
        for place, name in enumerate(folders.dimensions)
    ]
    for name, form, _ in _PERIODS:
        if folders.period is None:
            break
        found.append((f"{_PART}{name}", f"strftime(time, '{form}')"))
        if name == folders.period:
            break
    return found


def _longest_line_bytes(path: Path) -> int:
    """The longest line of a file; looked for only where a line may be longer than DuckDB's usual buffer."""
    if path.stat().st_size < LINE_BYTES_USUAL:
        return 0
    longest = size_bytes = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            first, *others = block.split(b"\n")
            size_bytes += len(first)
            for other in others:
                longest, size_bytes = max(longest, size_bytes), len(other)
    return max(longest, size_bytes)


@cache
def _statements() -> dict[str, str]:
    text = (files(__package__) / "sql" / "parquet.sql").read_text("utf-8")
    _, *named = _NAME.split(text)
    return {name: _without_comments(body) for name, body in zip(named[::2], named[1::2], strict=True)}


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()


def synced(path: Path) -> tuple[int, str]:
    """On disk when this returns: (bytes, SHA-256)."""
    digest = hashlib.sha256()
    with path.open("rb+") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
        durable.sync(file.fileno())
        return file.tell(), digest.hexdigest()


def quoted(path: Path) -> str:
    """A path as SQL."""
    return f"'{_escaped(str(path))}'"


def _literal(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f"'{_escaped(value)}'"


def _escaped(text: str) -> str:
    return text.replace("'", "''")
