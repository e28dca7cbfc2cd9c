"""Rows by the day of things: of their own where things repeat within a day, else those by the hour as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from support.batches import Batches
from support.duckdb_store import rows
from support.events import START, entity, event
from whodid.event import Event
from whodid.stores import duckdb_hours
from whodid.stores.duckdb import DuckDBStore

ALL_DIFFERENT = [event(60 * number, entities=[entity("query", f"q-{number}")]) for number in range(100)]
OFTEN_THE_SAME = [event(60 * number, entities=[entity("query", "the same")]) for number in range(100)]
ONCE_AN_HOUR = [
    event(time=START.replace(hour=hour) + timedelta(days=1), entities=[entity("query", f"q-{number}")])
    for hour in range(24)
    for number in range(10)
]


@pytest.fixture(autouse=True)
def events_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)


def count(store: DuckDBStore, batches: Batches, events: Sequence[Event]) -> None:
    store.write([batches.of(events)])
    store.rest()


def by_day(store: DuckDBStore) -> tuple[int, int]:
    """How many rows by the day are kept as such, and how many events all of them tell of."""
    (kept,) = rows(store, "SELECT count(*) AS n FROM kept_thing_days")
    (told,) = rows(store, "SELECT sum(events)::BIGINT AS n FROM counted_entity_days")
    return kept["n"], told["n"]


@pytest.mark.parametrize(("events", "of_their_own"), [(ALL_DIFFERENT, 0), (OFTEN_THE_SAME, 1), (ONCE_AN_HOUR, 10)])
def test_rows_by_the_day_are_kept_where_they_are_fewer(
    store: DuckDBStore, batches: Batches, events: Sequence[Event], of_their_own: int
) -> None:
    count(store, batches, events)
    assert by_day(store) == (of_their_own, len(events))


def test_what_was_done_with_a_thing_in_an_hour_or_day_lies_together(store: DuckDBStore, batches: Batches) -> None:
    hours = [
        event(time=START.replace(hour=hour, minute=minute), entities=[entity("query", f"q-{minute % 3}")])
        for hour in (9, 8)
        for minute in range(30)
    ]
    count(store, batches, hours)
    for table, length, times in (("kept_thing_hours", "hour", 2), ("kept_thing_days", "day", 1)):
        lying = [tuple(row.values()) for row in rows(store, f"SELECT {length}, entity_id FROM {table} ORDER BY rowid")]
        assert len(lying) == times * 3
        assert lying == sorted(lying)


def test_days_are_told_by_both(store: DuckDBStore, batches: Batches) -> None:
    count(store, batches, OFTEN_THE_SAME)
    count(store, batches, ALL_DIFFERENT)
    assert by_day(store) == (1, 200)
    store.forget("audit", START + timedelta(hours=1))
    left = rows(store, "SELECT count(*) AS n FROM events")[0]["n"]
    assert 0 < left < 200
    assert by_day(store) == (1, left)


def test_a_store_without_such_hours_does_not_read_them(store: DuckDBStore, batches: Batches) -> None:
    def plan() -> str:
        return str(rows(store, "EXPLAIN SELECT count(*) FROM counted_thing_days"))

    count(store, batches, OFTEN_THE_SAME)
    assert "kept_thing_hours" not in plan()
    count(store, batches, ALL_DIFFERENT)
    assert "kept_thing_hours" in plan()
