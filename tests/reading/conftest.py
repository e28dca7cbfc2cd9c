"""Stores of every kind, filled with given events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from support.batches import Batches
from whodid.event import Event

Fill = Callable[[Sequence[Event]], Any]


class Filled:
    """A store and the batches it is filled with; everything else is the store's."""

    def __init__(self, store: Any, batches: Batches, events: Sequence[Event]):
        self._store = store
        self._batches = batches
        self.kind = store.kind
        self.query = store.query
        self.close = store.close
        self.add(events)

    def add(self, events: Sequence[Event]) -> None:
        if events:
            self._store.write([self._batches.of(events)])


@pytest.fixture(scope="module", params=["duckdb", "postgresql", "clickhouse"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fill]:
    """Makes a store of events; each test file runs on every kind."""
    made: list[Filled] = []

    def make(events: Sequence[Event] = ()) -> Filled:
        folder = tmp_path_factory.mktemp("store")
        store: Any
        if request.param == "duckdb":
            from whodid.stores.duckdb import DuckDBStore

            store = DuckDBStore(folder / "events.duckdb", journal_path=folder / "journal")
        elif request.param == "clickhouse":
            from whodid.stores.clickhouse import ClickHouseStore

            store = ClickHouseStore(request.getfixturevalue("clickhouse_server").fresh_url())
        else:
            from whodid.stores.postgresql import PostgreSQLStore

            empty = request.getfixturevalue("empty_postgresql_store")
            store = PostgreSQLStore(request.getfixturevalue("postgresql_server").create_database(empty))
        made.append(Filled(store, Batches(folder / "journal"), events))
        return made[-1]

    yield make
    for store in made:
        store.close()
