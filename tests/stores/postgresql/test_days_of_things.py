"""Things by the day: rows of their own where they repeat within days that are over, else those by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from contracts.test_store_hours import assert_counts_are_exact
from support.batches import Batches
from support.events import START, entity, event
from support.postgresql_store import told
from whodid.event import Event
from whodid.stores import postgresql
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql

DAYS = ("event_days", "thing_days", "entity_days")
HOURS = [START.replace(hour=hour) for hour in range(24)]
OFTEN_THE_SAME = [event(time=time, entities=[entity("query", "the same")]) for time in HOURS]
ALL_DIFFERENT = [event(time=time, entities=[entity("query", f"q-{time.hour}")]) for time in HOURS]
KEPT = "SELECT count(*) FROM whodid.kept_thing_days"
BY_HOUR = "SELECT count(*), count(*) FILTER (WHERE is_settled) FROM whodid.kept_hourly_days"


@pytest.fixture(autouse=True)
def events_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "LOOK_EVENTS", -1)
    monkeypatch.setattr(postgresql, "WAITING_ROWS_MAX", 0)


@pytest.mark.parametrize(
    ("events", "kept", "by_hour"), [(OFTEN_THE_SAME, 1, (1, 0)), (ALL_DIFFERENT, 0, (2, 1))], ids=["same", "different"]
)
def test_a_day_that_is_over_is_kept_where_its_rows_are_fewer(
    store: PostgreSQLStore,
    batches: Batches,
    postgresql_url: str,
    events: Sequence[Event],
    kept: int,
    by_hour: tuple[int, int],
) -> None:
    store.write([batches.of(events)])
    store.rest()
    assert told(postgresql_url, KEPT) == [(0,)]
    store.write([batches.of([event(time=START + timedelta(days=1))])])
    store.rest()
    assert told(postgresql_url, KEPT) == [(kept,)]
    assert told(postgresql_url, BY_HOUR) == [by_hour]
    assert_counts_are_exact(store, DAYS)


def test_late_and_forgotten_events_make_their_day_anew(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    later = event(time=START + timedelta(days=1))
    store.write([batches.of([*OFTEN_THE_SAME, later])])
    store.rest()
    store.rest()
    assert told(postgresql_url, KEPT) == [(1,)]
    store.write([batches.of([event(time=START.replace(hour=7), entities=[entity("query", "late")])])])
    store.rest()
    assert told(postgresql_url, KEPT) == [(0,)]
    assert_counts_are_exact(store, DAYS)
    store.rest()
    assert told(postgresql_url, KEPT) == [(2,)]
    store.forget("audit", START.replace(hour=0) + timedelta(hours=12))
    store.rest()
    store.rest()
    assert told(postgresql_url, "SELECT sum(events)::int FROM whodid.kept_thing_days") == [(12,)]
    assert_counts_are_exact(store, DAYS)


def test_what_was_done_alike_on_a_day_lies_together(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    done = [
        event(time=time, type=("query-start", "chart-drawn")[number % 2], entities=[entity("query", f"q-{number % 3}")])
        for time in HOURS
        for number in range(6)
    ]
    store.write([batches.of([*done, event(time=START + timedelta(days=1))])])
    store.rest()
    store.rest()
    lying = told(
        postgresql_url,
        "SELECT t.type, d.thing FROM whodid.kept_thing_days d JOIN whodid.kept_things t USING (thing) ORDER BY d.ctid",
    )
    assert len(lying) == 6
    assert lying == sorted(lying)
