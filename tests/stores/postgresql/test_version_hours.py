"""Queries of a version by the hour: each write adds rows, and what is gathered has one for each key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.test_store_hours import assert_counts_are_exact
from support.batches import Batches
from support.events import START, event
from support.postgresql_store import told
from whodid.event import Event
from whodid.stores import postgresql
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql

ROWS = "SELECT count(*)::int, sum(events)::int FROM whodid.kept_version_hours"
OUTCOMES = "SELECT count(*)::int FROM whodid.kept_outcome_events"


def query(version: str = "v1", **fields: Any) -> Event:
    parameters = {"serviceId": "churn", "endpointId": "predict", "version": version}
    return event(type="prediction-query", topic="apinode-query", parameters=parameters, **fields)


def outcome(key: str) -> Event:
    parameters = {"serviceId": "churn", "key": key, "outcome": "stay"}
    return event(type="ground-truth", topic="apinode-query", parameters=parameters)


def test_rows_of_an_hour_become_one(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "LOOK_EVENTS", -1)
    monkeypatch.setattr(postgresql, "WAITING_ROWS_MAX", 0)
    for _ in range(3):
        store.write([batches.of([query(), query(), query("v2"), outcome("C-1")])])
    assert told(postgresql_url, ROWS) == [(6, 9)]
    store.rest()
    assert told(postgresql_url, ROWS) == [(2, 9)]
    store.write([batches.of([query(), query(time=START + timedelta(days=1))])])
    assert told(postgresql_url, ROWS) == [(4, 11)]
    assert_counts_are_exact(store, ("version_hours", "outcome_events"))
    store.forget("audit", START + timedelta(hours=1))
    assert told(postgresql_url, ROWS) == [(1, 1)]
    assert told(postgresql_url, OUTCOMES) == [(0,)]
    assert_counts_are_exact(store, ("version_hours", "outcome_events"))
