"""Events over time as bars, the errors among them in red."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from whodid.reading.cells import encode
from whodid.reports import Column
from whodid.web import words
from whodid.web.pages import axes
from whodid.web.pages.choice import Choice
from whodid.web.pages.found import Shape
from whodid.web.pages.specs import framed, plain

EVENTS: Final = Column(name="events", type="integer", unit="events", help="")


def shaped(shape: Shape, choice: Choice) -> dict[str, Any]:
    """What the template of events over time needs; over all of the time that is chosen, where that has two ends."""
    span = choice.span()
    ends = [words.local(at, choice.zone).replace(tzinfo=None) for at in (span.since, span.until)]
    told = events_over_time(shape.rows, shape.step, None if choice.range == "all" else (ends[0], ends[1]))
    return {
        "spec": encode(told).decode() if shape.rows else None,
        "total": sum(row["events"] for row in shape.rows),
        "errors": sum(row["errors"] for row in shape.rows),
    }


def events_over_time(
    rows: Sequence[Mapping[str, Any]], step: str, ends: tuple[datetime, datetime] | None
) -> dict[str, Any]:
    """Bars of events in steps of time, the errors among them in red; from one of the `ends` to the other, if given."""
    step = "moment" if step == "minute" else step
    values = [
        {"x": plain(row["at"]), "y": count, "c": name}
        for row in rows
        for name, count in (("other events", row["events"] - row["errors"]), ("errors", row["errors"]))
        if count
    ]
    counting = axes.upright(EVENTS, values, stacked=True)
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
            "timeUnit": axes.unit(step),
            "axis": axes.time_axis(axes.told_step(step, ends or [row["at"] for row in rows])),
            "title": None,
            "scale": {"type": "utc"} if ends is None else {"type": "utc", "domain": axes.domain(step, ends, "bar")},
            "bandPosition": 0,
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "aggregate": "sum",
            "stack": "zero",
            "title": None,
            "scale": counting["scale"],
            "axis": counting["axis"] | {"tickCount": 2},
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
        "usermeta": {"step": step},
    }
