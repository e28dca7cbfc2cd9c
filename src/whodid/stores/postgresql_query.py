"""Asking PostgreSQL: in a read-only transaction, with few rights, bounded in time, memory, rows and bytes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from itertools import islice
from typing import Any, Final, cast

import psycopg
import pyarrow as pa
from psycopg import errors
from psycopg.types.string import TextLoader

from whodid.errors import WhodidError
from whodid.postgresql import Connection
from whodid.stores.base import Result
from whodid.stores.postgresql_params import bound
from whodid.stores.postgresql_schema import READER_ROLE
from whodid.stores.stopping import cancelled_by_stop, is_stopped, stopped

ANSWER_BYTES_MAX: Final = 512 * 1024 * 1024
WORK_MEMORY: Final = "64MB"
TEMPORARY_FILES: Final = "4GB"
LOCK_TIMEOUT_MS: Final = 10_000
# A server that has not said a word so long after it should have stopped the statement stands still.
SILENT_S: Final = 5.0

# Rows that travel at once, where libpq can do that (from version 17).
_CHUNK_ROWS: Final = 500
_STREAM_ROWS: Final = _CHUNK_ROWS if psycopg.capabilities.has_stream_chunked() else 1
_INT64: Final = range(-(2**63), 2**63)
_JSON_MARK: Final = {b"whodid": b"json"}
_ARROW_TYPES: Final[dict[str, pa.DataType]] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
# Types that are handed on as the text PostgreSQL writes.
_AS_TEXT: Final = ("uuid", "json", "jsonb", "interval", "timetz", "inet", "cidr")


def run(
    connection: Connection,
    text: str,
    params: Sequence[Any] | dict[str, Any] | None,
    *,
    limit: int,
    timeout_ms: int,
    as_reader: bool,
    alone: bool,
) -> Result:
    """The first `limit` rows of a statement's answer.

    as_reader  whether `READER_ROLE` is there to ask in the name of.
    alone      whether nothing else is asked at the same time: then the plan may have several processes.
    Raises     psycopg.Error        the engine's complaint; QueryCanceled after `timeout_ms`.
               WhodidError("timeout")    who asked it stopped it (`stopping.stoppable`).
               WhodidError("invalid")    parameters are missing.
               WhodidError("too_large")  the answer has more than `ANSWER_BYTES_MAX` bytes.
    """
    statement = bound(connection, text, params).strip().rstrip(";")
    try:
        with (
            connection.within(timeout_ms / 1_000 + SILENT_S),
            _read_only(connection, timeout_ms, as_reader, alone),
            cancelled_by_stop(connection.cancel_safe),
        ):
            # A subquery, so that nothing but a SELECT fits, and with parallel plans, which a cursor would not get.
            return _answer(connection, f"SELECT * FROM (\n{statement}\n) AS answer LIMIT {limit + 1}", limit)  # noqa: S608
    except errors.QueryCanceled as problem:
        if is_stopped():
            raise stopped() from problem
        raise


@contextmanager
def _read_only(connection: Connection, timeout_ms: int, as_reader: bool, alone: bool) -> Iterator[None]:
    settings = [
        "SET TRANSACTION READ ONLY",
        "SET LOCAL search_path = whodid, public",
        f"SET LOCAL work_mem = '{WORK_MEMORY}'",
        f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}",
        f"SET LOCAL statement_timeout = {max(1, timeout_ms)}",
        # Compiling takes 0.1 to 1.2 s of a tile of a page, and saves at most a tenth of statements that take 8 s.
        "SET LOCAL jit = off",
    ]
    with connection.transaction(force_rollback=True):
        with suppress(errors.InsufficientPrivilege), connection.transaction():
            connection.execute(f"SET LOCAL temp_file_limit = '{TEMPORARY_FILES}'")
        if not alone:
            # The tiles of a page, asked at once, are told in two thirds of the time where none has several.
            settings.append("SET LOCAL max_parallel_workers_per_gather = 0")
        if as_reader:
            settings.append(f"SET LOCAL ROLE {READER_ROLE}")
        connection.execute("; ".join(settings))
        yield


def _answer(connection: Connection, statement: str, limit: int) -> Result:
    values: list[list[Any]] = []
    rows = size_bytes = 0
    with connection.cursor() as cursor:
        for name in _AS_TEXT:
            cursor.adapters.register_loader(name, TextLoader)
        stream = cast(Generator[tuple[Any, ...], None, None], cursor.stream(statement, size=_STREAM_ROWS))
        with closing(stream):
            # By column soon: the garbage collector passes over rows again and again while they are many.
            while chunk := list(islice(stream, _CHUNK_ROWS)):
                rows += len(chunk)
                values = values or [[] for _ in chunk[0]]
                for column, more in zip(values, zip(*chunk, strict=True), strict=True):
                    column += more
                    size_bytes += sum(len(value) for value in more if isinstance(value, str))
                if size_bytes > ANSWER_BYTES_MAX:
                    raise WhodidError(
                        "too_large",
                        f"The answer has more than {ANSWER_BYTES_MAX:,} bytes.",
                        "Ask for fewer rows or columns.",
                    )
        if cursor.description is None:
            # A stream without rows has no columns either.
            cursor.execute(f"{statement} OFFSET {limit + 1}")
        columns = _columns(cursor)
    return Result(_table(columns, [column[:limit] for column in values]), truncated=rows > limit)


def _columns(cursor: psycopg.Cursor[Any]) -> list[tuple[str, str]]:
    types = cursor.adapters.types
    described = []
    for column in cursor.description or ():
        info = types.get(column.type_code)
        is_array = info is not None and column.type_code == info.array_oid
        described.append((column.name, f"{info.name}[]" if info and is_array else info.name if info else "text"))
    return described


def _table(columns: list[tuple[str, str]], values: list[list[Any]]) -> pa.Table:
    values = values or [[] for _ in columns]
    arrays = [_array(type_, column) for (_, type_), column in zip(columns, values, strict=True)]
    fields = [
        pa.field(name, array.type, metadata=_JSON_MARK if type_ in ("json", "jsonb") else None)
        for (name, type_), array in zip(columns, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(type_: str, values: Sequence[Any]) -> pa.Array:
    if type_ == "numeric":
        return _numbers(values)
    if type_.endswith("[]"):
        return _lists(type_.removesuffix("[]"), values)
    arrow_type = _ARROW_TYPES.get(type_)
    if arrow_type is None:
        return pa.array(
            [value if value is None or isinstance(value, str) else str(value) for value in values], pa.string()
        )
    return pa.array(values, arrow_type)


def _numbers(values: Sequence[Decimal | None]) -> pa.Array:
    """Sums and averages: whole numbers where all are whole and fit into 64 bits, else doubles."""
    numbers = [value for value in values if value is not None]
    whole = bool(numbers) and all(value.is_finite() and value == int(value) for value in numbers)
    if whole and all(int(value) in _INT64 for value in numbers):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _lists(type_: str, values: Sequence[list[Any] | None]) -> pa.Array:
    arrow_type = _ARROW_TYPES.get(type_, pa.string())
    if pa.types.is_string(arrow_type):
        values = [None if value is None else _as_texts(value) for value in values]
    try:
        return pa.array(values, pa.list_(arrow_type))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _as_texts(values: list[Any]) -> list[Any]:
    return [value if value is None or isinstance(value, list) else str(value) for value in values]
