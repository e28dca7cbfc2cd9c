"""Answers as tables on a terminal: what fits its width is shown, and nothing in the data can command it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TextIO

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from whodid.reading.cells import is_number, text_columns
from whodid.reading.printable import printable

CELL_LENGTH_MAX: Final = 200
COLUMN_WIDTH_MIN: Final = 8
# What of an event people look at first.
EVENT_COLUMNS: Final = ("time", "user", "type", "entity_type", "entity_name", "description", "error_message")


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
    shown, left_out = _fitting(table.select(wanted) if wanted != table.schema.names else table, console.width)
    console.print(_rich_table(shown))
    if left_out:
        what = "1 more column does" if left_out == 1 else f"{left_out} more columns do"
        console.print(Text(f"{what} not fit: --output json shows all.", style="dim"))


def _telling(table: pa.Table) -> list[str]:
    names: list[str] = table.schema.names
    if not {"time", "type", "entity_type", "error_message", "parameters"} <= set(names):
        return names
    return [name for name in EVENT_COLUMNS if table.column(name).null_count < table.num_rows or not table.num_rows]


def _fitting(table: pa.Table, width: int) -> tuple[pa.Table, int]:
    room = max(1, (width - 1) // (COLUMN_WIDTH_MIN + 3))
    count = min(table.num_columns, room)
    return table.select(list(range(count))), table.num_columns - count


def _rich_table(table: pa.Table) -> Table:
    shown = Table(header_style="bold", pad_edge=False)
    for field in table.schema:
        number = is_number(field)
        shown.add_column(
            Text(printable(field.name)),
            justify="right" if number else "left",
            overflow="ellipsis",
            no_wrap=True,
            min_width=min(COLUMN_WIDTH_MIN, len(field.name)),
        )
    for cells in zip(*text_columns(table), strict=True):
        shown.add_row(*[Text("" if cell is None else _short(cell)) for cell in cells])
    return shown


def _short(cell: str) -> str:
    return printable(cell[:CELL_LENGTH_MAX]) + ("…" if len(cell) > CELL_LENGTH_MAX else "")
