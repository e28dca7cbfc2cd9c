"""Heat maps: a number for each pair of two columns, written into its cell where there are few."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from whodid.reports import Column
from whodid.web.pages.cells import label_of
from whodid.web.pages.specs import POINTS_MAX, framed, plain

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Cells that are few enough to hold their numbers.
_CELLS_MAX: Final = 130


def heat_map(
    used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]], leads: Callable[[Mapping[str, Any]], str | None]
) -> dict[str, Any] | None:
    """The specification; None without a column for the colour. `leads` is where a click on a row's cell leads."""
    color = used.get("color")
    if color is None:
        return None
    x, y = used["x"], used["y"]
    values = [
        {
            "x": _label(x, row.get(x.name)),
            "y": _label(y, row.get(y.name)),
            "c": plain(row.get(color.name)),
            "href": leads(row),
        }
        for row in rows[:POINTS_MAX]
    ]
    domains = {
        channel: [_label(column, value) for value in sorted({row[column.name] for row in rows})]
        for channel, column in (("x", x), ("y", y))
    }
    opacity = {"field": "c", "type": "quantitative", "legend": None, "scale": {"range": [0.04, 1], "zero": True}}
    encoding = {
        "x": {**_band("x", domains["x"]), "title": label_of(x.name)},
        "y": {**_band("y", domains["y"]), "title": None},
        "opacity": opacity,
        "color": {"value": "var(--hue-1)"},
        "tooltip": [
            {"field": "x", "type": "nominal", "title": label_of(x.name)},
            {"field": "y", "type": "nominal", "title": label_of(y.name)},
            {"field": "c", "type": "quantitative", "title": label_of(color.name)},
        ],
    }
    drawn = framed({"type": "rect", "tooltip": True, "cursor": "pointer"}, encoding, values)
    if color.unit == "%" and len(values) <= _CELLS_MAX:
        _write_numbers(drawn)
    return drawn


def _write_numbers(drawn: dict[str, Any]) -> None:
    """Numbers within the cells of a heat map: light ones on dark cells."""
    mark, encoding = drawn.pop("mark"), drawn.pop("encoding")
    places = {channel: encoding.pop(channel) for channel in ("x", "y")}
    drawn["encoding"] = places
    text = {
        "text": {"field": "c", "type": "quantitative", "format": ".0f"},
        "color": {"condition": {"test": "datum.c > 55", "value": "var(--on-accent)"}, "value": "var(--text)"},
        "tooltip": encoding["tooltip"],
    }
    drawn["layer"] = [
        {"mark": mark, "encoding": encoding},
        {"mark": {"type": "text", "fontSize": 12, "cursor": "pointer"}, "encoding": text},
    ]


def _band(field: str, domain: list[str]) -> dict[str, Any]:
    axis: dict[str, Any] = {"labelAngle": 0, "labelOverlap": "greedy", "labelLimit": 160}
    if domain == [str(hour) for hour in range(24)]:
        axis["values"] = [str(hour) for hour in range(0, 24, 3)]
    return {"field": field, "type": "ordinal", "scale": {"domain": domain}, "axis": axis}


def _label(column: Column, value: Any) -> str:
    if column.name == "weekday" and value in range(1, 8):
        return _WEEKDAYS[value - 1]
    return f"{value:%-d %b}" if isinstance(value, date) else str(value)
