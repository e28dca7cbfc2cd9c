"""Reading instants: RFC 3339, offsets without a colon, epoch numbers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from whodid.event import TIME_MAX, TIME_MIN
from whodid.formats.rejecting import Unreadable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT: Final = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)(?:[Tt _-](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?)?"
    r" ?([Zz]|[-+]\d\d(?::?\d\d)?|UTC)?"
)
_HINT: Final = 'Write it like "2026-05-01T10:00:00.123Z".'


def instant(value: object) -> datetime:
    """The UTC time that a JSON value tells: RFC 3339 text with an offset, or an epoch number (s, ms, µs or ns by size).

    Raises
    ------
    Unreadable("bad_time")
        It is no time, says no offset, or lies before 1970 or from 2200 on.
    """
    if isinstance(value, str):
        time = _from_text(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        time = from_epoch(value)
    else:
        raise Unreadable("bad_time", f"The time is {shown(value)}, which is no time. {_HINT}")
    return checked(time, value)


def checked(time: datetime, told: object) -> datetime:
    """`time` if it lies within the limits."""
    if not TIME_MIN <= time < TIME_MAX:
        raise Unreadable("bad_time", f"The time {shown(told)} lies outside of 1970 to 2199.")
    return time


def from_epoch(number: float) -> datetime:
    """Epoch seconds, milliseconds, microseconds or nanoseconds, told apart by their size."""
    scale_us = next((us for limit, us in _SCALES if abs(number) < limit), None)
    if scale_us is None:
        raise Unreadable("bad_time", f"The time {shown(number)} lies outside of 1970 to 2199.")
    return _EPOCH + timedelta(microseconds=round(number * scale_us))


# Seconds until the year 2200 stay below 1e10; milliseconds of 1970's first four months read as seconds.
_SCALES: Final = ((1e10, 1_000_000), (1e13, 1_000), (1e16, 1), (1e19, 0.001))


def _from_text(text: str) -> datetime:
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
            return from_epoch(float(text) if "." in text else int(text))
        raise Unreadable("bad_time", f"The time {shown(text)} cannot be read. {_HINT}")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if offset is None:
        raise Unreadable("bad_time", f"The time {shown(text)} has no offset from UTC. {_HINT}")
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micros, tzinfo=UTC
        )
        return local - _offset(offset)
    except (ValueError, OverflowError):
        raise Unreadable("bad_time", f"The time {shown(text)} does not exist. {_HINT}") from None


def _offset(text: str) -> timedelta:
    text = text.strip()
    if text in {"Z", "z", "UTC"}:
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    delta = timedelta(hours=hours, minutes=minutes)
    return -delta if text[0] == "-" else delta


def shown(value: object) -> str:
    """A value for a message, as JSON writes it, cut to what a person reads."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    told = value.decode(errors="replace") if isinstance(value, bytes) else value
    # Text with lone surrogates, which nothing can write, stays in escapes.
    is_text = isinstance(told, str) and told.encode(errors="replace").decode() == told
    text = json.dumps(told, ensure_ascii=not is_text, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
