"""Asking DuckDB: read-only, stopped at a time, cut at a number of rows and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import duckdb
import pyarrow as pa

from whodid.errors import WhodidError
from whodid.stores.base import Result
from whodid.stores.duckdb_watch import Watch
from whodid.stores.stopping import ended_by_ctrl_c, is_stopped, stopped

_CHUNK_ROWS: Final = 2_048
# How a column of strings says that they are JSON.
_JSON_MARK: Final = {b"whodid": b"json"}


def run(
    cursor: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence[Any] | dict[str, Any] | None,
    *,
    limit: int,
    timeout_ms: int,
    bytes_max: int,
    memory_bytes_max: int,
) -> Result:
    """The first `limit` rows of a statement's answer.

    Raises
    ------
    duckdb.InterruptException
        The statement ran longer than `timeout_ms`.
    WhodidError("timeout")
        Who asked it stopped it (`stopping.stoppable`).
    WhodidError("too_large")
        The rows have more than `bytes_max` bytes, or the process came to hold too much beside an engine of
        `memory_bytes_max`.
    """
    with Watch(cursor.interrupt, timeout_ms, memory_bytes_max) as watch:
        try:
            table, kinds, truncated = ended_by_ctrl_c(
                lambda: _answer(cursor, sql, params, limit, bytes_max), cursor.interrupt
            )
        except (duckdb.Error, OSError) as problem:
            if is_stopped():
                raise stopped() from problem
            if watch.too_large:
                raise WhodidError(
                    "too_large",
                    "The query was stopped because it took too much memory.",
                    "Ask for fewer rows, or make smaller values.",
                ) from problem
            raise
    return Result(_plain(table, kinds), truncated)


def _answer(
    cursor: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence[Any] | dict[str, Any] | None,
    limit: int,
    bytes_max: int,
) -> tuple[pa.Table, list[str], bool]:
    values = params if isinstance(params, dict) else list(params or ())
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    try:
        reader, kinds = _reader(cursor, sql, values, max(1, min(limit + 1, _CHUNK_ROWS)))
        table, truncated = _first_rows(reader, limit, bytes_max)
        reader.close()
        return table, kinds, truncated
    finally:
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")


def _reader(
    cursor: duckdb.DuckDBPyConnection, sql: str, values: list[Any] | dict[str, Any], chunk_rows: int
) -> tuple[pa.RecordBatchReader, list[str]]:
    """A reader that takes rows as they come, and what the engine calls their types.

    `execute` would gather all rows first, and lose their order on the way to Arrow. A relation (`sql`) looks at the
    statement twice, the first time to tell its columns: 3 to 18 ms of a report. What it runs the second time with is
    in no documentation of the client, so whatever client has none of it is asked by a relation.
    """
    try:
        answer = cursor._submit(sql, values or None, "stream", chunk_rows)
        kinds = [str(column[1]) for column in answer.description]
        return answer.arrow_reader(), kinds
    except (AttributeError, TypeError):
        relation = cursor.sql(sql, params=values or None)
        return relation.to_arrow_reader(chunk_rows), [str(kind) for kind in relation.types]


def _first_rows(reader: pa.RecordBatchReader, limit: int, bytes_max: int) -> tuple[pa.Table, bool]:
    batches: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        size_bytes += batch.nbytes
        if rows > limit:
            break
        if size_bytes > bytes_max:
            raise WhodidError(
                "too_large",
                f"The answer is larger than {bytes_max // 1024**2} MiB.",
                "Ask for fewer columns or rows, or export in parts.",
            )
    return pa.Table.from_batches(batches, schema=reader.schema).slice(0, limit), rows > limit


def _plain(table: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """JSON columns marked as such, and 128-bit integers (a sum of counts) as 64-bit ones where all of them fit."""
    for place, (field, kind) in enumerate(zip(table.schema, kinds, strict=True)):
        column = table.column(place)
        if kind == "JSON":
            table = table.set_column(place, field.with_metadata(_JSON_MARK), column)
        elif kind == "HUGEINT":
            table = table.set_column(place, field.name, _integers(column))
    return table


def _integers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    for kind in (pa.int64(), pa.decimal128(38, 0)):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    return column
