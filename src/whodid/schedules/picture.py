"""The picture of a report's chart: the pages' own specification, drawn as PNG in the colours of light pages."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from whodid.reports import Report

WIDTH_PX: Final = 640
HEIGHT_PX: Final = 280
SCALE: Final = 2
DRAWING_S_MAX: Final = 60

# Drawing takes 100 MB and, the first time, a second: a process of its own does it, which can be ended. It fetches
# nothing.
_DRAW: Final = (
    "import json, sys, vl_convert;"
    "given = json.load(sys.stdin);"
    "sys.stdout.buffer.write(vl_convert.vegalite_to_png("
    "given['spec'], scale=given['scale'], config=given['config'], allowed_base_urls=[]))"
)
_TOKEN: Final = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6});")
_VARIABLE: Final = re.compile(r"var\(--([a-z0-9-]+)\)")
_BARS_MAX: Final = 12
_LABEL_MAX: Final = 40
_LEGEND_COLUMNS: Final = 3

_log = logging.getLogger("whodid.schedules")


def picture(report: Report, rows: Sequence[Mapping[str, Any]], zone: str = "UTC") -> bytes | None:
    """The chart of a report's rows as PNG, `SCALE` pixels a pixel; None when it has none, or it cannot be drawn."""
    spec = specification(report, rows, zone)
    if spec is None:
        return None
    given = json.dumps({"spec": spec, "scale": SCALE, "config": _config()}, default=str)
    try:
        drawn = subprocess.run(
            [sys.executable, "-c", _DRAW], input=given.encode(), capture_output=True, timeout=DRAWING_S_MAX, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", b"") or b""
        _log.warning("The chart of %s was not drawn: %s %s", report.name, error, said[-500:].decode("utf-8", "replace"))
        return None
    return drawn.stdout


def specification(report: Report, rows: Sequence[Mapping[str, Any]], zone: str = "UTC") -> dict[str, Any] | None:
    """The Vega-Lite specification of the picture: that of the pages, or bars where these show bars in the table."""
    from whodid.web.pages import charts

    found = charts.spec(report, rows, zone=zone) or _ranking(report, rows)
    if found is None:
        return None
    color = found["encoding"].get("color", {})
    if "field" in color:
        # Pages write it in HTML beside the chart.
        color["legend"] = {"orient": "top", "title": None, "labelLimit": 190, "columns": _LEGEND_COLUMNS}
    sized = {**found, "width": WIDTH_PX, "height": HEIGHT_PX}
    plain: dict[str, Any] = json.loads(_colored(json.dumps(sized, default=str)))
    return {name: value for name, value in plain.items() if name not in ("params", "usermeta")}


def _ranking(report: Report, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    chart = report.chart
    kinds = {column.name: column.type for column in report.columns}
    if chart is None or chart.mark != "bar" or not rows:
        return None
    x, y = chart.encodings.get("x", ""), chart.encodings.get("y", "")
    if kinds.get(x) not in ("integer", "number") or y not in kinds:
        return None
    # The row's place goes along, so that two of one name stay two bars.
    values = [{"x": row[x], "y": str(row[y]), "place": place} for place, row in enumerate(rows[:_BARS_MAX])]
    from whodid.web.pages.cells import label_of

    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": label_of(x), "axis": {"tickCount": 4}},
            "y": {
                "field": "place",
                "type": "ordinal",
                "title": None,
                "axis": {"labelExpr": f"truncate({_names(values)}[datum.value], {_LABEL_MAX})", "labelLimit": 260},
            },
            "color": {"value": "var(--hue-1)"},
        },
    }


def _names(values: Sequence[Mapping[str, Any]]) -> str:
    """The names as a list of an expression: text there is text, whatever it says."""
    return json.dumps([value["y"] for value in values])


def _colored(text: str) -> str:
    colors = _colors()
    return _VARIABLE.sub(lambda found: colors.get(found[1], "#1a1f28"), text)


@cache
def _colors() -> dict[str, str]:
    """The light values of the style sheet's tokens: the first that it gives."""
    sheet = (files("whodid.web") / "static" / "whodid.css").read_text("utf-8")
    found: dict[str, str] = {}
    for name, value in _TOKEN.findall(sheet):
        found.setdefault(name, value)
    return found


def _config() -> dict[str, Any]:
    config: dict[str, Any] = {
        "background": "#ffffff",
        "padding": 12,
        "font": "sans-serif",
        "view": {"stroke": "transparent"},
        "axis": {
            "domainColor": "var(--line)", "tickColor": "var(--line)", "gridColor": "var(--grid)",
            "labelColor": "var(--quiet)", "titleColor": "var(--quiet)", "labelFontSize": 12, "titleFontSize": 12,
            "titleFontWeight": 400, "labelPadding": 6, "tickSize": 4,
        },
        "axisY": {"domain": False, "ticks": False},
        "legend": {"labelColor": "var(--text)", "labelFontSize": 12, "symbolType": "circle"},
    }  # fmt: skip
    colored: dict[str, Any] = json.loads(_colored(json.dumps(config)))
    return colored
