"""How many events may wait to be counted: a part of all, within bounds."""

from __future__ import annotations

import pytest

from whodid.stores import duckdb_hours


@pytest.mark.parametrize(
    ("events", "waiting"),
    [(0, 100_000), (20_000_000, 100_000), (60_000_000, 300_000), (200_000_000, 1_000_000), (10**10, 1_000_000)],
)
def test_a_part_of_all_events_may_wait(events: int, waiting: int) -> None:
    assert duckdb_hours.waiting_max(events) == waiting
