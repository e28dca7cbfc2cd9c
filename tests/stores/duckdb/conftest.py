"""An embedded store, and batches for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.batches import Batches
from whodid.stores.duckdb import DuckDBStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.duckdb"


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    return Batches(tmp_path / "journal")


@pytest.fixture
def store(path: Path, batches: Batches) -> Iterator[DuckDBStore]:
    store = DuckDBStore(path, journal_path=batches.folder)
    yield store
    store.close()
