"""The answer to a statement: rows as they are shown, and the chart that suits their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from whodid.reading.cells import encode, python_rows, text_columns, type_name
from whodid.reading.output import names_of
from whodid.reports import Column, Report
from whodid.stores.base import Result
from whodid.web.pages import charts, links
from whodid.web.pages.cells import label_of
from whodid.web.pages.choice import Choice
from whodid.web.pages.specs import POINTS_MAX, SCHEMA

SHOWN_MAX: Final = 1_000
TEXT_MAX: Final = 500
BARS_MAX: Final = 25
BAR_HEIGHT: Final = 20
# Of all rows, so many may have a value of their own in a column that tells lines apart.
CATEGORIES_MAX: Final = 0.9
_KINDS: Final = {
    "bigint": "integer",
    "double": "number",
    "decimal": "number",
    "timestamp": "time",
    "date": "date",
    "varchar": "text",
    "boolean": "text",
}


class Head(NamedTuple):
    """A column."""

    name: str
    type: str
    is_number: bool


class Cell(NamedTuple):
    """A value: as it is, where it leads, and whether it is no value at all."""

    text: str
    title: str
    href: str | None
    is_null: bool


class Picture(NamedTuple):
    """A chart: its specification as JSON, its categories, and what it shows in words."""

    spec: str
    legend: list[tuple[str, str]]
    words: str
    is_ranking: bool = False


class Answer(NamedTuple):
    """What a statement gave: `of` rows, of which the first are shown; `truncated` if the store has more."""

    heads: list[Head]
    rows: list[list[Cell]]
    of: int
    truncated: bool
    took_ms: float
    picture: Picture | None


def answer_of(result: Result, took_ms: float) -> Answer:
    """An answer for the page; blocks, but not for long."""
    table = result.table
    names = names_of(table)
    heads = [_head(name, field) for name, field in zip(names, table.schema, strict=True)]
    first = table.slice(0, SHOWN_MAX)
    texts = text_columns(first)
    rows = [_row(heads, values) for values in zip(*texts, strict=True)] if texts else []
    return Answer(heads, rows, table.num_rows, result.truncated, took_ms, picture_of(table))


def picture_of(table: pa.Table) -> Picture | None:
    """Time and a number: lines, a text apart; a text and a number: bars; anything else has no chart."""
    if not 2 <= table.num_rows <= POINTS_MAX:
        return None
    columns = [
        Column(name=name, type=_KINDS.get(type_name(field), "json"), unit=_unit(name), help="")
        for name, field in zip(names_of(table), table.schema, strict=True)
    ]
    if len({column.name for column in columns}) < len(columns):
        return None
    time = next((one for one in columns if one.type in ("time", "date")), None)
    text = next((one for one in columns if one.type == "text"), None)
    number = next(
        (one for place, one in enumerate(columns) if one.type in ("integer", "number") and _is_drawn(table, place)),
        None,
    )
    if number is None or (time is None and text is None):
        return None
    if time is not None and columns.index(time) <= columns.index(number):
        text = next(
            (one for place, one in enumerate(columns) if one.type == "text" and _is_category(table, place)), None
        )
        color = f" color={text.name}" if text is not None else ""
        if text is None and _is_repeated(table, columns.index(time)):
            return None
        chart = f"line x={time.name} y={number.name}{color}"
        words = f"{label_of(number.name)} over {label_of(time.name)}"
        words += f", by {label_of(text.name)}" if text is not None else ""
    elif text is not None:
        if _is_repeated(table, columns.index(text)):
            return None
        words = f"{label_of(number.name)} by {label_of(text.name)}"
        if table.num_rows > BARS_MAX:
            words += f", the first {BARS_MAX} of {table.num_rows:,}"
        return Picture(encode(_bars(table.slice(0, BARS_MAX), text, number)).decode(), [], words, True)
    else:
        return None
    return _drawn(columns, table, chart, words)


def _bars(table: pa.Table, text: Column, number: Column) -> dict[str, Any]:
    """Bars that lie, so that their names are whole."""
    rows = python_rows(table)
    values = [{"y": str(row[text.name]), "x": row[number.name]} for row in rows]
    names = {"labelLimit": 240, "ticks": False, "domain": False}
    return {
        "$schema": SCHEMA,
        "width": "container",
        # In all, not for each bar: what only fits its width may not be as high as it likes.
        "height": BAR_HEIGHT * len(values),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": values},
        "mark": {"type": "bar", "tooltip": True, "height": 14},
        "encoding": {
            "y": {"field": "y", "type": "nominal", "sort": None, "title": None, "axis": names},
            "x": {"field": "x", "type": "quantitative", "title": None, "axis": {"tickCount": 4, "grid": True}},
            "color": {"value": "var(--hue-1)"},
            "tooltip": [
                {"field": "y", "type": "nominal", "title": label_of(text.name)},
                {"field": "x", "type": "quantitative", "title": label_of(number.name)},
            ],
        },
    }


def _drawn(columns: list[Column], table: pa.Table, chart: str, words: str) -> Picture | None:
    if any(set(column.name) & set(" =") for column in columns if f"={column.name}" in chart):
        return None
    report = Report(
        name="console", family="", title="", question="", parameters=[], columns=columns, chart=None, drill=None,
        step=None, sql="",
    )  # fmt: skip
    spec = charts.spec(report, python_rows(table), chart=chart)
    if spec is None:
        return None
    spec.get("usermeta", {}).pop("step", None)
    spec.pop("params", None)
    return Picture(encode(spec).decode(), charts.legend(spec), words)


def _is_drawn(table: pa.Table, place: int) -> bool:
    """Whether a column has two numbers at least."""
    return int(table.num_rows - table.column(place).null_count) >= 2


def _is_category(table: pa.Table, place: int) -> bool:
    """Whether values of a column come again; ids do not."""
    return len(table.column(place).unique()) <= int(table.num_rows) * CATEGORIES_MAX


def _is_repeated(table: pa.Table, place: int) -> bool:
    column = table.column(place)
    return len(column.unique()) < len(column)


def _head(name: str, field: pa.Field) -> Head:
    kind = type_name(field)
    return Head(name, kind, kind in ("bigint", "double", "decimal"))


def _unit(name: str) -> str | None:
    if name.endswith("_ms"):
        return "ms"
    return "bytes" if name.endswith("_bytes") else None


def _row(heads: list[Head], values: Sequence[str | None]) -> list[Cell]:
    row: dict[str, Any] = {head.name: value for head, value in zip(heads, values, strict=True)}
    return [_cell(head, value, row) for head, value in zip(heads, values, strict=True)]


def _cell(head: Head, value: str | None, row: dict[str, Any]) -> Cell:
    if value is None:
        return Cell("null", "", None, True)
    href = f"/events/{value}" if head.name == "id" and _is_event(value) else links.link(head.name, row, _EVERYTHING)
    cut = value if len(value) <= TEXT_MAX else f"{value[:TEXT_MAX]}…"
    return Cell(cut, value[:5_000] if len(value) > 60 else "", href, False)


def _is_event(value: str) -> bool:
    return len(value) == 36 and value.count("-") == 4


_EVERYTHING: Final = Choice(zone="UTC", range="all")
