"""The parameters that reports have in common, with one meaning for all: what the filter bar of the pages chooses.

A report that says `chosen()` takes `FILTERS`; one that says `local()` takes `ZONE`. Both are added to its header's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from whodid.errors import WhodidError
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import make_filter
from whodid.reading.selection import Find, Groups, conditions
from whodid.reports.report import Parameter

# Name of the parameter, the field of `reading.EventFilter` that it is, and its meaning.
_FILTERS: Final = (
    ("users", "user", "logins: what they did, and what was done for them"),
    ("groups", "group", "names of groups: their members, through groups within them"),
    ("entities", "entity", "type:id of things that were touched in any role"),
    ("projects", "project", "keys of projects"),
    ("topics", "topic", "topics"),
    ("types", "type", "types; * stands for any letters"),
    ("levels", "level", "levels: audit, usage, error, warning, info, debug"),
)
FIELDS: Final = {name: field for name, field, _ in _FILTERS}
FILTERS: Final = [Parameter(name=name, type="texts", default="", help=help) for name, _, help in _FILTERS]
ZONE: Final = Parameter(name="zone", type="text", default="UTC", help="time zone of days and hours: Europe/Berlin")

_DAY: Final = timedelta(days=1)


class Shift(NamedTuple):
    """From this moment on (UTC, without zone; None: ever since) local time is so many seconds ahead of UTC."""

    begins: datetime | None
    seconds: int


class _Nobody:
    def group_logins(self, name: str) -> list[str]:
        raise WhodidError("invalid", f"Nothing is known here of groups, such as {name[:100]!r}.", "Name users instead.")


NOBODY: Final[Groups] = _Nobody()


def condition(
    given: dict[str, list[str]], kind: str, groups: Groups | None, *, find: Find = lambda sql, params: None
) -> tuple[str, dict[str, Any]]:
    """The condition on events `e` that the given filters mean in a store's dialect, and its parameters.

    Raises
    ------
    WhodidError("invalid")
        A value is none for its filter.
    WhodidError("not_found")
        There is no such group.
    """
    wanted = make_filter(**{FIELDS[name]: values for name, values in given.items() if values})
    return conditions(wanted, dialect_of(kind), groups or NOBODY, find=find)


def shifts(name: str, since: datetime, until: datetime) -> tuple[Shift, ...]:
    """How local time of a zone differs from UTC between two moments (UTC, without zone).

    Raises
    ------
    WhodidError("invalid")
        There is no such zone.
    """
    return _shifts(name, since.date(), until.date() + _DAY)


@functools.lru_cache(maxsize=512)
def _shifts(name: str, since: Any, until: Any) -> tuple[Shift, ...]:
    zone = zone_of(name)

    def seconds(at: datetime) -> int:
        here = at.replace(tzinfo=UTC).astimezone(zone)
        return int((here.replace(tzinfo=UTC) - here).total_seconds())

    at, end = (datetime(day.year, day.month, day.day) for day in (since, until))
    found = [Shift(None, seconds(at))]
    while at < end:
        if seconds(at + _DAY) != found[-1].seconds:
            found.append(_turn(at, seconds))
        at += _DAY
    return tuple(found)


def _turn(day: datetime, seconds: Callable[[datetime], int]) -> Shift:
    """The moment within the day after `day` at which the difference changes, to the second."""
    before, low, high = seconds(day), 0, 86_400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if seconds(day + timedelta(seconds=middle)) == before else (low, middle)
    return Shift(day + timedelta(seconds=high), seconds(day + timedelta(seconds=high)))


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. Raises WhodidError("invalid")."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WhodidError(
            "invalid", f"zone is {name[:100]!r}, which is no time zone.", "For example: Europe/Berlin, UTC."
        ) from None
