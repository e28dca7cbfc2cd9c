"""The span of time that events cover, and the stretches inside it without any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from msgspec import Struct

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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
        self._hours: set[int] = set()

    def add(self, first: datetime, last: datetime, hours: Iterable[int]) -> None:
        """Take in events between `first` and `last` (UTC), and the whole hours since 1970 that they lie in."""
        self.oldest = first if self.oldest is None else min(self.oldest, first)
        self.newest = last if self.newest is None else max(self.newest, last)
        self._hours.update(hours)

    def gaps(self) -> list[Gap]:
        """The gaps, longest first.

        When 90 % of the hours of the span hold events, every hour without is a gap; else only 24 hours and more
        in a row are.
        """
        hours = [_EPOCH + _HOUR * hour for hour in sorted(self._hours)]
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
