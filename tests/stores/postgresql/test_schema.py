"""The schema of PostgreSQL: upgrades, partitions, counts that follow what others do."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from contracts.test_store_hours import any_event, assert_counts_are_exact
from support.batches import Batches
from support.events import event
from support.postgresql import PostgreSQLServer
from support.postgresql_store import partitions, told
from support.stores import rows
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.stores import postgresql_schema
from whodid.stores.postgresql import PostgreSQLStore
from whodid.stores.postgresql_connect import connect

pytestmark = pytest.mark.postgresql


CENSUS = {
    "clusterId": "c1",
    "podsStatus": {
        "pods": [
            {
                "name": "pod-1", "namespace": "a", "phase": "Running", "memoryMB": 512, "cpuMillis": "250",
                "labels": {"dataiku.com/dku-project-key": "SALES", "dataiku.com/dku-exec-submitter": "ann"},
                "annotations": {"dataiku.com/dku-execution-id": "x1"},
            },
            {"name": "pod-2"},
        ],
    },
}  # fmt: skip

# What is forgotten of the events is not to be found in what is kept of them.
UNUSED = """
SELECT way FROM whodid.kept_flow_ways WHERE way NOT IN (SELECT way FROM whodid.kept_flow_events)
UNION ALL
SELECT thing FROM whodid.kept_things WHERE thing NOT IN (SELECT thing FROM whodid.kept_thing_hours)
"""


def events_of_every_kind(seed: int) -> list[Event]:
    chance = random.Random(seed)
    census = event(topic="compute-resource-usage", type="kubernetes-cluster-usage-status", parameters=CENSUS)
    return [census, *(any_event(chance) for _ in range(400))]


def test_an_older_database_is_upgraded_without_loss(empty_postgresql_url: str) -> None:
    with connect(empty_postgresql_url) as connection:
        assert postgresql_schema.upgrade(connection, up_to=1) == 1
        connection.execute("INSERT INTO public.users (id, login) VALUES (gen_random_uuid(), 'ann')")
    store = PostgreSQLStore(empty_postgresql_url)
    assert store.stats().version > 1
    assert told(empty_postgresql_url, "SELECT login FROM public.users") == [("ann",)]
    store.close()


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(9, id="nothing-counted"),
        pytest.param(18, id="some-wait"),
        pytest.param(32, id="jobs-of-people-are-told-otherwise"),
    ],
)
def test_an_older_database_is_counted_when_it_is_upgraded(
    store: PostgreSQLStore, postgresql_url: str, postgresql_server: PostgreSQLServer, batches: Batches, number: int
) -> None:
    store.write([batches.of(events_of_every_kind(1))])
    older = postgresql_server.create_database()
    with connect(postgresql_url) as source, connect(older) as target:
        postgresql_schema.upgrade(target, up_to=number)
        columns = ", ".join(f'"{name}"' for name in postgresql_schema._written_columns(target))
        written = columns.replace('"origin"', "coalesce(origin, 'client')").replace(
            '"format"', "coalesce(format, 'native')"
        )
        with (
            source.cursor().copy(f"COPY (SELECT {written} FROM public.events) TO STDOUT") as read,
            target.cursor().copy(f"COPY public.events ({columns}) FROM STDIN") as write,
        ):
            for data in read:
                write.write(data)
    upgraded = PostgreSQLStore(older)
    assert_counts_are_exact(upgraded)
    assert rows(upgraded, "SELECT pod FROM pod_events WHERE cluster = 'c1' ORDER BY pod NULLS FIRST") == [
        {"pod": name} for name in (None, "pod-1", "pod-2")
    ]
    upgraded.close()


def test_an_upgrade_begins_anew_where_it_and_another_wait_for_each_other(empty_postgresql_url: str) -> None:
    with (
        connect(empty_postgresql_url) as upgraded,
        connect(empty_postgresql_url) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        # The twentieth holds the events by then, and its number cannot be written down.
        postgresql_schema.upgrade(upgraded, up_to=19)
        upgraded.execute("SET deadlock_timeout = '2s'")
        with other.transaction():
            other.execute("SET LOCAL deadlock_timeout = '10min'; LOCK whodid.migrations IN EXCLUSIVE MODE")
            upgrading = threads.submit(postgresql_schema.upgrade, upgraded, up_to=20)
            while not told(
                empty_postgresql_url, "SELECT FROM pg_locks WHERE mode = 'RowExclusiveLock' AND NOT granted"
            ):
                assert not upgrading.done()
            other.execute("SELECT count(*) FROM public.events")
        assert upgrading.result(timeout=60) == 20
        assert postgresql_schema.version(upgraded) == 20


def test_a_database_of_a_newer_whodid_is_refused(postgresql_url: str) -> None:
    PostgreSQLStore(postgresql_url).close()
    with connect(postgresql_url) as connection:
        connection.execute("INSERT INTO whodid.migrations (number, name) VALUES (9999, 'later')")
    with pytest.raises(WhodidError) as refused:
        PostgreSQLStore(postgresql_url)
    assert refused.value.code == "conflict"


def test_counts_follow_what_others_do_to_the_events(
    store: PostgreSQLStore, postgresql_url: str, batches: Batches
) -> None:
    store.write([batches.of([event(minute * 60, user="ann", session=str(uuid.UUID(int=1))) for minute in range(180)])])
    store.write([batches.of(events_of_every_kind(2))])
    for change in (
        "DELETE FROM public.events WHERE extract(minute FROM event_time) < 20",
        "UPDATE public.events SET \"user\" = 'ben' WHERE extract(minute FROM event_time) < 40",
        "UPDATE public.events SET event_time = event_time + interval '90 minutes'",
        "TRUNCATE public.events",
    ):
        with psycopg.connect(postgresql_url) as connection:
            connection.execute(change)
        assert_counts_are_exact(store)
        assert told(postgresql_url, UNUSED) == []
    assert rows(store, "SELECT count(*) AS n FROM session_hours") == [{"n": 0}]


def test_hostile_times_make_no_partitions(store: PostgreSQLStore, batches: Batches, postgresql_url: str) -> None:
    strange = [event(time=datetime(year, month, 1, tzinfo=UTC)) for year in range(1970, 2200, 5) for month in (1, 7)]
    assert store.write([batches.of(strange)]).events == len(strange)
    near = [name for name in partitions(postgresql_url) if name != "events_default"]
    assert len(near) < 12
    assert store.query("SELECT count(*) AS n FROM events").table.to_pylist() == [{"n": len(strange)}]


def test_a_month_that_comes_in_numbers_gets_its_partition_and_its_early_rows(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    long_ago = datetime(2015, 3, 10, tzinfo=UTC)
    early = event(time=long_ago)
    store.write([batches.of([early])])
    assert partitions(postgresql_url) == ["events_default"]
    store.write([batches.of([event(time=long_ago + timedelta(minutes=at)) for at in range(1_200)])])
    assert partitions(postgresql_url) == ["events_2015_03", "events_default"]
    assert told(postgresql_url, "SELECT count(*) FROM public.events_2015_03") == [(1_201,)]
    assert store.write([batches.of([early])]).duplicates == 1


def test_a_long_query_does_not_keep_events_of_a_new_month_waiting(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody holds the table, they go to the default partition; one attempt a minute is made."""
    monkeypatch.setattr(postgresql_schema, "RETRY_S", 0.0)
    with psycopg.connect(postgresql_url) as reader:
        reader.execute("SELECT count(*) FROM public.events")
        assert store.write([batches.of([event(time=datetime.now(UTC))])]).events == 1
        assert partitions(postgresql_url) == ["events_default"]
    store.write([batches.of([event(time=datetime.now(UTC))])])
    assert len(partitions(postgresql_url)) == 2
    assert told(postgresql_url, "SELECT count(*) FROM public.events_default") == [(0,)]
