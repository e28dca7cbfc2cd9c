"""Questions to PostgreSQL: parameters, rights, answers, indexes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from support.batches import Batches
from support.events import entity, event, many
from support.postgresql import PostgreSQLServer
from support.postgresql_store import told
from whodid.errors import WhodidError
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import EventFilter
from whodid.reading.selection import conditions
from whodid.reports.common import NOBODY
from whodid.stores import postgresql_query
from whodid.stores.postgresql import PostgreSQLStore
from whodid.stores.postgresql_connect import connect
from whodid.stores.postgresql_params import bound

pytestmark = pytest.mark.postgresql


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
        postgresql_query.run(connection, sql, None, limit=10, timeout_ms=1_000, as_reader=True, alone=True)
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


def test_a_request_comes_from_an_index_that_holds_the_beginning_of_its_id(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    long_ids = ["".join(chr(0x1F300 + place % 500) for place in range(999)) + end for end in "ab"]
    assert store.write([batches.of([event(at, request_id=f"r{at % 500}") for at in range(3_000)])]).events == 3_000
    assert store.write([batches.of([event(9_000 + at, request_id=long_ids[at % 2]) for at in range(3)])]).events == 3

    def chosen(request: str) -> str:
        where, params = conditions(EventFilter(request_id=[request]), dialect_of("postgresql"), NOBODY, find=_nothing)
        with connect(postgresql_url) as connection:
            return bound(connection, f"FROM whodid.events e WHERE {where}", params)

    assert [told(postgresql_url, f"SELECT count(*) {chosen(id_)}") for id_ in long_ids] == [[(2,)], [(1,)]]
    plan = "\n".join(row[0] for row in told(postgresql_url, f"EXPLAIN SELECT * {chosen('r7')}"))
    assert "left_idx" in plan, plan


def _nothing(_sql: str, _params: dict[str, Any]) -> list[str]:
    return []
