"""Charts: what a report's header says of its chart, as a Vega-Lite specification.

Colours are names of the style sheet's tokens, so that charts follow light and dark; the browser's part
(`static/charts.js`) draws. Rankings are no charts here: bars within a table's rows keep their labels whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final
from zlib import crc32

from whodid.reports import Column, Report
from whodid.web.pages.cells import UNITS, label_of

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
HUES: Final = 7
SERIES_MAX: Final = 7
OTHERS: Final = "others"
POINTS_MAX: Final = 2_000

# Categories that mean the same everywhere have a colour of their own; red is for errors alone.
KNOWN_HUES: Final[dict[str, str]] = {
    "error": "var(--bad)",
    "errors": "var(--bad)",
    "failed": "var(--bad)",
    "previous": "var(--grey)",
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
_TIMES: Final = ("time", "local", "date")
_MARKS: Final = ("line", "area", "bar", "point", "rect", "circle")


def spec(report: Report, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The chart of an answer; None when the report has none, or one that a table shows better."""
    chart = report.chart
    if chart is None or chart.mark not in _MARKS or not rows:
        return None
    by_name = {column.name: column for column in report.columns}
    used = {channel: by_name[name] for channel, name in chart.encodings.items() if name in by_name}
    if "x" not in used or "y" not in used:
        return None
    if chart.mark == "rect":
        return _heatmap(used, rows)
    if used["x"].type in _TIMES:
        return _over_time(chart.mark, used, rows)
    if _is_number(used["x"]) and _is_number(used["y"]):
        return _scatter(chart.mark, used, rows)
    if used["x"].type == "text" and _is_number(used["y"]):
        return _columns(used, rows)
    return None


def hue(name: str, taken: Mapping[str, str]) -> str:
    """The colour of a category: its own everywhere, unless another of the same chart has it."""
    if name in KNOWN_HUES:
        return KNOWN_HUES[name]
    first = crc32(name.encode()) % HUES
    order = [f"var(--hue-{(first + step) % HUES + 1})" for step in range(HUES)]
    return next((one for one in order if one not in taken.values()), order[0])


def hues(names: Sequence[str]) -> dict[str, str]:
    """A colour for each category."""
    taken: dict[str, str] = {}
    for name in sorted(names, key=lambda one: (one not in KNOWN_HUES, one)):
        taken[name] = hue(name, taken)
    return {name: taken[name] for name in names}


def _over_time(mark: str, used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    x, y, color = used["x"], used["y"], used.get("color")
    step = _step([row[x.name] for row in rows if row.get(x.name) is not None])
    series = _series(rows, color, y) if color else []
    values = []
    for row in rows[:POINTS_MAX]:
        if row.get(x.name) is None:
            continue
        value: dict[str, Any] = {"x": _plain(row[x.name]), "y": _plain(row.get(y.name))}
        if color:
            name = str(row.get(color.name))
            value["c"] = name if name in series else OTHERS
        values.append(value)
    if not color and "previous" in used:
        series = [label_of(y.name), "previous"]
        values = [{**value, "c": series[0]} for value in values] + [
            {"x": _plain(row[x.name]), "y": _plain(row.get(used["previous"].name)), "c": "previous"} for row in rows
        ]
    encoding: dict[str, Any] = {
        "x": {"field": "x", "type": "temporal", "axis": _time_axis(step), "title": None, "scale": {"type": "utc"}},
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": None,
            "axis": _axis(y),
            "scale": {"zero": True, "nice": True},
        },
        "tooltip": _tooltip(x, y, color),
    }
    if mark in ("bar", "area") and color:
        encoding["y"]["aggregate"] = "sum"
        encoding["y"]["stack"] = "zero"
    if mark == "bar":
        encoding["x"] |= {"timeUnit": _unit(step), "bandPosition": 0}
    if series:
        encoding["color"] = _color(series + ([OTHERS] if any(v.get("c") == OTHERS for v in values) else []))
    else:
        encoding["color"] = {"value": KNOWN_HUES.get(y.name, "var(--hue-1)")}
    if "previous" in series:
        encoding["strokeDash"] = {"condition": {"test": "datum.c === 'previous'", "value": [2, 3]}, "value": [1, 0]}
    drawn: dict[str, Any] = {"type": mark, "tooltip": True}
    if mark == "line":
        drawn |= {
            "point": {"size": 18, "filled": True},
            "strokeWidth": 1.75,
            "interpolate": "linear",
            "invalid": "break-paths-show-path-domains",
        }
    if mark == "bar":
        drawn |= {"cornerRadiusEnd": 1}
    return _framed(drawn, encoding, values) | {
        "params": [{"name": "brush", "select": {"type": "interval", "encodings": ["x"]}}],
        "usermeta": {"step": step, "days": x.type != "time"},
    }


