"""Forgetting takes exactly the events of a level that are too old, with all that is counted of them, on every store."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from contracts.conftest import StorePlace
from contracts.test_store_hours import DAY, any_event, assert_counts_are_exact
from support.batches import Batches
from support.stores import rows
from whodid.reading.dialect import dialect_of
from whodid.stores import duckdb_forget, postgresql_forget
from whodid.stores.base import Store


def forget_all(store: Store, level: str, before: object) -> int:
    events = 0
    for _ in range(1_000):
        step = store.forget(level, before)  # type: ignore[arg-type]
        events += step.events
        if not step.more:
            return events
    raise AssertionError("forgetting does not end")


@pytest.mark.parametrize("at_once", [1, 100_000])
def test_exactly_the_old_events_of_the_level_go_and_counts_stay_exact(
    store: Store, batches: Batches, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for module in (duckdb_forget, postgresql_forget):
        monkeypatch.setattr(module, "EVENTS_AT_ONCE", at_once)
    chance = random.Random(7)
    events = [any_event(chance) for _ in range(200)]
    store.write([batches.of(events)])
    before = DAY + timedelta(hours=2, minutes=40)
    old = {one.id for one in events if one.level == "usage" and one.time < before.replace(minute=0)}
    assert old and forget_all(store, "usage", before) == len(old)
    left = {str(row["id"]) for row in rows(store, "SELECT id FROM events")}
    assert left == {one.id for one in events} - old
    assert_counts_are_exact(store)
    further = dialect_of(store.kind).event_entities
    gone = rows(store, f"SELECT count(*) AS n FROM {further} WHERE event_id NOT IN (SELECT id FROM events)")
    assert gone == [{"n": 0}]
    assert store.stats().events == len(left)
    assert forget_all(store, "usage", before) == 0


def test_what_was_forgotten_stays_forgotten_after_a_restart_and_may_come_in_again(store_place: StorePlace) -> None:
    store, batches = store_place.open(), store_place.batches()
    chance = random.Random(8)
    events = [any_event(chance) for _ in range(40)]
    store.write([batches.of(events)])
    for level in ("audit", "usage", "error", "info"):
        forget_all(store, level, DAY + timedelta(days=900))
    assert rows(store, "SELECT count(*) AS n FROM events") == [{"n": 0}]
    store.close()
    store = store_place.open()
    assert store.stats().events == 0
    store.write([batches.of(events)])
    assert store.stats().events == 40
    assert_counts_are_exact(store)
