"""Numbers, durations, sizes and times as pages write them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from whodid.reading.printable import printable

UNKNOWN: Final = "unknown"
_OUTER_SPACES: Final = re.compile(r"^\s+|\s+$")
_PLACEHOLDER: Final = re.compile(r"@([A-Za-z_]\w*)")
_SIZES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def count(value: float | None) -> str:
    """A number with its thousands apart; of one with a fraction as many digits as matter."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    if 0 < abs(value) < 0.01:
        return f"{'<' if value > 0 else '>−'}0.01"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def percent(part: int, whole: int) -> str:
    """A share; of nothing there is none."""
    return "–" if not whole else f"{100 * part / whole:.1f} %"


def per_cent(value: float | None) -> str:
    """A share that is in per cent already."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} %" if abs(value) >= 100 else f"{value:.1f} %"


def duration(value_ms: float | None) -> str:
    """A duration in the largest unit that suits it."""
    if value_ms is None:
        return UNKNOWN
    if value_ms < 1_000:
        return f"{value_ms:.0f} ms" if value_ms >= 10 or value_ms == 0 else f"{value_ms:.1f} ms"
    seconds = value_ms / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def hours(value: float | None) -> str:
    """A number of hours, or of what is less of minutes or seconds."""
    if value is None:
        return UNKNOWN
    if value >= 1 or value == 0:
        return f"{value:,.0f} h" if value >= 100 or value == 0 else f"{value:.1f} h"
    return f"{60 * value:.1f} min" if 60 * value >= 1 else duration(3_600_000 * value)


def size(value_bytes: float | None) -> str:
    """A number of bytes in the largest decimal unit that suits it."""
    if value_bytes is None:
        return UNKNOWN
    value, unit = float(value_bytes), 0
    while abs(value) >= 1_000 and unit < len(_SIZES) - 1:
        value, unit = value / 1_000, unit + 1
    return f"{value:.0f} {_SIZES[unit]}" if unit == 0 or abs(value) >= 100 else f"{value:.3g} {_SIZES[unit]}"


def of_json(value: Any) -> str | None:
    """A value of JSON as people write it: lists and names with their values in a line; what lies deeper as JSON."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_within(one)}" for name, one in value.items())
    return None if value is None else _within(value)


def _within(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_within(one) if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def moment(value: datetime | None, zone: str = "UTC") -> str:
    """A time to the second, with its zone."""
    if value is None:
        return UNKNOWN
    return f"{local(value, zone):%Y-%m-%d %H:%M:%S} {zone}"


def clock(value: datetime | None, zone: str = "UTC") -> str:
    """The time of day to the second."""
    return UNKNOWN if value is None else f"{local(value, zone):%H:%M:%S}"


def stamp(value: datetime | None, zone: str = "UTC") -> str:
    """Day and time to the second, in short: with the year where it is not this one."""
    if value is None:
        return UNKNOWN
    at = local(value, zone)
    return f"{at:%-d %b %H:%M:%S}" if at.year == local(datetime.now(UTC), zone).year else f"{at:%-d %b %Y %H:%M:%S}"


def day(value: datetime | None, zone: str = "UTC") -> str:
    """The day, with its name."""
    return UNKNOWN if value is None else f"{local(value, zone):%a %-d %b %Y}"


def local(value: datetime, zone: str) -> datetime:
    """A time of the store (UTC, without zone) in a time zone."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone))


def ago(value: datetime | None) -> str:
    """How long ago a time was."""
    if value is None:
        return UNKNOWN
    at = value if value.tzinfo else value.replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - at).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:,.0f} {unit} ago"
    return "just now" if seconds >= -60 else "in the future"


def described(text: str | None, values: Mapping[str, Any]) -> str:
    """A description with what its `@names` stand for; names without a value stay as they are."""
    if not text or "@" not in text:
        return text or ""
    return _PLACEHOLDER.sub(lambda found: str(found[0] if values.get(found[1]) is None else values[found[1]]), text)


def told(row: Mapping[str, Any]) -> str:
    """What an event says of itself: its description, with its parameters and its user in place of their names."""
    text = row["description"]
    if not text or "@" not in text:
        return text or ""
    try:
        parameters = json.loads(row["parameters"]) if row["parameters"] else {}
    except ValueError:
        parameters = {}
    values = parameters if isinstance(parameters, dict) else {}
    return described(text, {"user": row["acting_for"] or row["user"], **values})


def plain(value: Any) -> str:
    """Any text of an event, without characters that turn its direction or hide; nothing as a dash.

    Spaces around it, which a page would not show, are told: two names may differ by them alone.
    """
    if value is None or value == "":
        return "–"
    return _OUTER_SPACES.sub(lambda spaces: "␣" * len(spaces[0]), printable(str(value)))


def lines(value: Any) -> str:
    """Text of several lines, each as `plain` shows it."""
    return "\n".join(printable(line.replace("\t", "    ")) for line in str(value).splitlines())


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "told": told,
    "count": count,
    "percent": percent,
    "per_cent": per_cent,
    "duration": duration,
    "size": size,
    "moment": moment,
    "clock": clock,
    "stamp": stamp,
    "day": day,
    "ago": ago,
    "plain": plain,
    "lines": lines,
}
