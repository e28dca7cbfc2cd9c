"""A PostgreSQL store in a fresh database, and batches for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.batches import Batches
from whodid.stores.postgresql import PostgreSQLStore


@pytest.fixture
def store(postgresql_url: str) -> Iterator[PostgreSQLStore]:
    store = PostgreSQLStore(postgresql_url)
    yield store
    store.close()


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    return Batches(tmp_path)
