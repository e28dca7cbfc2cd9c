"""Numbers, durations and times as pages write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from whodid.reading.printable import printable

UNKNOWN: Final = "unknown"


def count(value: int | None) -> str:
    """A number with its thousands apart."""
    return UNKNOWN if value is None else f"{value:,}"


def percent(part: int, whole: int) -> str:
    """A share; of nothing there is none."""
    return "–" if not whole else f"{100 * part / whole:.1f} %"


def duration(value_ms: float | None) -> str:
    """A duration in the largest unit that suits it."""
    if value_ms is None:
        return UNKNOWN
    if value_ms < 1_000:
        return f"{value_ms:.0f} ms" if value_ms >= 10 else f"{value_ms:.1f} ms"
    seconds = value_ms / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(value: datetime | None) -> str:
    """A time to the second, in UTC."""
    if value is None:
        return UNKNOWN
    return f"{value if value.tzinfo is None else value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(value: datetime | None) -> str:
    """How long ago a time was."""
    if value is None:
        return UNKNOWN
    at = value if value.tzinfo else value.replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - at).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "just now" if seconds >= -60 else "in the future"


def plain(value: Any) -> str:
    """Any text of an event, without characters that turn its direction or hide; nothing as a dash."""
    return "–" if value is None or value == "" else printable(str(value))


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "count": count,
    "percent": percent,
    "duration": duration,
    "moment": moment,
    "ago": ago,
    "plain": plain,
}
