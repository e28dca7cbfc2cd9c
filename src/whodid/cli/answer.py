"""Answers on standard output or into a file, in the format that was asked for."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from whodid.cli.options import Output
from whodid.cli.terminal import note
from whodid.errors import WhodidError

if TYPE_CHECKING:
    import pyarrow as pa

    from whodid.reading import Answer

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def show(answer: Answer, output: Output, *, columns: Sequence[str] | None = None) -> None:
    """Write an answer; a note on standard error says when there is more."""
    show_table(answer.arrow(), output, columns=columns)
    if answer.next_cursor:
        note(f"There are more: --limit N, or go on with --cursor {answer.next_cursor}")
    elif answer.truncated:
        note("There are more rows: --limit N shows them.")


def show_events(answer: Answer, output: Output) -> None:
    """Write events; on a terminal in words."""
    if output.format() == "table":
        from whodid.reading import Answer
        from whodid.reading.then_and_now import in_words

        answer = Answer(in_words(answer.arrow()), truncated=answer.truncated, next_cursor=answer.next_cursor)
    show(answer, output)


def show_table(table: pa.Table, output: Output, *, columns: Sequence[str] | None = None) -> None:
    """Write the rows of an Arrow table; `columns` are what a table on a terminal shows."""
    form = output.format()
    if form == "table":
        from whodid.reading.terminal import print_table

        with _text(output.to) as stream:
            print_table(table, to=stream, columns=columns)
        return
    write_tables([table], output)


def write_tables(tables: Iterable[pa.Table], output: Output) -> None:
    """Write the rows of Arrow tables of one schema, one after the other, in a format that is no table."""
    from whodid.reading.output import write

    with _bytes(output.to) as stream:
        for piece in write(tables, output.format()):
            stream.write(piece)


def show_rows(rows: Sequence[dict[str, Any]], output: Output, *, columns: Sequence[str]) -> None:
    """Write rows of plain values; `columns` are what a table on a terminal shows."""
    import pyarrow as pa

    if not rows and output.format() == "table":
        note("There are none.")
        return
    told = _worded(rows) if output.format() == "table" else rows
    table = _table(told) if rows else pa.table({name: pa.array([], pa.string()) for name in columns})
    filled = [name for name in columns if any(row.get(name) not in (None, [], "") for row in rows)]
    show_table(table, output, columns=filled)


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table; what has parts is JSON, so that each row has the parts that it was given and no other."""
    import pyarrow as pa

    from whodid.reading.cells import encode
    from whodid.reading.read import JSON_MARK

    fields, arrays = [], []
    for name in rows[0]:
        values = [row.get(name) for row in rows]
        has_parts = any(map(_has_parts, values))
        array = pa.array(
            [None if value is None else encode(value).decode() for value in values] if has_parts else values
        )
        fields.append(pa.field(name, array.type, metadata=JSON_MARK if has_parts else None))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _worded(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as people read them: lists as their words, and times as such, that a table does not cut."""
    columns = {name: [_words(row.get(name)) for row in rows] for name in rows[0]}
    for name, values in columns.items():
        told = [value for value in values if value is not None]
        if told and all(isinstance(value, str) and _TIME.fullmatch(value) for value in told):
            columns[name] = [value and datetime.fromisoformat(value) for value in values]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _words(value: Any) -> Any:
    if not isinstance(value, list) or _has_parts(value):
        return value
    return ", ".join(map(str, value)) or None


def _has_parts(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_has_parts, value)))


def show_one(row: dict[str, Any], output: Output) -> None:
    """Write one thing: as lines of name and value on a terminal, else as one row."""
    if output.format() != "table":
        show_rows([row], output, columns=list(row))
        return
    from whodid.reading.printable import printable

    width = max(map(len, row), default=0)
    with _text(output.to) as stream:
        for name, value in row.items():
            stream.write(f"{name:<{width}}  {printable(_plain(value))}\n")


def _plain(value: Any) -> str:
    if value is None or value == []:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@contextmanager
def printed_to(output: Output) -> Iterator[None]:
    """What is printed within goes where the answer goes."""
    with _text(output.to) as stream, redirect_stdout(stream):
        yield


@contextmanager
def private_files() -> Iterator[None]:
    """Files that are made within are for their owner alone: they hold a secret."""
    usual = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(usual)


@contextmanager
def _text(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield sys.stdout
        return
    with _into(path) as file:
        import io

        text = io.TextIOWrapper(file, encoding="utf-8")
        yield text
        text.flush()
        text.detach()


@contextmanager
def _bytes(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with _into(path) as file:
        yield file


def _opened(path: Path, mode: Literal["wb", "xb"], named: Path | None = None) -> IO[bytes]:
    try:
        return path.open(mode)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise WhodidError("invalid", f"{named or path} cannot be written: {why}.", "Name another file.") from error


@contextmanager
def _into(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is whole; what is no file, a pipe for example, is written to."""
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file():
        with _opened(path, "wb") as file:
            yield file
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _opened(beside, "xb", path) as file:
            yield file
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def written(data: bytes, output: Output) -> None:
    """Write bytes as they are, where the answer goes."""
    with _bytes(output.to) as stream:
        stream.write(data)
