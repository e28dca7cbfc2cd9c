"""Events over time as bars, the errors among them in red."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from whodid.reading.cells import encode
from whodid.web.pages import axes
from whodid.web.pages.found import Shape
from whodid.web.pages.specs import framed, plain


def shaped(shape: Shape) -> dict[str, Any]:
    """What the template of events over time needs."""
    return {
        "spec": encode(events_over_time(shape.rows, shape.step)).decode() if shape.rows else None,
        "total": sum(row["events"] for row in shape.rows),
        "errors": sum(row["errors"] for row in shape.rows),
    }


def events_over_time(rows: Sequence[Mapping[str, Any]], step: str) -> dict[str, Any]:
    """Bars of events in steps of time, the errors among them in red."""
    values = [
        {"x": plain(row["at"]), "y": count, "c": name}
        for row in rows
        for name, count in (("other events", row["events"] - row["errors"]), ("errors", row["errors"]))
        if count
    ]
    color = {
        "field": "c",
        "type": "nominal",
        "scale": {"domain": ["errors", "other events"], "range": ["var(--bad)", "var(--hue-1)"]},
        "legend": None,
    }
    encoding: dict[str, Any] = {
        "x": {
            "field": "x",
            "type": "temporal",
            "timeUnit": axes.unit("moment" if step == "minute" else step),
            "axis": axes.time_axis("moment" if step == "minute" else step),
            "title": None,
            "bandPosition": 0,
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "aggregate": "sum",
            "stack": "zero",
            "title": None,
            "axis": {"tickCount": 2, "grid": True, "tickMinStep": 1},
        },
        "color": color,
        "order": {"field": "c", "sort": "ascending"},
        "tooltip": [
            {"field": "x", "type": "nominal", "title": "time"},
            {"field": "y", "type": "quantitative", "title": "events"},
            {"field": "c", "type": "nominal", "title": "of them"},
        ],
    }
    return framed({"type": "bar", "tooltip": True}, encoding, values) | {
        "params": [{"name": "brush", "select": {"type": "interval", "encodings": ["x"]}}],
        "usermeta": {"step": "moment" if step == "minute" else step},
    }
