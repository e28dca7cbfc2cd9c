"""Times as people write them: absolute in ISO 8601, or relative to this moment (`7d`, `24h`, `30m`)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from whodid.errors import WhodidError
from whodid.event import TIME_MAX, TIME_MIN

_RELATIVE: Final = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# "+" in an address stands for a space: 2026-11-01T10:00:00 01:00 was written with a plus.
_LOST_PLUS: Final = re.compile(r"(T[\d:.,]+) (\d{2}:?\d{2})$")
_HINT: Final = "Write 2026-11-01, 2026-11-01T09:30:00Z, or how long ago: 30m, 24h, 7d, 2w."


def instant(value: str | date | datetime | timedelta, *, name: str, now: datetime | None = None) -> datetime:
    """The moment that `value` names, as the stores hold it: UTC, without zone.

    Parameters
    ----------
    value
        ISO 8601 (without zone: UTC; a date: its midnight), `now`, a span before now, or a date, a datetime
        (without zone: UTC) or a timedelta, which is a span before now.
    name
        What the value is for; the error message says it.
    now
        This moment, with zone.

    Raises
    ------
    WhodidError("invalid")
        It is no time, or lies outside 1970 to 2200.
    """
    at = _read(value, now or datetime.now(UTC))
    if at is None:
        raise WhodidError("invalid", f"{name} is {str(value)[:100]!r}, which is no time.", _HINT, field=name)
    if not TIME_MIN <= at < TIME_MAX:
        raise WhodidError(
            "invalid", f"{name} is {str(value)[:100]!r}, which is not between 1970 and 2200.", _HINT, field=name
        )
    return at.astimezone(UTC).replace(tzinfo=None)


def _read(value: object, now: datetime) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        if isinstance(value, timedelta):
            return now - value
        if not isinstance(value, str):
            return None
        text = value.strip()
        if text == "now":
            return now
        if relative := _RELATIVE.fullmatch(text):
            return now - timedelta(**{_UNITS[relative[2]]: int(relative[1])})
        return _read(datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text)), now)
    except (ValueError, OverflowError):
        return None
