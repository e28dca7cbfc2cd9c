"""Charts: what a report's header says of its chart, as a Vega-Lite specification.

Colours are names of the style sheet's tokens, so that charts follow light and dark; the browser's part
(`static/charts.js`) draws. Rankings are no charts here: bars within a table's rows keep their labels whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zlib import crc32

from whodid.amounts import counted
from whodid.reports import Chart, Column, Report
from whodid.web.pages import axes
from whodid.web.pages.cells import label_of
from whodid.web.pages.choice import NAMES
from whodid.web.pages.heat_maps import heat_map
from whodid.web.pages.specs import POINTS_MAX, framed, plain
from whodid.web.words import local

HUES: Final = 7
SERIES_MAX: Final = 7
OTHERS: Final = "others"

# Categories that mean the same everywhere have a colour of their own; red is for errors alone.
KNOWN_HUES: Final[dict[str, str]] = {
    "error": "var(--bad)",
    "errors": "var(--bad)",
    "failed": "var(--bad)",
    "reference": "var(--grey)",
    "before": "var(--grey)",
    OTHERS: "var(--grey)",
    "audit": "var(--hue-1)",
    "usage": "var(--hue-2)",
    "warning": "var(--hue-3)",
    "info": "var(--hue-5)",
    "debug": "var(--hue-6)",
    "client": "var(--hue-2)",
    "server": "var(--hue-1)",
    "current": "var(--hue-1)",
}
_DRAWN: Final[dict[str, dict[str, Any]]] = {
    "line": {"point": {"size": 14, "filled": True}, "strokeWidth": 1.75, "invalid": "break-paths-show-path-domains"},
    "point": {"filled": True, "size": 50, "opacity": 0.8},
    "circle": {"filled": True, "size": 50, "opacity": 0.8},
}
# Marks of which each stands for one row; over time others stand for a period.
_SINGLE: Final = ("point", "circle")
_TIMES: Final = ("time", "local", "date")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MARKS: Final = ("line", "area", "bar", "point", "rect", "circle")


def spec(
    report: Report,
    rows: Sequence[Mapping[str, Any]],
    *,
    chart: str = "",
    before: Sequence[Mapping[str, Any]] = (),
    days: int = 0,
    zone: str = "UTC",
    leads: Callable[[Mapping[str, Any]], str | None] = lambda row: None,
    ends: tuple[datetime, datetime] | None = None,
    step: str = "",
) -> dict[str, Any] | None:
    """The chart of an answer; None when the report has none, or one that a table shows better.

    `chart` takes the place of the header's; `before` are rows of a time that began so many `days` earlier. Moments are
    drawn in the reader's time zone. `leads` is where a row leads, for marks that stand for one. An axis of time goes
    from one of the `ends` (UTC, without zone) to the other, whatever lies between; without them over what there is.
    `step` is how long a period is, where the rows might not tell.
    """
    wanted = parse_chart(chart) if chart else report.chart
    if wanted is None or wanted.mark not in _MARKS or not rows:
        return None
    by_name = {column.name: column for column in report.columns}
    used = {channel: by_name[name] for channel, name in wanted.encodings.items() if name in by_name}
    if "x" not in used or "y" not in used:
        return None
    if wanted.mark == "rect":
        return heat_map(used, rows, leads)
    if used["x"].type == "time":
        name = used["x"].name
        rows = [{**row, name: local(row[name], zone).replace(tzinfo=None)} for row in rows if row.get(name)]
    if used["x"].type in _TIMES and _is_number(used["y"]):
        within = (
            None
            if ends is None
            else (local(ends[0], zone).replace(tzinfo=None), local(ends[1], zone).replace(tzinfo=None))
        )
        single = leads if wanted.mark in _SINGLE else None
        return _over_time(wanted.mark, used, rows, before, days, within, step, single)
    if _is_number(used["x"]) and _is_number(used["y"]):
        return _scatter(wanted.mark, used, rows)
    if used["x"].type == "text" and _is_number(used["y"]):
        dated = _dated(rows, used["x"].name)
        return _columns(used, rows) if dated is None else _over_time(wanted.mark, used, dated, step="day")
    return None


def legend(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The categories of a specification and their colours; none for a single one."""
    scale = found["encoding"].get("color", {}).get("scale", {})
    named = list(zip(scale.get("domain", []), scale.get("range", []), strict=False))
    return named if len(named) > 1 else []


