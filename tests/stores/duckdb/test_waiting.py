"""How many events may wait to be counted: a part of all, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.batches import Batches
from support.events import many
from whodid.stores import duckdb_hours
from whodid.stores.duckdb import DuckDBStore


@pytest.mark.parametrize(
    ("events", "waiting"),
    [(0, 50_000), (20_000_000, 50_000), (60_000_000, 150_000), (400_000_000, 1_000_000), (10**10, 1_000_000)],
)
def test_a_part_of_all_events_may_wait(events: int, waiting: int) -> None:
    assert duckdb_hours.waiting_max(events) == waiting


@pytest.mark.parametrize("bulk", [True, False])
def test_an_import_does_not_count_after_each_of_its_loads(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch, bulk: bool
) -> None:
    counted = []
    monkeypatch.setattr(duckdb_hours, "waiting_max", lambda events: 10)
    monkeypatch.setattr(duckdb_hours, "count", lambda connection, own_rows: counted.append(True))
    store = DuckDBStore(path, journal_path=batches.folder, bulk=bulk)
    store.write([batches.of(many(20))])
    store.rest()
    store.close()
    assert counted == ([] if bulk else [True])
