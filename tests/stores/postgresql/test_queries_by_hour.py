"""Queries of API nodes by the hour: lists of how long they took, in order, long even where writes are small."""

from __future__ import annotations

import pytest

from contracts.test_store_hours import assert_counts_are_exact
from support.batches import Batches
from support.events import START, event
from support.postgresql_store import told
from whodid.event import Event
from whodid.stores import postgresql
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql

HOURS = ("query_hours", "entity_query_hours")
LISTS = "SELECT events, durations FROM whodid.kept_query_hours"


@pytest.fixture(autouse=True)
def events_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "LOOK_EVENTS", -1)
    monkeypatch.setattr(postgresql, "WAITING_ROWS_MAX", 0)


def query(at: float, duration_ms: float | None) -> Event:
    return event(
        at,
        type="prediction-query",
        topic="apinode-query",
        duration_ms=duration_ms,
        parameters={"serviceId": "churn", "endpointId": "predict"},
    )


def test_lists_are_in_order(store: PostgreSQLStore, batches: Batches, postgresql_url: str) -> None:
    store.write([batches.of([query(number, taken) for number, taken in enumerate((3.0, 1.0, None, 2.0))])])
    store.rest()
    assert told(postgresql_url, LISTS) == [(4, [1.0, 2.0, 3.0])]
    assert_counts_are_exact(store, HOURS)


def test_short_lists_of_small_writes_become_one(store: PostgreSQLStore, batches: Batches, postgresql_url: str) -> None:
    for number in range(8):
        assert len(told(postgresql_url, LISTS)) == number
        store.write([batches.of([query(number, 8.0 - number), query(number, None)])])
        store.rest()
    assert told(postgresql_url, LISTS) == [(16, [float(number) for number in range(1, 9)])]
    assert_counts_are_exact(store, HOURS)


def test_an_hour_is_listed_anew_when_some_of_it_is_forgotten(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    store.write([batches.of([query(0, 1.0), query(3_600, 2.0)])])
    store.rest()
    store.forget("audit", START.replace(minute=0, second=0, microsecond=0, hour=START.hour + 1))
    store.rest()
    assert told(postgresql_url, LISTS) == [(1, [2.0])]
    assert_counts_are_exact(store, HOURS)
