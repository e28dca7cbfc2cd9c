"""Answers written out: JSON, NDJSON, CSV, Parquet and Arrow, a run of rows at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from whodid.errors import WhodidError
from whodid.reading.cells import encode, is_number, json_columns, no_formula, spans_as_text, text_columns

CHUNK_ROWS: Final = 1_000


class Format(NamedTuple):
    """A form of answers: its media type, the ending of its files, and what writes tables of one schema as bytes."""

    media_type: str
    suffix: str
    write: Callable[[pa.Schema, Iterable[pa.Table]], Iterator[bytes]]


def write(tables: Iterable[pa.Table], form: str) -> Iterator[bytes]:
    """The rows of tables of one schema in one of `FORMATS`, in pieces as they come; memory holds one table.

    Raises
    ------
    WhodidError("invalid")
        There is no such format.
    """
    if form not in FORMATS:
        raise WhodidError("invalid", f"There is no format {form[:50]!r}.", f"Formats: {', '.join(FORMATS)}.")
    remaining = iter(tables)
    first = next(remaining, None)
    schema = pa.schema([]) if first is None else first.schema
    return FORMATS[form].write(schema, _chain(first, remaining))


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as values for JSON (`cells.encode`), under `names_of` the table's columns."""
    names = names_of(table)
    columns = json_columns(table)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def names_of(table: pa.Table) -> list[str]:
    """The columns' names; the second column of a name gets `_2` behind it, and so on."""
    seen: dict[str, int] = {}
    names = []
    for name in table.schema.names:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _chain(first: pa.Table | None, remaining: Iterator[pa.Table]) -> Iterator[pa.Table]:
    if first is not None:
        yield first
    yield from remaining


def _parts(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        for start in range(0, table.num_rows, CHUNK_ROWS):
            yield table.slice(start, CHUNK_ROWS)


def _write_json(_schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    before = b"["
    for part in _parts(tables):
        yield before + b",\n".join(encode(row) for row in rows(part))
        before = b",\n"
    yield b"[]\n" if before == b"[" else b"]\n"


def _write_ndjson(_schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    for part in _parts(tables):
        yield b"".join(encode(row) + b"\n" for row in rows(part))


def _write_csv(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """RFC 4180: CRLF, quotation marks where needed. Cells that a spreadsheet may run get an apostrophe in front."""
    yield _csv_lines([[no_formula(name) for name in schema.names]])
    numbers = [is_number(field) for field in schema]
    for part in _parts(tables):
        columns = [
            column if number else [no_formula(cell) for cell in column]
            for column, number in zip(text_columns(part), numbers, strict=True)
        ]
        yield _csv_lines(zip(*columns, strict=True))


def _csv_lines(lines: Iterable[Iterable[str | None]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue().encode("utf-8", "replace")


def _write_parquet(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    sink = _Sink()
    told = spans_as_text(schema.empty_table()).schema
    with pq.ParquetWriter(sink, told, compression="zstd") as writer:
        for table in tables:
            writer.write_table(spans_as_text(table))
            yield sink.drain()
    yield sink.drain()


def _write_arrow(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[bytes]:
    sink = _Sink()
    with pa.ipc.new_stream(sink, schema) as writer:
        for table in tables:
            writer.write_table(table, max_chunksize=PAGE_CHUNK_ROWS)
            yield sink.drain()
    yield sink.drain()


PAGE_CHUNK_ROWS: Final = 65_536


class _Sink(io.RawIOBase):
    """A file that is only written, and handed on as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def drain(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


FORMATS: Final[dict[str, Format]] = {
    "json": Format("application/json", ".json", _write_json),
    "ndjson": Format("application/x-ndjson", ".ndjson", _write_ndjson),
    "csv": Format("text/csv; header=present", ".csv", _write_csv),
    "parquet": Format("application/vnd.apache.parquet", ".parquet", _write_parquet),
    "arrow": Format("application/vnd.apache.arrow.stream", ".arrow", _write_arrow),
}
