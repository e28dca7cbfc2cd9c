"""The times of many lines at once: minutes repeat, and what follows them repeats too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from whodid.formats import times
from whodid.formats.careful import utc_text
from whodid.formats.rejecting import Unreadable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEEP_MAX: Final = 20_000
# Offsets of whole hours: with these, minutes are the same in UTC.
_OFFSETS: Final = frozenset(["Z", *(f"{sign}{hours:02}00" for sign in "+-" for hours in range(15))])
_MINUTES_MS: Final = {f":{minute:02}": minute * 60_000 for minute in range(60)}
_SECONDS: Final = re.compile(r":([0-5][0-9])\.([0-9]{3})").fullmatch


class _Hours(dict[str, tuple[bytes, int]]):
    """From a local hour with its offset ("2020-02-19T16+0100") to the hour in UTC as text and epoch ms."""

    def __missing__(self, key: str) -> tuple[bytes, int]:
        if key[13:] not in _OFFSETS:
            raise Unreadable("bad_time", f"The time {times.shown(key)} cannot be read at once.")
        time = times.instant(f"{key[:13]}:00:00{key[13:]}")
        if len(self) >= _KEEP_MAX:
            self.clear()
        made = self[key] = (utc_text(time)[:13].encode(), int(time.timestamp()) * 1000)
        return made


class _SecondsMs(dict[str, int]):
    """From ":05.441" to milliseconds; there are 60,000 of them."""

    def __missing__(self, key: str) -> int:
        found = _SECONDS(key)
        if found is None:
            raise Unreadable("bad_time", f"The time {times.shown(key)} cannot be read at once.")
        made = self[key] = int(found[1] + found[2])
        return made


_HOURS: Final = _Hours()
_SECONDS_MS: Final = _SecondsMs()


Stamps = tuple[list[bytes], list[bytes], list[int]]


def stamps(told: Sequence[Any]) -> Stamps:
    """The instants of timestamps: RFC 3339 text in UTC but for the "Z", in two pieces, and epoch ms.

    told   texts with an offset or "Z" (also `2020/02/19-16:05:02.441Z`), or epoch numbers.

    Raises
    ------
    Unreadable("bad_time")
    """
    found = _at_once(told)
    if found is not None:
        return found
    begins, ends, at_ms = zip(*map(_one, told), strict=True)
    return list(begins), list(ends), list(at_ms)


def from_ms(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def _at_once(told: Sequence[Any]) -> Stamps | None:
    """The stamps of texts with milliseconds and an offset of whole hours, else None."""
    try:
        after_ms = [_MINUTES_MS[text[13:16]] + _SECONDS_MS[text[16:23]] for text in told]
        hours = [_HOURS[text[:13] + text[23:]] for text in told]
    except (KeyError, TypeError, Unreadable):
        return None
    ends = "".join([text[13:23] for text in told]).encode()
    return (
        [hour for hour, _ in hours],
        [ends[at : at + 10] for at in range(0, len(ends), 10)],
        [ms + after for (_, ms), after in zip(hours, after_ms, strict=True)],
    )


def _one(told: Any) -> tuple[bytes, bytes, int]:
    found = _at_once([told])
    if found is not None:
        return found[0][0], found[1][0], found[2][0]
    time = times.instant(told)
    return utc_text(time).removesuffix("Z").encode(), b"", int(time.timestamp() * 1000)
