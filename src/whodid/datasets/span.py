"""The span of time that events cover, and the stretches inside it without any."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from msgspec import Struct

_HOUR: Final = timedelta(hours=1)
# A source that is busy nearly every hour is watched by the hour; one that rests at night and on Sundays by the day.
BUSY_SHARE: Final = 0.9


class Gap(Struct, kw_only=True):
    """A stretch of whole hours (UTC) without an event; `until` is the begin of the hour in which they go on."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since


class Span:
    """Gathers the times of events: the first, the last, and in which hours (UTC) there were any."""

    def __init__(self) -> None:
        self.oldest: datetime | None = None
        self.newest: datetime | None = None
        self._hours: set[datetime] = set()

    def add(self, first: datetime, last: datetime, times: Callable[[], Iterable[datetime]]) -> None:
        """Take in events between `first` and `last`; `times` gives the time of each when these two tell too little.

        All times have zone UTC.
        """
        self.oldest = first if self.oldest is None else min(self.oldest, first)
        self.newest = last if self.newest is None else max(self.newest, last)
        begin, end = _hour(first), _hour(last)
        if end - begin <= _HOUR:
            self._hours.update((begin, end))
        else:
            self._hours.update(map(_hour, times()))

    def gaps(self) -> list[Gap]:
        """The gaps, longest first.

        When 90 % of the hours of the span hold events, every hour without is a gap; else only 24 hours and more
        in a row are.
        """
        hours = sorted(self._hours)
        if len(hours) < 2:
            return []
        covered = (hours[-1] - hours[0]) // _HOUR + 1
        shortest = _HOUR if len(hours) >= BUSY_SHARE * covered else timedelta(days=1)
        found = [
            Gap(since=before + _HOUR, until=after)
            for before, after in pairwise(hours)
            if after - before - _HOUR >= shortest
        ]
        return sorted(found, key=lambda gap: gap.length, reverse=True)


def _hour(time: datetime) -> datetime:
    return datetime(time.year, time.month, time.day, time.hour, tzinfo=UTC)
