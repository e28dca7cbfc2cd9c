"""What the PostgreSQL store does besides the contract: many writers, a server that goes away, its own tables."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.batches import Batches
from support.events import entity, event, many
from support.postgresql import PostgreSQLServer
from whodid.errors import WhodidError
from whodid.event import entity_uuid
from whodid.stores import migrate, postgresql, postgresql_query, postgresql_schema, postgresql_write
from whodid.stores.postgresql import PostgreSQLStore
from whodid.stores.postgresql_connect import connect

pytestmark = pytest.mark.postgresql


@pytest.fixture
def store(postgresql_url: str) -> Iterator[PostgreSQLStore]:
    store = PostgreSQLStore(postgresql_url)
    yield store
    store.close()


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    return Batches(tmp_path)


def told(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What another program of the same database sees."""
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def partitions(url: str) -> list[str]:
    rows = told(url, "SELECT relid::text FROM pg_partition_tree('public.events') WHERE isleaf ORDER BY 1")
    return [row[0].removeprefix("public.") for row in rows]


# Several processes on one database


def test_two_stores_store_the_same_ids_once(postgresql_url: str, tmp_path: Path) -> None:
    """Two receivers are sent the same events at the same moment, with random ids, at different times."""
    stores = [PostgreSQLStore(postgresql_url) for _ in range(2)]
    ids = [str(uuid.uuid4()) for _ in range(400)]
    written: list[int] = []
    together = threading.Barrier(2)

    def write(place: int) -> None:
        own = Batches(tmp_path / str(place), f"receiver-{place}")
        for begin in range(0, len(ids), 40):
            month = timedelta(days=40 * place)
            events = [event(id=id_, time=datetime(2026, 5, 4, tzinfo=UTC) + month) for id_ in ids[begin : begin + 40]]
            together.wait(timeout=30)
            result = stores[place].write([own.of(events)])
            written.append(result.events)
            assert result.events + result.duplicates == 40

    writers = [threading.Thread(target=write, args=(place,)) for place in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert sum(written) == len(ids)
    assert told(postgresql_url, "SELECT count(*), count(DISTINCT id) FROM public.events") == [(400, 400)]
    for store in stores:
        store.close()


def test_a_partition_that_another_process_made_is_searched_for_known_ids(postgresql_url: str, tmp_path: Path) -> None:
    one, other = PostgreSQLStore(postgresql_url), PostgreSQLStore(postgresql_url)
    one.write([Batches(tmp_path / "a", "a").of([event()])])
    events = [event(id=str(uuid.uuid4()), time=datetime.now(UTC) - timedelta(days=200)) for _ in range(3)]
    other.write([Batches(tmp_path / "b", "b").of(events)])
    assert one.write([Batches(tmp_path / "c", "c").of(events)]).duplicates == 3
    one.close()
    other.close()


def test_a_new_database_may_be_opened_by_many_at_once(postgresql_url: str) -> None:
    opened: list[PostgreSQLStore] = []
    openers = [threading.Thread(target=lambda: opened.append(PostgreSQLStore(postgresql_url))) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join(timeout=60)
    assert [store.stats().version for store in opened] == [len(migrate.migrations("postgresql"))] * 4
    for store in opened:
        store.close()


# Versions


def test_an_older_database_is_upgraded_without_loss(postgresql_url: str) -> None:
    with connect(postgresql_url) as connection:
        assert postgresql_schema.upgrade(connection, up_to=1) == 1
        connection.execute("INSERT INTO public.users (id, login) VALUES (gen_random_uuid(), 'ann')")
    store = PostgreSQLStore(postgresql_url)
    assert store.stats().version > 1
    assert told(postgresql_url, "SELECT login FROM public.users") == [("ann",)]
    store.close()


def test_a_database_of_a_newer_whodid_is_refused(postgresql_url: str) -> None:
    PostgreSQLStore(postgresql_url).close()
    with connect(postgresql_url) as connection:
        connection.execute("INSERT INTO whodid.migrations (number, name) VALUES (9999, 'later')")
    with pytest.raises(WhodidError) as refused:
        PostgreSQLStore(postgresql_url)
    assert refused.value.code == "conflict"


# Counts by the hour, whoever changes the events


def test_counts_follow_what_others_do_to_the_events(
    store: PostgreSQLStore, postgresql_url: str, batches: Batches
) -> None:
    store.write([batches.of([event(minute * 60, user="ann", session=str(uuid.UUID(int=1))) for minute in range(180)])])
    for change in (
        "DELETE FROM public.events WHERE extract(minute FROM event_time) < 20",
        "UPDATE public.events SET \"user\" = 'ben' WHERE extract(minute FROM event_time) < 40",
        "UPDATE public.events SET event_time = event_time + interval '90 minutes'",
        "TRUNCATE public.events",
    ):
        with psycopg.connect(postgresql_url) as connection:
            connection.execute(change)
        assert told(postgresql_url, COUNTED) == told(postgresql_url, RAW), change
    assert told(postgresql_url, "SELECT count(*) FROM whodid.session_hours") == [(0,)]


COUNTED = 'SELECT hour, "user", sum(events)::bigint FROM whodid.event_hours GROUP BY 1, 2 ORDER BY 1, 2'
RAW = "SELECT date_trunc('hour', event_time), \"user\", count(*) FROM public.events GROUP BY 1, 2 ORDER BY 1, 2"


# The server goes away


def test_it_goes_on_after_the_server_was_away(own_postgresql_server: PostgreSQLServer, batches: Batches) -> None:
    store = PostgreSQLStore(own_postgresql_server.create_database())
    store.write([batches.of(many(5))])
    own_postgresql_server.crash()
    waiting = batches.of(many(3))
    for ask in (lambda: store.write([waiting]), lambda: store.query("SELECT 1"), lambda: store.position("receiver-a")):
        with pytest.raises(WhodidError) as away:
            ask()
        assert away.value.code == "unavailable"
        assert away.value.kind.temporary
    own_postgresql_server.start()
    assert store.position("receiver-a") == 1
    assert store.write([waiting]).events == 3
    assert store.stats().events == 8
    store.close()


def test_a_server_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(WhodidError) as away:
        PostgreSQLStore(f"postgresql://somebody:secret-word@/nowhere?host={tmp_path}")
    assert away.value.code == "unavailable"
    assert "secret-word" not in str(away.value)


class HangingBatch:
    """A batch that the process stops reading in the middle, as one on a machine that hangs.

    beginning  what of it is read before, by which the writer comes to its turn.
    """

    def __init__(self, batch: Any, beginning: Any):
        self._batch = batch
        self._beginning = beginning
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def frames(self) -> Iterator[Any]:
        yield from self._beginning.frames()
        self.reached.set()
        self.go_on.wait(30)
        yield from self._batch.frames()


def test_a_writer_that_hangs_loses_its_turn(
    postgresql_url: str, store: PostgreSQLStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "SILENT_TIMEOUT_MS", 300)
    monkeypatch.setattr(postgresql_write, "CHUNK_EVENTS", 2)
    other = PostgreSQLStore(postgresql_url)
    own = Batches(tmp_path / "b", "receiver-b")
    hanging = HangingBatch(beginning=own.of(many(2)), batch=own.of(many(4)))
    failed: list[str] = []

    def write() -> None:
        try:
            store.write([hanging])
        except WhodidError as error:
            failed.append(error.code)

    writer = threading.Thread(target=write)
    writer.start()
    assert hanging.reached.wait(10)
    assert other.write([Batches(tmp_path / "a", "receiver-a").of(many(3))]).events == 3
    hanging.go_on.set()
    writer.join(timeout=30)
    assert failed == ["unavailable"]
    assert store.write([hanging]).events == 6, "it is whole again at the next attempt"
    other.close()


class ReadBatch:
    """A batch that tells when it was read."""

    def __init__(self, batch: Any):
        self._batch = batch
        self.was_read = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def frames(self) -> Iterator[Any]:
        yield from self._batch.frames()
        self.was_read.set()


@pytest.mark.parametrize("meanwhile", ["nothing", "some", "all"])
def test_what_is_read_before_the_turn_is_stored_once(
    postgresql_url: str, store: PostgreSQLStore, batches: Batches, meanwhile: str
) -> None:
    """While another writer has its turn, this one reads; who takes its place then, as one after a restart, counts."""
    first, second = ReadBatch(batches.of(many(3))), batches.of(many(4))
    written: list[int] = []
    there = {"nothing": 0, "some": first.number, "all": second.number}[meanwhile]
    with psycopg.connect(postgresql_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (postgresql_schema.WRITE_LOCK,))
        writer = threading.Thread(target=lambda: written.append(store.write([first, second]).events))
        writer.start()
        assert first.was_read.wait(10)
        if there:
            other.execute("INSERT INTO whodid.journal_position VALUES (%s, %s, 0, 0)", (batches.receiver, there))
    writer.join(timeout=30)
    expected = {"nothing": 7, "some": 4, "all": 0}[meanwhile]
    assert written == [expected]
    assert told(postgresql_url, "SELECT count(*) FROM public.events") == [(expected,)]
    assert store.position(batches.receiver) == second.number
    assert told(postgresql_url, "SELECT count(*) FROM public.event_types") == [(1 if expected else 0,)]


def test_closing_breaks_off_a_write_that_waits(store: PostgreSQLStore, batches: Batches, postgresql_url: str) -> None:
    waiting = batches.of(many(3))
    failed: list[str] = []

    def write() -> None:
        try:
            store.write([waiting])
        except WhodidError as error:
            failed.append(error.code)

    with psycopg.connect(postgresql_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (postgresql_schema.WRITE_LOCK,))
        writer = threading.Thread(target=write)
        writer.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        deadline = time.monotonic() + 10
        while told(postgresql_url, waits) != [(1,)]:
            assert time.monotonic() < deadline
        began = time.monotonic()
        store.close()
        writer.join(timeout=10)
        assert time.monotonic() - began < 5
    assert failed == ["unavailable"]
    after = PostgreSQLStore(postgresql_url)
    assert after.write([waiting]).events == 3
    after.close()


# Partitions


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


# The tables of other programs


def test_one_row_of_event_types_a_type_and_an_error_group(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    group = str(uuid.uuid4())
    failed: dict[str, Any] = {
        "level": "error",
        "error_message": "Boom",
        "error_stack_trace": "at f",
        "error_hash": group,
    }
    store.write([batches.of([event(type="query-start"), event(type="query-start"), event(type="run", **failed)])])
    store.write([batches.of([event(type="start", **failed), event(type="run", level="error")])])
    rows = told(
        postgresql_url,
        "SELECT name, source, is_error, friendly_name, error_stack_trace, error_stack_trace_hash "
        "FROM public.event_types ORDER BY name, error_stack_trace_hash",
    )
    assert rows == [
        ("query-start", "audit", False, "query-start", None, None),
        ("run", "error", True, "Boom", "at f", group),
        ("run", "error", True, "run", None, None),
    ]
    assert told(
        postgresql_url, "SELECT count(*) FROM public.events e JOIN event_types t ON t.id = e.event_type_id"
    ) == [(5,)]


def test_parameters_have_the_type_that_fits_all_their_values(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    first = {"int": 1, "widened": 1, "text": "a", "flag": True, "list": [1], "mixed": 1, "nothing": None}
    second = {"int": 2, "widened": 1.5, "mixed": "one", "later": 3, "nothing": "x"}
    store.write([batches.of([event(parameters=first)])])
    store.write([batches.of([event(parameters=second)])])
    types = dict(told(postgresql_url, "SELECT name, type FROM public.event_parameters"))
    assert types == {
        "int": "int",
        "widened": "double",
        "text": "string",
        "flag": "bool",
        "list": "json",
        "mixed": "string",
        "later": "int",
        "nothing": "string",
    }
    values = told(
        postgresql_url,
        "SELECT p.name, v.value FROM event_parameter_values v JOIN event_parameters p ON p.id = v.parameter_id "
        "JOIN events e ON e.id = v.event_id WHERE p.name IN ('widened', 'flag', 'list', 'nothing') ORDER BY 1, 2",
    )
    assert values == [
        *[("flag", "true"), ("list", "[1]"), ("nothing", "null"), ("nothing", "x")],
        *[("widened", "1"), ("widened", "1.5")],
    ]


def test_entities_are_references_by_both_value_and_uuid(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    query_id = str(uuid.uuid4())
    store.write(
        [
            batches.of(
                [
                    event(entities=[entity("query", query_id)]),
                    event(entities=[entity("dataset", "A", role="input"), entity("dataset", "B", role="input")]),
                ]
            )
        ]
    )
    rows = told(
        postgresql_url,
        "SELECT p.name, p.type, v.value, v.value_uuid FROM event_parameter_values v "
        "JOIN event_parameters p ON p.id = v.parameter_id ORDER BY p.name",
    )
    a, b, query = entity_uuid("dataset", "A"), entity_uuid("dataset", "B"), uuid.UUID(query_id)
    assert rows == [
        ("input", "entity_id", str(a), a),
        ("input 2", "entity_id", str(b), b),
        ("query", "entity_id", str(query), query),
    ]


def test_a_sender_with_names_without_end_does_not_fill_the_table(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    endless = [event(parameters={f"p{at}-{key}": 1 for key in range(500)}) for at in range(6)]
    assert store.write([batches.of(endless)]).events == 6
    assert told(postgresql_url, "SELECT count(*) FROM public.event_parameters") == [(2_000,)]


def test_an_id_that_no_index_can_hold_rejects_its_event_alone(store: PostgreSQLStore, batches: Batches) -> None:
    long_id = "".join(chr(0x1F300 + place % 500) for place in range(1_000))
    written = store.write([batches.of([event(), event(entities=[entity("file", long_id)]), event()])])
    assert (written.events, written.rejects) == (2, 1)


# Asking


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT '$login' AS a, \"user\" FROM events WHERE \"user\" = $login", {"login": "ann"}, ("$login", "ann")),
        ("SELECT user AS a, count(*) AS b FROM events WHERE user LIKE 'a%' GROUP BY user", None, ("ann", 1)),
        ("SELECT 'user' AS a, 1::text AS b -- $nobody", {}, ("user", "1")),
        ("SELECT e.user AS a, $2::int AS b FROM events e WHERE e.user = $1", ["ben", -7], ("ben", -7)),
        ("SELECT 1 - $x AS a, '%s' AS b", {"x": -1}, (2, "%s")),
        ("SELECT count(*) AS a, 0 AS b FROM events WHERE id = ANY($ids)", {"ids": ["{ann}", "{ben}"]}, (2, 0)),
        ("SELECT count(*) AS a, 0 AS b FROM events WHERE \"user\" = ANY($them)", {"them": ["ann", 'o"x\\']}, (1, 0)),
        ("SELECT $t::timestamp AS a, $n IS NULL AS b", {"t": datetime(2026, 1, 1, 12, tzinfo=UTC), "n": None},
         (datetime(2026, 1, 1, 12), True)),
        ("SELECT ? AS a, parameters ->> ? AS b FROM events WHERE \"user\" = 'ann'", ["x", "k"], ("x", "v")),
        ("SELECT parameters ? 'k' AS a, 1 AS b FROM events WHERE \"user\" = 'ann'", None, (True, 1)),
    ],
)  # fmt: skip
def test_parameters_take_the_type_of_their_place(
    store: PostgreSQLStore, batches: Batches, sql: str, params: Any, expected: tuple[Any, ...]
) -> None:
    ann, ben = event(user="ann", parameters={"k": "v"}), event(user="ben")
    store.write([batches.of([ann, ben])])
    if isinstance(params, dict) and "ids" in params:
        params = {"ids": [ann.id, ben.id]}
    (row,) = store.query(sql, params, trusted=True).table.to_pylist()
    assert tuple(row.values()) == expected


def test_a_parameter_without_value_is_named(store: PostgreSQLStore) -> None:
    with pytest.raises(WhodidError, match=r"\$login has no value"):
        store.query("SELECT 1 FROM events WHERE type = $login", {"other": 1})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM whodid.journal_position",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
        "SELECT lo_export(1, '/tmp/x')",
        "SELECT setval('x', 1)",
    ],
)
def test_even_past_the_guard_a_query_has_few_rights(postgresql_url: str, sql: str) -> None:
    """The second fence: what a hole in the guard would let through meets a role that may read events only."""
    store = PostgreSQLStore(postgresql_url)
    assert store.has_reader_role
    with connect(postgresql_url) as connection, pytest.raises(psycopg.Error) as refused:
        postgresql_query.run(connection, sql, None, limit=10, timeout_ms=1_000, as_reader=True)
    assert isinstance(refused.value, psycopg.errors.InsufficientPrivilege | psycopg.errors.UndefinedTable)
    store.close()


def test_without_the_right_to_make_roles_the_store_works_all_the_same(
    postgresql_server: PostgreSQLServer, batches: Batches
) -> None:
    url = postgresql_server.create_database()
    with psycopg.connect(url, autocommit=True) as connection:
        database = connection.info.dbname
        connection.execute(f"DROP ROLE IF EXISTS plain_{database}")
        connection.execute(f"CREATE ROLE plain_{database} LOGIN")
        connection.execute(f"ALTER DATABASE {database} OWNER TO plain_{database}")
        connection.execute(f"ALTER SCHEMA public OWNER TO plain_{database}")
    store = PostgreSQLStore(url.replace("postgres@", f"plain_{database}@"))
    assert not store.has_reader_role
    store.write([batches.of(many(3))])
    assert store.query("SELECT count(*) AS n FROM events").table.to_pylist() == [{"n": 3}]
    store.close()


def test_one_name_events_serves_whodids_columns_and_the_four_tables(store: PostgreSQLStore, batches: Batches) -> None:
    store.write([batches.of([event(type="query-start", parameters={"rows": 5})])])
    (row,) = store.query(
        "SELECT e.type, e.time = e.event_time AS same, et.source, v.value FROM events e "
        "JOIN event_types et ON et.id = e.event_type_id JOIN event_parameter_values v ON v.event_id = e.id "
        "JOIN event_parameters p ON p.id = v.parameter_id WHERE p.name = 'rows'"
    ).table.to_pylist()
    assert row == {"type": "query-start", "same": True, "source": "audit", "value": "5"}


def test_answers_of_every_kind_become_arrow(store: PostgreSQLStore) -> None:
    table = store.query(
        "SELECT 1::smallint AS a, 2.5::numeric AS b, sum(x) AS c, ARRAY['x', 'y'] AS d, now()::date IS NULL AS e, "
        "interval '1 day' AS f, '{}'::jsonb AS g, NULL AS h, ARRAY[gen_random_uuid()] IS NULL AS i "
        "FROM generate_series(1, 3) x",
        trusted=True,
    ).table
    (row,) = table.to_pylist()
    assert row == {
        "a": 1,
        "b": 2.5,
        "c": 6,
        "d": ["x", "y"],
        "e": False,
        "f": "1 day",
        "g": "{}",
        "h": None,
        "i": False,
    }


def test_the_activity_of_an_entity_comes_from_an_index(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    events = [event(at, entities=[entity("query", f"q{at % 50}")]) for at in range(3_000)]
    store.write([batches.of(events)])
    plan = "\n".join(
        row[0]
        for row in told(
            postgresql_url,
            "EXPLAIN SELECT * FROM whodid.events WHERE entity_type = 'query' AND entity_id = 'q7' "
            "AND time >= '2026-05-01' ORDER BY time DESC LIMIT 100",
        )
    )
    assert "entity_id_event_time_idx" in plan