def _columns(used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    x, y, color = used["x"], used["y"], used.get("color")
    values = [
        {"x": str(row.get(x.name)), "y": _plain(row.get(y.name)), **({"c": str(row.get(color.name))} if color else {})}
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
        "y": {"field": "y", "type": "quantitative", "title": None, "axis": _axis(y), "scale": {"zero": True}},
        "tooltip": _tooltip(x, y, color),
        "color": {"value": "var(--hue-1)"},
    }
    if color:
        names = list(dict.fromkeys(value["c"] for value in values))
        encoding["color"] = _color(names)
        encoding["xOffset"] = {"field": "c", "type": "nominal", "sort": names}
    return _framed({"type": "bar", "tooltip": True, "cornerRadiusEnd": 1}, encoding, values)


def _scatter(mark: str, used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    x, y, color = used["x"], used["y"], used.get("color")
    values = [
        {
            "x": _plain(row.get(x.name)),
            "y": _plain(row.get(y.name)),
            **({"c": str(row.get(color.name))} if color else {}),
        }
        for row in rows[:POINTS_MAX]
    ]
    encoding: dict[str, Any] = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": label_of(x.name),
            "axis": _axis(x),
            "scale": {"zero": False},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": None,
            "axis": _axis(y),
            "scale": {"zero": mark != "point"},
        },
        "tooltip": _tooltip(x, y, color),
        "color": _color(list(dict.fromkeys(v["c"] for v in values))) if color else {"value": "var(--hue-1)"},
    }
    drawn: dict[str, Any] = {"type": mark, "tooltip": True}
    if mark in ("point", "circle"):
        drawn |= {"filled": True, "size": 50, "opacity": 0.8}
    return _framed(drawn, encoding, values)


def _heatmap(used: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    color = used.get("color")
    if color is None:
        return None
    x, y = used["x"], used["y"]
    values = [
        {"x": _label(row.get(x.name)), "y": _label(row.get(y.name)), "c": _plain(row.get(color.name))}
        for row in rows[:POINTS_MAX]
    ]
    encoding = {
        "x": {
            "field": "x",
            "type": "ordinal",
            "sort": None,
            "title": label_of(x.name),
            "axis": {"labelAngle": 0, "labelOverlap": "greedy"},
        },
        "y": {
            "field": "y",
            "type": "ordinal",
            "sort": None,
            "title": None,
            "axis": {"labelLimit": 160, "labelOverlap": "greedy"},
        },
        "opacity": {"field": "c", "type": "quantitative", "legend": None, "scale": {"range": [0.04, 1], "zero": True}},
        "color": {"value": "var(--hue-1)"},
        "tooltip": [
            {"field": "x", "type": "nominal", "title": label_of(x.name)},
            {"field": "y", "type": "nominal", "title": label_of(y.name)},
            {"field": "c", "type": "quantitative", "title": label_of(color.name)},
        ],
    }
    return _framed({"type": "rect", "tooltip": True}, encoding, values)


def _framed(mark: dict[str, Any], encoding: dict[str, Any], values: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": "container",
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": values},
        "mark": mark,
        "encoding": encoding,
    }


def _series(rows: Sequence[Mapping[str, Any]], color: Column, y: Column) -> list[str]:
    """The categories that get a colour: the largest; the rest are others."""
    sums: dict[str, float] = {}
    for row in rows:
        name = str(row.get(color.name))
        sums[name] = sums.get(name, 0) + float(row.get(y.name) or 0)
    ordered = sorted(sums, key=lambda name: (-sums[name], name))
    return ordered if len(ordered) <= SERIES_MAX else ordered[: SERIES_MAX - 1]


def _color(names: Sequence[str]) -> dict[str, Any]:
    chosen = hues(list(dict.fromkeys(names)))
    return {
        "field": "c",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(chosen), "range": list(chosen.values())},
        "legend": {"orient": "top", "direction": "horizontal", "labelLimit": 180} if len(chosen) > 1 else None,
    }


def _tooltip(x: Column, y: Column, color: Column | None) -> list[dict[str, Any]]:
    found = [
        {"field": "x", "type": "nominal", "title": label_of(x.name)},
        {"field": "y", "type": "quantitative", "title": label_of(y.name)},
    ]
    return found + ([{"field": "c", "type": "nominal", "title": label_of(color.name)}] if color else [])


def _axis(column: Column) -> dict[str, Any]:
    """At most five gridlines; units are written with the numbers where a number needs them."""
    unit = column.unit or ""
    axis: dict[str, Any] = {"tickCount": 4, "grid": True}
    kind = "duration" if unit == "ms" else "seconds" if unit in ("s", "seconds") else unit if unit in UNITS else ""
    if kind:
        axis["labelExpr"] = f"whodidUnit(datum.value, '{kind}')"
    elif column.type == "integer":
        axis["tickMinStep"] = 1
    return axis


def _time_axis(step: str) -> dict[str, Any]:
    formats = {"hour": "%-d %b %H:%M", "day": "%-d %b", "week": "%-d %b", "month": "%b %Y", "moment": "%-d %b %H:%M"}
    return {"format": formats[step], "grid": False, "labelAngle": 0, "labelOverlap": "greedy", "tickCount": 6}


def _unit(step: str) -> str:
    return {
        "hour": "utcyearmonthdatehours",
        "day": "utcyearmonthdate",
        "week": "utcyearweek",
        "month": "utcyearmonth",
        "moment": "utcyearmonthdatehoursminutes",
    }[step]


def _step(times: Sequence[Any]) -> str:
    """What the times of a chart are: hours, days, weeks, months, or any moments."""
    found = [
        at if isinstance(at, datetime) else datetime(at.year, at.month, at.day) for at in times if isinstance(at, date)
    ]
    if any(at.minute or at.second or at.microsecond for at in found):
        return "moment"
    if any(at.hour for at in found):
        return "hour"
    days = sorted(set(found))
    gaps = {(after - before).days for before, after in pairwise(days)}
    if gaps and min(gaps) >= 28:
        return "month"
    return "week" if gaps and all(gap % 7 == 0 for gap in gaps) else "day"


def _is_number(column: Column) -> bool:
    return column.type in ("integer", "number")


def _plain(value: Any) -> Any:
    """Times as text that every browser reads as UTC: an hour of the reader's zone is drawn as it is."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.000Z"
    return value


def _label(value: Any) -> str:
    return f"{value:%-d %b}" if isinstance(value, date) else str(value)
