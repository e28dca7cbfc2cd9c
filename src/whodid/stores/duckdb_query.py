"""Asking DuckDB: read-only, stopped at a time, cut at a number of rows and bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import pyarrow as pa

from whodid.stores.base import Result

_CHUNK_ROWS: Final = 20_480
_INT64: Final = pa.int64()


def run(
    cursor: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence[Any] | dict[str, Any] | None,
    *,
    limit: int,
    timeout_ms: int,
    bytes_max: int,
) -> Result:
    """The first `limit` rows of a statement's answer, and at most `bytes_max` bytes of them.

    Raises
    ------
    duckdb.InterruptException
        The statement ran longer than `timeout_ms`.
    """
    with _stopped_after(timeout_ms, cursor.interrupt):
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            reader = cursor.sql(sql, params=params or None).to_arrow_reader(min(limit + 1, _CHUNK_ROWS))
            table, truncated = _first_rows(reader, limit, bytes_max)
            reader.close()
        finally:
            cursor.execute("ROLLBACK")
    return Result(_plain(table), truncated)


def _first_rows(reader: pa.RecordBatchReader, limit: int, bytes_max: int) -> tuple[pa.Table, bool]:
    batches: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    truncated = False
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        size_bytes += batch.nbytes
        if rows > limit or size_bytes > bytes_max:
            truncated = rows > limit or reader_has_more(reader)
            break
    return pa.Table.from_batches(batches, schema=reader.schema).slice(0, limit), truncated


def reader_has_more(reader: pa.RecordBatchReader) -> bool:
    """Whether another row comes."""
    return any(batch.num_rows for batch in reader)


def _plain(table: pa.Table) -> pa.Table:
    """128-bit integers (a sum of counts) as 64-bit ones wherever all of them fit."""
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0 and field.type.precision == 38:
            try:
                table = table.set_column(place, field.name, table.column(place).cast(_INT64))
            except pa.ArrowInvalid:
                continue
    return table


@contextmanager
def _stopped_after(timeout_ms: int, stop: Callable[[], None]) -> Iterator[None]:
    timer = threading.Timer(timeout_ms / 1000, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
