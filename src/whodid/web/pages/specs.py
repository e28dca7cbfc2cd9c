"""What all Vega-Lite specifications of the pages have in common."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
POINTS_MAX: Final = 2_000


def framed(mark: dict[str, Any], encoding: dict[str, Any], values: list[dict[str, Any]]) -> dict[str, Any]:
    """A specification that fills its tile."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": "container",
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": values},
        "mark": mark,
        "encoding": encoding,
    }


def plain(value: Any) -> Any:
    """Times as text that every browser reads as UTC: an hour of the reader's zone is drawn as it is."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.000Z"
    return value
