"""Asking DuckDB: read-only, stopped at a time, cut at a number of rows and bytes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from whodid.errors import WhodidError
from whodid.stores.base import Result
from whodid.stores.stopping import STOP, is_stopped, stopped

_CHUNK_ROWS: Final = 2_048
_LOOK_S: Final = 0.05
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
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
    process_bytes_max: int,
) -> Result:
    """The first `limit` rows of a statement's answer.

    Raises
    ------
    duckdb.InterruptException
        The statement ran longer than `timeout_ms`.
    WhodidError("timeout")
        Who asked it stopped it (`stopping.stoppable`).
    WhodidError("too_large")
        The rows have more than `bytes_max` bytes, or the process came to hold more than `process_bytes_max`.
    """
    with _Watch(cursor.interrupt, timeout_ms, process_bytes_max) as watch:
        try:
            table, kinds, truncated = _answer(cursor, sql, params, limit, bytes_max)
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


class _Watch:
    """Stops a statement at its time limit, or when the process holds more memory than the engine may use at all.

    The engine counts its buffers, not the values that an expression makes (a text doubled thirty times); so the
    process is watched besides.
    """

    def __init__(self, stop: Callable[[], None], timeout_ms: int, process_bytes_max: int):
        self.too_large = False
        self._stop = stop
        self._timeout_s = timeout_ms / 1000
        self._process_bytes_max = process_bytes_max
        self._over = threading.Event()
        self._stopped_by = STOP.get()
        self._thread = threading.Thread(target=self._watch, name="whodid-query-watch", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        while not self._over.wait(max(0.0, min(_LOOK_S, deadline - time.monotonic()))):
            self.too_large = self.too_large or _process_bytes() > self._process_bytes_max
            is_unwanted = self._stopped_by is not None and self._stopped_by.is_set()
            if self.too_large or is_unwanted or time.monotonic() >= deadline:
                # Asked again while it goes on: an interruption that comes between two steps of it is lost.
                self._stop()


def _process_bytes() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
