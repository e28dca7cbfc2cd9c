"""The rows of an answer as cells of a table: formatted by their units, linked to what they name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from whodid.reports import Column, Report
from whodid.web import words
from whodid.web.pages import links
from whodid.web.pages.choice import Choice

# Columns that order an answer and say nothing.
HIDDEN: Final = ("place",)
# What stands out in a column, and how.
TAGS: Final = {
    ("status", "new"): "warning",
    ("status", "came back"): "warning",
    ("state", "back"): "bad",
    ("state", "resolved"): "good",
    ("verdict", "drifted"): "bad",
    ("verdict", "shifted"): "warning",
    ("kind", "export"): "warning",
}
_TEXT_MAX: Final = 300

# How a number of a unit is written; what has no row is a number with its thousands apart.
UNITS: Final[dict[str, Callable[[Any], str]]] = {
    "ms": words.duration,
    "s": lambda value: words.duration(None if value is None else value * 1_000),
    "seconds": lambda value: words.duration(None if value is None else value * 1_000),
    "h": words.hours,
    "bytes": words.size,
    "%": words.per_cent,
}
# How names end that have their unit last; the unit is said by itself.
_UNIT_ENDINGS: Final = ("_gb_h", "_gb", "_ms", "_percent", "_bytes", "_usd", "_hours", "_h", "_seconds", "_s")
# Units that are not said again beside numbers, as the number or the heading says them.
_SAID: Final = (
    "ms",
    "s",
    "h",
    "seconds",
    "bytes",
    "rows",
    "queries",
    "logins",
    "addresses",
    "callers",
    "events",
    "people",
    "sessions",
    "days",
    "users",
    "runs",
    "ratio",
    "phi",
    "probability",
    "value",
    "share",
    "PSI",
    "steps",
    "silhouette",
)
# Columns whose names are no words.
_LABELS: Final = {
    "entity_id": "entity",
    "psi": "PSI",
    "p_value": "p",
    "auc": "AUC",
    "r2": "R²",
    "cpu_h": "CPU",
    "llm_cost_usd": "models",
    "against_organisation": "against all",
    "correlation": "correlation φ",
    "p50_ms": "p50",
}
# What the absence of a value means in a column of a report.
NOTHING: Final = {
    ("groups", "group"): "the whole organisation",
    ("compute", "project"): "unattributed",
    ("compute", "person"): "unattributed",
}
# What a column of several meanings holds by a parameter of the report: report, parameter, value, and its other name.
MEANT: Final = {
    ("compute", "by", "project"): ("subject", "project"),
    ("compute", "by", "user"): ("subject", "person"),
}
_UNATTRIBUTED: Final = "unattributed"


class Head(NamedTuple):
    """A column's heading."""

    name: str
    label: str
    unit: str
    help: str
    is_number: bool


class Cell(NamedTuple):
    """`text` as people read it, `title` what hovering shows, `share` the length of its bar from 0 to 1."""

    text: str
    title: str = ""
    href: str | None = None
    kind: str = ""
    share: float | None = None
    note: str = ""


class Grid(NamedTuple):
    """A table as it is shown; `of` is how many rows there are in all."""

    heads: list[Head]
    rows: list[list[Cell]]
    of: int


def grid(
    report: Report,
    rows: Sequence[Mapping[str, Any]],
    choice: Choice,
    *,
    of: int,
    columns: Sequence[str] = (),
    show: int,
    means: Mapping[str, str] | None = None,
) -> Grid:
    """The first `show` rows of an answer that has `of` in all, in these columns or every one.

    `means` says what a column of several meanings holds, by the name of a column that has that one.
    """
    shown = [column for column in _chosen(report, columns) if not _belongs(column, report)]
    drilled = _drilled(report, [column.name for column in shown])
    bar = _bar_column(report)
    top = max((abs(row[bar]) for row in rows[:show] if row.get(bar) is not None), default=0) if bar else 0
    lines = [
        [_cell(column, row, choice, report, drilled, top if column.name == bar else 0) for column in shown]
        for row in rows[:show]
    ]
    return Grid([_head(column) for column in shown], lines, of)


def meant(
    report: Report, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], parameters: Mapping[str, str]
) -> tuple[Report, list[dict[str, Any]], tuple[str, ...]]:
    """A report, its rows and the columns asked for, with columns of several meanings called by the one they have."""
    told = [list(pair) for pair in parameters.items()]
    found = next((names for (name, *asked), names in MEANT.items() if name == report.name and asked in told), None)
    if found is None:
        return report, [dict(row) for row in rows], tuple(columns)
    column, other = found
    named = [replace(one, name=other) if one.name == column else one for one in report.columns]
    chart = report.chart
    if chart is not None:
        encodings = {channel: other if one == column else one for channel, one in chart.encodings.items()}
        chart = replace(chart, encodings=encodings)
    shown = [{**row, other: None if row[column] == _UNATTRIBUTED else row[column]} for row in rows]
    return replace(report, columns=named, chart=chart), shown, tuple(other if one == column else one for one in columns)


def number_text(column: Column, value: Any) -> str:
    """A number as people read it."""
    return UNITS.get(column.unit or "", words.count)(value)