def parse_chart(text: str) -> Chart:
    """A chart in the words of a report's header."""
    mark, *encodings = text.split()
    return Chart(mark=mark, encodings=dict(one.split("=", 1) for one in encodings))


def hue(name: str, taken: Mapping[str, str]) -> str:
    """The colour of a category: its own everywhere, unless another of the same chart has it."""
    if name in KNOWN_HUES or name.endswith((" day before", " days before")):
        return KNOWN_HUES.get(name, "var(--grey)")
    first = crc32(name.encode()) % HUES
    order = [f"var(--hue-{(first + step) % HUES + 1})" for step in range(HUES)]
    return next((one for one in order if one not in taken.values()), order[0])


def hues(names: Sequence[str]) -> dict[str, str]:
    """A colour for each category."""
    taken: dict[str, str] = {}
    for name in sorted(names, key=lambda one: (one not in KNOWN_HUES, one)):
        taken[name] = hue(name, taken)
    return {name: taken[name] for name in names}


def _over_time(
    mark: str,
    used: Mapping[str, Column],
    rows: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]] = (),
    days: int = 0,
    ends: tuple[datetime, datetime] | None = None,
    step: str = "",
    leads: Callable[[Mapping[str, Any]], str | None] | None = None,
) -> dict[str, Any]:
    x, y, color = used["x"], used["y"], used.get("color")
    step = step or axes.step([row[x.name] for row in rows])
    series = _series(rows, color, y) if color else []
    values = [
        {"x": row[x.name], "y": row.get(y.name), "c": _name(row, color, series)}
        | ({"href": leads(row)} if leads else {})
        for row in rows[:POINTS_MAX]
        if row.get(x.name) is not None
    ]
    earlier = f"{counted(days, 'day')} before"
    if before:
        series = [label_of(y.name), earlier]
        values = [{**value, "c": series[0]} for value in values] + [
            {"x": row[x.name] + timedelta(days=days), "y": row.get(y.name), "c": earlier}
            for row in before[:POINTS_MAX]
            if row.get(x.name) is not None
        ]
    if mark == "line":
        values = _with_gaps(values, step)
    shown = [*series, OTHERS] if any(value["c"] == OTHERS for value in values) else series
    encoding: dict[str, Any] = {
        "x": {
            "field": "x",
            "type": "temporal",
            "axis": axes.time_axis(axes.told_step(step, [value["x"] for value in values])),
            "title": None,
            "scale": {"type": "utc"} if ends is None else {"type": "utc", "domain": axes.domain(step, ends, mark)},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": None,
            **axes.upright(y, values, stacked=mark in ("bar", "area") and color is not None),
        },
        "tooltip": _tooltip(x, y, color),
        "color": _color(shown, first="var(--hue-1)" if before else "")
        if shown
        else {"value": KNOWN_HUES.get(y.name, "var(--hue-1)")},
    }
    if mark in ("bar", "area") and color:
        encoding["y"] |= {"aggregate": "sum", "stack": "zero"}
    if mark == "bar":
        encoding["x"] |= {"timeUnit": axes.unit(step), "bandPosition": 0}
    if before:
        encoding["strokeDash"] = {"condition": {"test": f"datum.c === '{earlier}'", "value": [2, 3]}, "value": [1, 0]}
    drawn = framed({"type": mark, "tooltip": True, **_DRAWN.get(mark, {})}, encoding, [_told(one) for one in values])
    drawn["params"] = [{"name": "brush", "select": {"type": "interval", "encodings": ["x"]}}]
    by = color.name if color is not None and color.name in NAMES else ""
    return drawn | {"usermeta": {"step": step, "by": by}}


def _name(row: Mapping[str, Any], color: Column | None, series: Sequence[str]) -> str:
    """The category of a row; what has no colour of its own is among the others."""
    if color is None:
        return ""
    value = row.get(color.name)
    return OTHERS if value is None or str(value) not in series else str(value)


def _told(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "x": plain(value["x"]), "y": plain(value["y"])}


