"""Answers as tables on a terminal: what fits its width is shown, and nothing in the data can command it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TextIO

import pyarrow as pa
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from whodid.reading.cells import is_number, text_columns
from whodid.reading.printable import printable

CELL_LENGTH_MAX: Final = 200
COLUMN_WIDTH_MIN: Final = 8
# Of larger numbers six digits are not enough.
DIGITS_MATTER_BELOW: Final = 100_000
# Between two columns, and before the first and behind the last of them together.
_BETWEEN: Final = 3
_AROUND: Final = 2
# Of a second, behind a time.
_FRACTION: Final = re.compile(r"\.\d+Z$")
# What of an event people look at first.
EVENT_COLUMNS: Final = ("time", "user", "type", "entity_type", "entity_name", "description", "error_message")


class _Column(NamedTuple):
    """A column as it is printed: `least` and `most` are the characters that it needs, and that it would fill."""

    name: str
    cells: list[str]
    is_number: bool
    least: int
    most: int


def print_table(
    table: pa.Table, *, to: TextIO | None = None, width: int | None = None, columns: Sequence[str] | None = None
) -> None:
    """Print rows as a table.

    Parameters
    ----------
    to
        Where to; standard output by default.
    width
        Characters a line; the terminal's by default.
    columns
        The columns to show; by default the telling ones of a page of events, else all. What does not fit is left
        out, and a line below says so.
    """
    console = Console(file=to, width=width, highlight=False, emoji=False, markup=False)
    wanted = _telling(table) if columns is None else [name for name in columns if name in table.schema.names]
    told = table.select(wanted) if wanted != table.schema.names else table
    shown = _fitting(told, console.width)
    console.print(_rich_table(shown, _widths(shown, console.width)))
    if left_out := told.num_columns - len(shown):
        what = "1 more column does" if left_out == 1 else f"{left_out} more columns do"
        console.print(Text(f"{what} not fit: --output json shows all.", style="dim"))


def _telling(table: pa.Table) -> list[str]:
    names: list[str] = table.schema.names
    if not {"time", "type", "entity_type", "error_message", "parameters"} <= set(names):
        return names
    return [name for name in EVENT_COLUMNS if table.column(name).null_count < table.num_rows or not table.num_rows]


def _fitting(table: pa.Table, width: int) -> list[_Column]:
    """The columns that fit within so many characters, from the first on; the first one always is there."""
    found: list[_Column] = []
    room = width - _AROUND + _BETWEEN
    for place in range(table.num_columns):
        # Two columns may have one name.
        column = _column(table.select([place]))
        room -= column.least + _BETWEEN
        if found and room < 0:
            break
        found.append(column)
    return found


def _column(alone: pa.Table) -> _Column:
    field, (texts,) = alone.schema.field(0), text_columns(alone)
    if pa.types.is_floating(field.type):
        texts = [None if text is None else _rounded(text) for text in texts]
    if pa.types.is_timestamp(field.type):
        texts = [None if text is None else _FRACTION.sub("Z", text) for text in texts]
    cells = ["" if text is None else _short(text) for text in texts]
    head = printable(field.name)
    most = max(map(cell_len, [head, *cells]))
    # A number or a time that is cut says something else.
    is_whole = is_number(field) or pa.types.is_timestamp(field.type)
    least = most if is_whole else min(most, max(COLUMN_WIDTH_MIN, cell_len(head)))
    return _Column(head, cells, is_number(field), least, most)


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """How wide the columns are that fit within so many characters."""
    room = width - _AROUND - _BETWEEN * (len(columns) - 1)
    found = [max(1, min(column.least, room)) for column in columns]
    room -= sum(found)
    # What is left is for the narrowest need first, so that as many as can be are whole.
    growing = sorted(range(len(found)), key=lambda place: columns[place].most - found[place])
    for count, place in zip(range(len(growing), 0, -1), growing, strict=True):
        more = max(0, min(columns[place].most - found[place], room // count))
        found[place] += more
        room -= more
    return found


def _rich_table(columns: Sequence[_Column], widths: Sequence[int]) -> Table:
    shown = Table(header_style="bold", pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        justify: Literal["right", "left"] = "right" if column.is_number else "left"
        shown.add_column(Text(column.name), justify=justify, overflow="ellipsis", no_wrap=True, width=width)
    for cells in zip(*(column.cells for column in columns), strict=True):
        shown.add_row(*map(Text, cells))
    return shown


def _rounded(number: str) -> str:
    """A number with a fraction to as many digits as people compare; the other outputs have all of them."""
    value = float(number)
    return number if abs(value) >= DIGITS_MATTER_BELOW or value.is_integer() else f"{value:.6g}"


def _short(cell: str) -> str:
    return printable(cell[:CELL_LENGTH_MAX]) + ("…" if len(cell) > CELL_LENGTH_MAX else "")
