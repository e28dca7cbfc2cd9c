"""The demo's story in a store of every kind, to run the reports on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support import house
from support.batches import Batches
from support.clickhouse import ClickHouseServer
from support.postgresql import PostgreSQLServer
from support.reporting import STORY, Desk, Memberships, story_memberships
from support.story import END, RECEIVED_AT, REJECTED
from whodid import demo
from whodid.event import Event
from whodid.plugins import STORES, load
from whodid.stores import clickhouse_counting, duckdb_hours
from whodid.stores.base import Store

# Within the span that most reports are asked for, and before it.
COUNTED_DAYS = (END - timedelta(days=25), END - timedelta(days=15))


@pytest.fixture(scope="session")
def told() -> list[Event]:
    """A short story of a platform and of whodid, ending at `END`."""
    return [*demo.generate(**STORY, end=END), *house.events()]


@pytest.fixture(scope="session")
def memberships() -> Memberships:
    return story_memberships()


def _filled(store: Store, folder: Path, told: list[Event]) -> Store:
    batches = Batches(folder)
    store.write([batches.of(told, rejects=REJECTED, received_at=RECEIVED_AT)])
    return store


@pytest.fixture(scope="session")
def duckdb_store(told: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("reports")
    store = load(STORES, "duckdb")(folder / "events.duckdb", journal_path=folder / "journal")
    batches = Batches(folder / "journal")
    # Half of the story is counted, the rest waits: reports read both.
    half = len(told) // 2
    store.write([batches.of(told[:half], rejects=REJECTED, received_at=RECEIVED_AT)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(duckdb_hours, "WAITING_MAX", 0)
        store.rest()
    store.write([batches.of(told[half:], received_at=RECEIVED_AT)])
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgresql_store(
    told: list[Event], tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQLServer
) -> Iterator[Store]:
    store = load(STORES, "postgresql")(postgresql_server.create_database())
    yield _filled(store, tmp_path_factory.mktemp("reports"), told)
    store.close()


@pytest.fixture(scope="session")
def clickhouse_store(
    told: list[Event], tmp_path_factory: pytest.TempPathFactory, clickhouse_server: ClickHouseServer
) -> Iterator[Store]:
    store = load(STORES, "clickhouse")(clickhouse_server.fresh_url())
    batches = Batches(tmp_path_factory.mktemp("reports"))
    # Some days are counted, the rest waits: reports read both. Counting a day takes half a second.
    counted = [event for event in told if COUNTED_DAYS[0] <= event.time < COUNTED_DAYS[1]]
    waiting = [event for event in told if not COUNTED_DAYS[0] <= event.time < COUNTED_DAYS[1]]
    store.write([batches.of(counted, rejects=REJECTED, received_at=RECEIVED_AT)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clickhouse_counting, "STEP_S", 60)
        store.rest()
    store.write([batches.of(waiting, received_at=RECEIVED_AT)])
    yield store
    store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty store, to put hand-made events into."""
    desk = Desk(tmp_path, Memberships({"Chemistry": ["ann", "bob"], "Sales": ["cleo"], "Everyone": ["ann", "cleo"]}))
    yield desk
    desk.store.close()


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest) -> Store:
    filled: Store = request.getfixturevalue(f"{request.param}_store")
    return filled
