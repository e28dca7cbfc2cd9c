"""The span that events cover and its gaps."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from whodid.datasets.span import Gap, Span
from whodid.formats.base import hour_of

START = datetime(2026, 3, 1, 7, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def span_of(times: list[datetime]) -> Span:
    span = Span()
    for begin in range(0, len(times), 50):
        some = times[begin : begin + 50]
        span.add(min(some), max(some), map(hour_of, some))
    return span


def test_nothing_has_no_span() -> None:
    span = span_of([])
    assert (span.oldest, span.newest, span.gaps()) == (None, None, [])


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_busy_source_is_watched_by_the_hour(shuffled: bool) -> None:
    times = [START + HOUR * hour for hour in range(200) if hour not in (50, 90, 91)]
    if shuffled:
        random.Random(3).shuffle(times)
    span = span_of(times)
    assert (span.oldest, span.newest) == (START, START + HOUR * 199)
    midnight = START.replace(minute=0)
    assert span.gaps() == [
        Gap(since=midnight + HOUR * 90, until=midnight + HOUR * 92),
        Gap(since=midnight + HOUR * 50, until=midnight + HOUR * 51),
    ]


def test_a_source_that_rests_at_night_is_watched_by_the_day() -> None:
    days = [START + timedelta(days=day) for day in range(20) if day not in (4, 5)]
    times = [day + HOUR * hour for day in days for hour in range(9)]
    gaps = span_of(times).gaps()
    assert [gap.length for gap in gaps] == [timedelta(days=2, hours=15)]
    assert gaps[0].since == START.replace(minute=0) + timedelta(days=3) + HOUR * 9
