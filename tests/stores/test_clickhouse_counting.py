"""What ClickHouse keeps of whole days: when it holds, when no longer, and what becomes of it then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.batches import Batches
from support.clickhouse import ClickHouseServer
from support.events import entity, event
from support.stores import rows
from whodid.reading.dialect import dialect_of
from whodid.stores import clickhouse_counting, migrate
from whodid.stores.base import Store
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_schema import statements
from whodid.stores.clickhouse_session import Session

DAY = datetime(2026, 5, 4, tzinfo=UTC)
COUNTED = "SELECT counting, toInt64(sum(events)) AS n FROM kept_user_days GROUP BY counting ORDER BY counting"


@pytest.fixture(autouse=True)
def days_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("CHANGED_S", "COUNTING_S", "LOOK_S"):
        monkeypatch.setattr(clickhouse_counting, limit, 0)
    monkeypatch.setattr(clickhouse_counting, "STEP_S", 60)


@pytest.fixture
def store(clickhouse_url: str) -> Iterator[Store]:
    store = ClickHouseStore(clickhouse_url)
    yield store
    store.close()


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    return Batches(tmp_path)


def some(count: int, at: datetime = DAY) -> list[Any]:
    return [event(time=at + timedelta(minutes=number), user="ann") for number in range(count)]


def holding(store: Store) -> list[int]:
    """The days of which counts hold."""
    said = "SELECT day, argMax(is_whole, number) AS is_whole FROM counted_days GROUP BY day"
    return [row["day"] for row in rows(store, f"SELECT day FROM ({said}) WHERE is_whole ORDER BY day")]


def answer(store: Store) -> int:
    """What reports are told, of counts where they hold."""
    return int(rows(store, f"SELECT sum(events) AS n FROM {dialect_of(store.kind).kept['user_days']} e")[0]["n"])


def test_days_are_counted_when_there_is_nothing_to_store_but_the_one_that_goes_on(
    store: Store, batches: Batches
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    store.write([batches.of([*some(3), *some(2, DAY + timedelta(days=1)), *some(1, today)])])
    assert holding(store) == []
    store.rest()
    assert holding(store) == [20260504, 20260505]
    assert answer(store) == 6


def test_a_late_event_takes_its_days_counts_back_before_it_is_stored(store: Store, batches: Batches) -> None:
    store.write([batches.of([*some(3), *some(2, DAY + timedelta(days=1))])])
    store.rest()
    store.write([batches.of(some(4, DAY + timedelta(hours=5)))])
    assert holding(store) == [20260505]
    assert answer(store) == 9
    store.rest()
    assert holding(store) == [20260504, 20260505]
    assert answer(store) == 9


def test_repeats_take_nothing_back(store: Store, batches: Batches) -> None:
    told = some(3)
    store.write([batches.of(told)])
    store.rest()
    store.write([batches.of(told)])
    assert holding(store) == [20260504]


def test_a_counting_that_a_write_overtakes_holds_never(
    store: Store, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write([batches.of(some(3))])
    monkeypatch.setattr(clickhouse_counting, "STEP_S", 0)
    for _ in range(len(clickhouse_counting.TABLES) - 2):
        store.rest()
    store.write([batches.of(some(2, DAY + timedelta(hours=3)))])
    for _ in range(4):
        store.rest()
        assert (holding(store), answer(store)) == ([], 5)


def test_a_counting_that_died_is_begun_anew(clickhouse_url: str, batches: Batches, monkeypatch: Any) -> None:
    store = ClickHouseStore(clickhouse_url)
    store.write([batches.of(some(3))])
    with monkeypatch.context() as patched:
        patched.setattr(clickhouse_counting, "STEP_S", 0)
        for _ in range(len(clickhouse_counting.TABLES)):
            store.rest()
    store.close()
    store = ClickHouseStore(clickhouse_url)
    assert (holding(store), answer(store)) == ([], 3)
    store.rest()
    assert (holding(store), answer(store)) == ([20260504], 3)
    store.close()


def test_counts_that_hold_no_longer_are_dropped_later_than_anybody_may_read_them(
    store: Store, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write([batches.of(some(3))])
    store.rest()
    store.write([batches.of(some(2, DAY + timedelta(hours=3)))])
    store.rest()
    store.rest()
    assert [row["n"] for row in rows(store, COUNTED)] == [3, 5]
    monkeypatch.setattr(clickhouse_counting, "PASSED_S", 0)
    store.rest()
    assert [row["n"] for row in rows(store, COUNTED)] == [5]
    assert answer(store) == 5


def test_days_that_the_engine_may_be_dropping_are_read_from_the_events(clickhouse_url: str, batches: Batches) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    store = ClickHouseStore(clickhouse_url)
    store.write([batches.of([*some(3, now - timedelta(days=40)), *some(2, now - timedelta(days=2))])])
    store.rest()
    assert len(holding(store)) == 2
    store.close()
    store = ClickHouseStore(f"{clickhouse_url}?ttl_days=30")
    assert holding(store) == []
    store.rest()
    assert holding(store) == [int(f"{now - timedelta(days=2):%Y%m%d}")]
    assert answer(store) == rows(store, "SELECT count(*) AS n FROM events")[0]["n"]
    store.close()


def test_a_store_of_before_is_counted_bit_by_bit(clickhouse_server: ClickHouseServer, batches: Batches) -> None:
    url = clickhouse_server.fresh_url()
    clickhouse_server.run(f"CREATE DATABASE {url.rpartition('/')[2]}")
    session = Session(parse(url))
    session.use(url.rpartition("/")[2])
    for statement in statements(parse(url), migrate.migrations("clickhouse")[0].sql):
        session.run(statement)
    session.run(
        "INSERT INTO events (id, time, type, level, topic) "
        "SELECT generateUUIDv4(), toDateTime64('2026-05-04', 6), 'a', 'audit', 'generic' FROM numbers(7)"
    )
    session.close()
    store = ClickHouseStore(url)
    assert answer(store) == 7
    store.rest()
    assert (holding(store), answer(store)) == ([20260504], 7)
    store.close()
    clickhouse_server.drop(url)


def test_what_a_store_of_before_keeps_of_events_that_are_in_no_flow_is_dropped(
    clickhouse_server: ClickHouseServer, batches: Batches
) -> None:
    url = clickhouse_server.fresh_url()
    store = ClickHouseStore(url)
    store.write([batches.of([event(time=DAY, entities=[entity("dataset", "A.b", role="input")])])])
    store.rest()
    store.close()
    session = Session(parse(url))
    session.use(url.rpartition("/")[2])
    for role in ("query", "r\\\\u0065ad"):
        session.run(
            f"INSERT INTO kept_flow_hours SELECT * REPLACE (replaceAll(touched, 'input', '{role}') AS touched) "
            "FROM kept_flow_hours AS kept WHERE position(kept.touched, 'input') > 0"
        )
    (migration,) = (one for one in migrate.migrations("clickhouse") if one.name == "flow_roles")
    for statement in statements(parse(url), migration.sql):
        session.run(statement)
    roles = session.rows("SELECT JSONExtractString(touched, 1, 'role') FROM kept_flow_hours ORDER BY 1")
    assert [row[0] for row in roles] == ["input", "read"]
    session.close()
    clickhouse_server.drop(url)


def test_days_of_a_store_of_before_that_told_own_actions_otherwise_are_counted_anew(
    clickhouse_server: ClickHouseServer, batches: Batches
) -> None:
    url = clickhouse_server.fresh_url()
    store = ClickHouseStore(url)
    told = [("jobId", DAY), ("other", DAY + timedelta(days=1))]
    store.write([batches.of([event(time=at, node_type="design", parameters={name: "x"}) for name, at in told])])
    store.rest()
    assert holding(store) == [20260504, 20260505]
    store.close()
    session = Session(parse(url))
    session.use(url.rpartition("/")[2])
    session.run("ALTER TABLE events UPDATE project = '' WHERE true SETTINGS mutations_sync = 2")
    session.run("DELETE FROM migrations WHERE name = 'own_actions'")
    session.close()
    store = ClickHouseStore(url)
    assert holding(store) == [20260505]
    assert rows(store, "SELECT DISTINCT project FROM events") == [{"project": None}]
    store.rest()
    assert holding(store) == [20260504, 20260505]
    kept = dialect_of(store.kind).kept["entity_days"]
    found = rows(store, f"SELECT by_hand, sum(events) AS n FROM {kept} e GROUP BY 1 ORDER BY 1")
    assert found == [{"by_hand": is_own, "n": 1} for is_own in (0, 1)]
    store.close()
    clickhouse_server.drop(url)