def label_of(name: str) -> str:
    """A column's name as people read it; its unit stands beside it."""
    ending = next((ending for ending in _UNIT_ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending).replace("_", " ")


def _head(column: Column) -> Head:
    is_number = column.type in ("integer", "number")
    label = _LABELS.get(column.name) or label_of(column.name)
    unit = "" if column.unit is None or column.unit in _SAID or column.unit in label else column.unit
    return Head(column.name, label, unit, column.help, is_number)


def _chosen(report: Report, columns: Sequence[str]) -> list[Column]:
    by_name = {column.name: column for column in report.columns}
    if columns:
        return [by_name[name] for name in columns if name in by_name]
    return [column for column in report.columns if column.name not in HIDDEN]


def _belongs(column: Column, report: Report) -> bool:
    """Whether another column shows this one too: an entity is one cell of its type, id and name."""
    names = {one.name for one in report.columns}
    return {"entity_type", "entity_id"} <= names and column.name in ("entity_type", "entity_name")


def _bar_column(report: Report) -> str:
    """The column of a ranking whose numbers get bars."""
    if report.chart is None or report.chart.mark != "bar":
        return ""
    by_name = {column.name: column for column in report.columns}
    x, y = report.chart.encodings.get("x", ""), report.chart.encodings.get("y", "")
    if x in by_name and by_name[x].type in ("integer", "number") and y in by_name and by_name[y].type == "text":
        return x
    return ""


def _cell(
    column: Column, row: Mapping[str, Any], choice: Choice, report: Report, drilled: str | None, top: float
) -> Cell:
    value = row.get(column.name)
    href = _href(column, row, choice, report, drilled)
    if column.name == "entity_id" and "entity_type" in row:
        if not value:
            return Cell("–", kind="text")
        name = row.get("entity_name") or value
        return Cell(words.plain(name), words.plain(value), href, "text", note=words.plain(row.get("entity_type")))
    if isinstance(value, datetime) and column.type == "local":
        text = f"{value:%a %-d %b %Y}" if value.time() == time() else f"{value:%a %-d %b %Y %H:%M}"
        return Cell(text, href=href, kind="time")
    if isinstance(value, datetime):
        return Cell(words.ago(value), words.moment(value, choice.zone), href, "time")
    if isinstance(value, date):
        return Cell(f"{value:%a %-d %b %Y}", href=href, kind="time")
    if column.type in ("integer", "number"):
        share = None if not top or value is None else abs(value) / top
        return Cell(number_text(column, value), href=href, kind="number", share=share)
    if column.type == "json":
        return _json_cell(value)
    if column.type == "uuid" or column.name in ("session", "request_id"):
        return Cell(words.plain(value)[:8], words.plain(value), href, "code")
    if value is None and (report.name, column.name) in NOTHING:
        return Cell(NOTHING[report.name, column.name], kind="text quiet")
    if column.name == "description":
        value = words.described(value, _told(row))
    text = words.plain(value)
    if (column.name, text) in TAGS:
        return Cell(text, href=href, kind=f"tagged {TAGS[column.name, text]}")
    return Cell(text[:_TEXT_MAX] + ("…" if len(text) > _TEXT_MAX else ""), href=href, kind="text")


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the names in a description stand for, as far as a report's row tells."""
    known: dict[str, Any] = {"user": row.get("person")}
    for name in ("before", "after"):
        with suppress(ValueError, TypeError):
            known |= json.loads(row.get(name) or "{}")
    return known


def _json_cell(value: Any) -> Cell:
    """JSON in short: numbers in a row as a line, anything else as text."""
    try:
        told = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        told = value
    if isinstance(told, list) and len(told) > 1 and all(isinstance(one, int | float) for one in told):
        top = max(max(told), 1)
        points = (f"{100 * place / (len(told) - 1):.1f},{19 - 18 * one / top:.1f}" for place, one in enumerate(told))
        return Cell("", f"{' '.join(words.count(one) for one in told)}", kind="line", note=" ".join(points))
    text = words.plain(_things(told) if _are_things(told) else words.of_json(told))
    return Cell(text[:_TEXT_MAX], text if len(text) > 40 else "", kind="text")


def _are_things(told: Any) -> bool:
    """Whether it is a list of entities, as events tell them."""
    return isinstance(told, list) and all(isinstance(one, dict) and {"type", "id"} <= one.keys() for one in told)


def _things(told: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one.get('role') or one['type']} {one.get('name') or one['id']}" for one in told)


def _href(column: Column, row: Mapping[str, Any], choice: Choice, report: Report, drilled: str | None) -> str | None:
    if report.drill and column.name == drilled and column.name not in links.PAGED:
        return links.drill(report.drill, row, choice)
    return links.link(column.name, row, choice)


def _drilled(report: Report, shown: Sequence[str]) -> str | None:
    """The column that carries the drill-down: the one it names, else the first text beside it that people read."""
    named = links.drilled_column(report.drill or "")
    kinds = {column.name: column.type for column in report.columns}
    if named in shown and kinds.get(named or "") != "uuid":
        return named
    return next((name for name in shown if kinds[name] in ("text", "time", "local")), named)
