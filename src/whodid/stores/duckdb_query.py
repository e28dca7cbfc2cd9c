"""Asking DuckDB: read-only, stopped at a time, cut at a number of rows and bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import duckdb
import pyarrow as pa

from whodid.errors import WhodidError
from whodid.stores.base import Result

_CHUNK_ROWS: Final = 20_480
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
) -> Result:
    """The first `limit` rows of a statement's answer.

    Raises
    ------
    duckdb.InterruptException
        The statement ran longer than `timeout_ms`.
    WhodidError("too_large")
        The rows have more than `bytes_max` bytes.
    """
    with _stopped_after(timeout_ms, cursor.interrupt):
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            # A relation's reader takes rows as they come; `execute` would gather all of them first.
            answer = cursor.sql(sql, params=params or None)
            kinds = [str(kind) for kind in answer.types]
            reader = answer.to_arrow_reader(max(1, min(limit + 1, _CHUNK_ROWS)))
            table, truncated = _first_rows(reader, limit, bytes_max)
            reader.close()
        finally:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
    return Result(_plain(table, kinds), truncated)


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


@contextmanager
def _stopped_after(timeout_ms: int, stop: Callable[[], None]) -> Iterator[None]:
    def stop_once() -> None:
        # The statement may have ended and its cursor be closed in this very moment.
        with suppress(duckdb.Error):
            stop()

    timer = threading.Timer(timeout_ms / 1000, stop_once)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
