"""The spans of time in which a report looks hold every hour that was found, and little else."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from whodid.reports.hours import SPANS_MAX, between, spans_of

HOURS = st.integers(0, 24 * 365).map(lambda count: datetime(2026, 1, 1) + timedelta(hours=count))


@given(st.lists(HOURS, min_size=1, max_size=200))
def test_every_hour_lies_in_a_span_and_no_more_than_the_nearest_gaps_with_it(hours: list[datetime]) -> None:
    spans = spans_of(hours)
    assert list(spans) == [f"span_{place}" for place in range(len(spans))]
    ends = list(spans.values())
    each = list(zip(ends[::2], ends[1::2], strict=True))
    assert len(each) <= SPANS_MAX
    assert all(first < second for first, second in pairwise(ends))
    assert all(any(begin <= hour < end for begin, end in each) for hour in hours)
    stretches = 1 + sum(after - hour > timedelta(hours=1) for hour, after in pairwise(sorted(set(hours))))
    if stretches <= SPANS_MAX:
        covered = sum(((end - begin) for begin, end in each), timedelta())
        assert (len(each), covered) == (stretches, timedelta(hours=len(set(hours))))


def test_of_many_hours_the_farthest_stay_apart() -> None:
    begin = datetime(2026, 1, 1)
    hours = [begin + timedelta(hours=2 * place) for place in range(SPANS_MAX + 10)] + [begin + timedelta(days=300)]
    ends = list(spans_of(hours).values())
    assert len(ends) == 2 * SPANS_MAX
    assert ends[-2:] == [begin + timedelta(days=300), begin + timedelta(days=300, hours=1)]


def test_a_time_is_compared_with_the_ends_of_each_span() -> None:
    assert between("x.time", ["a", "b", "c", "d"]) == (
        "((x.time >= CAST($a AS timestamp) AND x.time < CAST($b AS timestamp))"
        " OR (x.time >= CAST($c AS timestamp) AND x.time < CAST($d AS timestamp)))"
    )
