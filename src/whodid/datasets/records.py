"""The records of files as a table: lines of text, JSON objects, or Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from whodid.datasets.blocks import blocks
from whodid.datasets.columns import Columns, flat
from whodid.datasets.dataset import LINE, Dataset
from whodid.datasets.listing import PartitionFiles
from whodid.errors import WhodidError
from whodid.formats import compression
from whodid.places import File, Place

PARTITION: Final = "partition"
PROBLEMS_SHOWN: Final = 20
ROWS_MAX: Final = 5_000_000

_decode: Final = msgspec.json.Decoder().decode
_CHARSETS: Final = {"utf8": "utf-8", "latin1": "latin-1", "utf16": "utf-16"}


class Problem(Struct, kw_only=True):
    """A piece of input that is no record."""

    file: str
    line: int | None
    message: str


class Records(Struct, kw_only=True):
    """What was read. `truncated` when there is more than the limit; `passed_over` counts lines that are no records,
    and `problems` are the first of them."""

    table: pa.Table
    files: int
    truncated: bool
    passed_over: int
    problems: list[Problem]


def read(dataset: Dataset, place: Place, partitions: Iterable[PartitionFiles], *, limit: int | None = None) -> Records:
    """The records of partitions, in the order of partitions, paths and lines.

    limit    rows at most; None takes `ROWS_MAX`.
    Returns  the table; of a partitioned dataset with a first column `partition`. Lines that are no JSON object are
             counted and passed over, bad bytes are replaced.
    Raises   WhodidError("unavailable")  temporary: a file could not be read; names it.
             WhodidError("invalid")      a file is no Parquet, or its compression is broken; names it.
    """
    return _Reading(dataset, place, ROWS_MAX if limit is None else min(limit, ROWS_MAX)).read(partitions)


class _Reading:
    def __init__(self, dataset: Dataset, place: Place, limit: int):
        self._dataset = dataset
        self._place = place
        self._limit = limit
        self._passed_over = 0
        self._problems: list[Problem] = []
        self._files = 0
        self._truncated = False

    def read(self, partitions: Iterable[PartitionFiles]) -> Records:
        pairs = ((partition.name, file) for partition in partitions for file in partition.files)
        table = self._parquet(pairs) if self._dataset.format == "parquet" else self._lines(pairs)
        return Records(
            table=table,
            files=self._files,
            truncated=self._truncated,
            passed_over=self._passed_over,
            problems=self._problems,
        )

    def _lines(self, pairs: Iterator[tuple[str, File]]) -> pa.Table:
        columns = Columns()
        for partition, file in pairs:
            if columns.count >= self._limit:
                self._truncated = True
                break
            self._files += 1
            named = {PARTITION: partition} if self._dataset.pattern is not None else {}
            for row in self._rows_of(file):
                if columns.count >= self._limit:
                    self._truncated = True
                    break
                columns.add(named | row)
        return columns.table()

    def _rows_of(self, file: File) -> Iterator[dict[str, Any]]:
        number = 0
        with self._opened(file) as stream:
            for line in _text_lines(stream, self._dataset.charset):
                number += 1
                if line is None:
                    self._pass_over(file, number, "The line is too long.")
                elif self._dataset.format == LINE:
                    yield {"line": line}
                elif line.strip():
                    row = self._row(file, number, line)
                    if row is not None:
                        yield row

    def _row(self, file: File, number: int, line: str) -> dict[str, Any] | None:
        try:
            decoded = _decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
            self._pass_over(file, number, f"The line is no JSON: {error}.")
            return None
        if not isinstance(decoded, dict):
            self._pass_over(file, number, "The line is no JSON object.")
            return None
        return flat(decoded, self._dataset.max_depth)

    def _parquet(self, pairs: Iterator[tuple[str, File]]) -> pa.Table:
        tables: list[pa.Table] = []
        rows = 0
        for partition, file in pairs:
            if rows >= self._limit:
                self._truncated = True
                break
            self._files += 1
            table = self._parquet_table(file)
            if self._dataset.pattern is not None:
                table = table.add_column(0, PARTITION, pa.array([partition] * table.num_rows, pa.string()))
            tables.append(table.slice(0, self._limit - rows))
            self._truncated = self._truncated or table.num_rows > self._limit - rows
            rows += tables[-1].num_rows
        return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})

    def _parquet_table(self, file: File) -> pa.Table:
        try:
            with self._place.open(file.path) as stream:
                return pq.read_table(io.BytesIO(stream.read()))
        except pa.ArrowInvalid as error:
            raise WhodidError(
                "invalid", f"{file.path} is no Parquet: {error}.", "Check the dataset's format."
            ) from None
        except OSError as error:
            raise _unreadable(file, error) from error

    def _opened(self, file: File) -> BinaryIO:
        try:
            return _Named(file, compression.open_stream(self._place.open(file.path)))
        except OSError as error:
            raise _unreadable(file, error) from error

    def _pass_over(self, file: File, line: int, message: str) -> None:
        self._passed_over += 1
        if len(self._problems) < PROBLEMS_SHOWN:
            self._problems.append(Problem(file=file.path, line=line, message=message[:500]))


class _Named(io.RawIOBase, BinaryIO):
    """A stream whose failures name its file."""

    def __init__(self, file: File, stream: BinaryIO):
        self._file = file
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise _unreadable(self._file, error) from error
        except WhodidError as error:
            raise WhodidError(error.code, f"{self._file.path}: {error.message}", error.hint) from error

    def close(self) -> None:
        self._stream.close()
        super().close()


def _text_lines(stream: BinaryIO, charset: str) -> Iterator[str | None]:
    """Each line as text, bad bytes replaced; None for one that is too long."""
    if charset == "utf16":
        yield from (line.rstrip("\r\n") for line in io.TextIOWrapper(stream, "utf-16", errors="replace"))
        return
    for block in blocks(stream):
        if block.too_long_bytes:
            yield None
            continue
        lines = block.data.decode(_CHARSETS[charset], "replace").split("\n")
        if block.first_line == 1:
            lines[0] = lines[0].removeprefix("\ufeff")
        if lines[-1] == "":
            lines.pop()
        yield from (line.removesuffix("\r") for line in lines)


def _unreadable(file: File, error: OSError) -> WhodidError:
    return WhodidError(
        "unavailable", f"{file.path} could not be read: {error.strerror or error}.", "Try again; then check the place."
    )


def schema_of(table: pa.Table) -> list[dict[str, str]]:
    """Names and types of a table's columns: text, whole, number, bool, or Arrow's own name of another."""
    words = {pa.string(): "text", pa.int64(): "whole", pa.float64(): "number", pa.bool_(): "bool"}
    return [{"name": field.name, "type": words.get(field.type, str(field.type))} for field in table.schema]
