"""Within which hours and days of UTC a report's times lie: what is kept by these tells of both sides of such a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple


class Edges(NamedTuple):
    """The hours and the days of UTC within which one of a report's times lies, not those that begin with it, by the
    names of their parameters."""

    hours: Mapping[str, datetime]
    days: Mapping[str, datetime]

    def of(self, times: Iterable[datetime]) -> Edges:
        """Those in which one of these lies."""
        hours, days = _begins(times)
        return Edges(
            {name: at for name, at in self.hours.items() if at in hours},
            {name: at for name, at in self.days.items() if at in days},
        )


def edges_of(times: Iterable[datetime]) -> Edges:
    """Those in which these times (UTC, without zone) lie: parameters `edge_0`, …, `edge_day_0`, …"""
    hours, days = _begins(times)
    return Edges(
        {f"edge_{place}": at for place, at in enumerate(sorted(hours))},
        {f"edge_day_{place}": at for place, at in enumerate(sorted(days))},
    )


def _begins(times: Iterable[datetime]) -> tuple[set[datetime], set[datetime]]:
    moments = set(times)
    return {hour_of(at) for at in moments if at != hour_of(at)}, {day_of(at) for at in moments if at != day_of(at)}


def hour_of(at: datetime) -> datetime:
    """Where the hour of a time begins."""
    return at.replace(minute=0, second=0, microsecond=0)


def day_of(at: datetime) -> datetime:
    """Where the day of a time begins."""
    return hour_of(at).replace(hour=0)