def _with_gaps(values: list[dict[str, Any]], step: str) -> list[dict[str, Any]]:
    """Lines break where periods have no data: a value of nothing stands in the middle of a gap."""
    length = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}.get(step)
    if length is None:
        return values
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(value["c"] for value in values):
        line = sorted((value for value in values if value["c"] == name), key=lambda value: value["x"])
        for one, following in pairwise(line):
            found.append(one)
            if following["x"] - one["x"] > length:
                found.append({"x": one["x"] + length, "y": None, "c": name})
        found += line[-1:]
    return found


def _dated(rows: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]] | None:
    """Rows whose texts of a column are days, with those as times; None if they are anything else."""
    try:
        dated = [{**row, name: datetime.fromisoformat(row[name])} for row in rows if _DAY.fullmatch(row[name] or "")]
    except ValueError:
        return None
    return sorted(dated, key=lambda row: row[name]) if len(dated) > len(rows) / 2 else None


def _columns(used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    x, y, color = used["x"], used["y"], used.get("color")
    values = [
        {"x": str(row.get(x.name)), "y": plain(row.get(y.name)), **({"c": str(row.get(color.name))} if color else {})}
        for row in rows[:POINTS_MAX]
    ]
    encoding: dict[str, Any] = {
        "x": {
            "field": "x",
            "type": "nominal",
            "sort": None,
            "title": None,
            "axis": {"labelAngle": 0, "labelOverlap": "greedy"},
        },
        "y": {"field": "y", "type": "quantitative", "title": None, **axes.upright(y, values)},
        "tooltip": _tooltip(x, y, color),
        "color": {"value": "var(--hue-1)"},
    }
    if color:
        names = list(dict.fromkeys(value["c"] for value in values))
        encoding["color"] = _color(names)
        encoding["xOffset"] = {"field": "c", "type": "nominal", "sort": names}
    return framed({"type": "bar", "tooltip": True}, encoding, values)


def _scatter(mark: str, used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    x, y, color = used["x"], used["y"], used.get("color")
    values = [
        {
            "x": plain(row.get(x.name)),
            "y": plain(row.get(y.name)),
            **({"c": str(row.get(color.name))} if color else {}),
        }
        for row in rows[:POINTS_MAX]
    ]
    encoding: dict[str, Any] = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": label_of(x.name),
            "axis": axes.axis(x),
            "scale": {"zero": False},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": None,
            "axis": axes.axis(y),
            "scale": {"zero": mark != "point"},
        },
        "tooltip": _tooltip(x, y, color),
        "color": _color(list(dict.fromkeys(v["c"] for v in values))) if color else {"value": "var(--hue-1)"},
    }
    return framed({"type": mark, "tooltip": True, **_DRAWN.get(mark, {})}, encoding, values)


def _series(rows: Sequence[Mapping[str, Any]], color: Column, y: Column) -> list[str]:
    """The categories that get a colour: the largest; the rest are others."""
    sums: dict[str, float] = {}
    for row in rows:
        if row.get(color.name) is None:
            continue
        name = str(row.get(color.name))
        sums[name] = sums.get(name, 0) + float(row.get(y.name) or 0)
    ordered = sorted(sums, key=lambda name: (-sums[name], name))
    return ordered if len(ordered) <= SERIES_MAX else ordered[: SERIES_MAX - 1]


def _color(names: Sequence[str], first: str = "") -> dict[str, Any]:
    """The colours of a chart's categories; `first` is that of the first, if it means nothing elsewhere."""
    chosen = hues(list(dict.fromkeys(names)))
    if first:
        chosen[names[0]] = first
    return {
        "field": "c",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(chosen), "range": list(chosen.values())},
        # The page writes it itself, so that names are whole and wrap.
        "legend": None,
    }


def _tooltip(x: Column, y: Column, color: Column | None) -> list[dict[str, Any]]:
    found = [
        {"field": "x", "type": "nominal", "title": label_of(x.name)},
        {"field": "y", "type": "quantitative", "title": label_of(y.name)},
    ]
    return found + ([{"field": "c", "type": "nominal", "title": label_of(color.name)}] if color else [])


def _is_number(column: Column) -> bool:
    return column.type in ("integer", "number")
