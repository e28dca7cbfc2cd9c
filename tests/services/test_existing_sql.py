"""SQL written for the tables of `public` gives the right rows, unmodified: straight from PostgreSQL, and by whodid.

The queries in `queries/` are written as platform SQL is: with headers, `@date(column)` ranges and `@name` parameters,
which the platform puts in before it sends them. Their rows were worked out by hand from `support/small_platform.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support import small_platform as platform
from support.batches import Batches
from support.events import entity, event
from support.small_platform import ENTITIES, HASHES, USERS
from whodid.directory import Directory
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql

QUERIES = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "queries").glob("*.sql"))}
MAY = datetime(2026, 5, 4), datetime(2026, 5, 6)
ALL_MAY = datetime(2026, 5, 1), datetime(2026, 6, 1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute)


# Query, its parameters (`date` is a range), its rows.
CASES: list[tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = [
    (
        "unique_users_by_day",
        {"date": MAY, "groups": [platform.GROUPS["All users"]]},
        [(date(2026, 5, 4), 2), (date(2026, 5, 5), 3)],
    ),
    (
        "unique_users_by_day",
        {"date": MAY, "groups": [platform.GROUPS["Chemistry"]]},
        [(date(2026, 5, 4), 1), (date(2026, 5, 5), 2)],
    ),
    ("unique_users_by_day", {"date": MAY, "groups": []}, []),
    (
        "groups_of_a_user",
        {"login": "cy"},
        [("Cy", True, 0), ("Lab", False, 1), ("Chemistry", False, 2), ("All users", False, 3)],
    ),
    (
        "events_by_type",
        {"date": MAY},
        [
            ("query-start", "audit", 4, 4),
            ("click", "usage", 2, 2),
            ("function-run", "audit", 2, 2),
            ("http-request", "usage", 2, 2),
            ("project-opened", "audit", 1, 1),
            ("server-started", "audit", 1, 0),
            ("user-login-failed", "audit", 1, 0),
        ],
    ),
    ("top_queries_by_uuid", {"date": MAY}, [("Orders", 3, 3), ("Stock", 1, 1)]),
    ("top_queries_by_uuid", {"date": ALL_MAY}, [("Orders", 4, 3), ("Stock", 1, 1)]),
    ("top_queries_by_text", {"date": MAY}, [("orders", "query", 3), ("stock", "query", 1)]),
    ("rows_per_user", {"date": MAY}, [("Ann", 15, 0), ("Ben", 30, 0), ("Cy", 0, 1)]),
    (
        "error_groups",
        {"date": ALL_MAY},
        [(HASHES[0], "Boom", 2, 2, at(5, 13)), (HASHES[1], "Bang", 1, 0, at(20, 9))],
    ),
    ("errors_of_one_group", {"hash": HASHES[0]}, [(at(5, 14), "Boom", "ben"), (at(5, 13), "Boom", "ann")]),
    ("errors_of_one_group", {"hash": HASHES[1]}, [(at(20, 9), "Bang", None)]),
    (
        "events_without_session",
        {"date": ALL_MAY},
        [("error", "no session", 1), ("server-started", "no session", 1), ("user-login-failed", "no session", 1)],
    ),
    ("package_usage", {"date": MAY, "packages": ["all"]}, [("ChemTools", "Ann", 1), ("ChemTools", "Ben", 1)]),
    (
        "package_usage",
        {"date": MAY, "packages": ["ChemTools", "x"]},
        [("ChemTools", "Ann", 1), ("ChemTools", "Ben", 1)],
    ),
    ("package_usage", {"date": MAY, "packages": ["Other"]}, []),
    (
        "users_by_list",
        {"ids": [USERS["ann"], USERS["cy"]], "logins": ["ben", "cy"]},
        [("ann", True, False, "Ann"), ("ben", False, True, "Ben"), ("cy", True, True, "Cy")],
    ),
    (
        "function_calls",
        {"date": MAY},
        [("Dock", "ann", "Completed", 90, "CCO", 2), ("Dock", "ben", "Error", 2, None, None)],
    ),
    ("clicks", {"date": MAY}, [(at(4, 15), "ann", "Run"), (at(5, 15), "cy", "Save")]),
    ("http_requests", {"date": MAY}, [("GET", "/api/x", 2, 1, 100.0)]),
    (
        "entity_activity",
        {"entity": ENTITIES["Orders"][0]},
        [
            (at(20, 10), "query-start", "Ann", '{ "connection" : "Sales", "rows" : "1" }'),
            (at(5, 11), "query-start", "Cy", '{ "connection" : "Sales", "rows" : "null" }'),
            (at(4, 10), "query-start", "Ben", '{ "connection" : "Sales", "rows" : "30" }'),
        ],
    ),
    ("recent_events", {}, [("notebook-start", 1)]),
    (
        "user_reports",
        {"labels": ["all"]},
        [(1, "Boom!", "ann", "ben", False, 2), (2, "Bang!", "cy", None, True, 1)],
    ),
    ("user_reports", {"labels": ["chem", "y"]}, [(1, "Boom!", "ann", "ben", False, 2)]),
    ("project_contents", {"project": "docking"}, [("Docking", "Orders", None), ("Docking", "Plates", "demo")]),
    ("this_and_previous_day", {"day": at(5, 0)}, [(8, 7, 4)]),
    ("inputs_of_a_project", {}, [("input", "plates"), ("input 2", "wells"), ("project", "docking")]),
    ("every_other_table", {}, [(0, 0, 0, 0, 0, 0, 0, 3, 0)]),
]
IDS = [f"{name}-{place}" for place, (name, _, _) in enumerate(CASES)]


@pytest.fixture(scope="module")
def filled(
    postgresql_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PostgreSQLStore, psycopg.Connection[Any]]]:
    """The platform of `support/small_platform.py`, stored; read only."""
    url = postgresql_server.create_database()
    store = PostgreSQLStore(url)
    store.write([Batches(tmp_path_factory.mktemp("journal")).of(platform.events())])
    with psycopg.connect(url) as connection:
        platform.fill(connection)
        connection.execute("ANALYZE")
        connection.commit()
        yield store, connection
    store.close()


def sent(sql: str, params: dict[str, Any], named: Callable[[str], str]) -> tuple[str, dict[str, Any]]:
    """The statement as a platform sends it: `@date(x)` as a range of x, `@name` as a parameter."""
    values = {name: value for name, value in params.items() if name != "date"}
    if "date" in params:
        values |= {"date_from": params["date"][0], "date_to": params["date"][1]}
    between = rf"(\1 >= {named('date_from')} and \1 < {named('date_to')})".replace("\\1", "\\g<1>")
    sql = re.sub(r"@date\(([\w.]+)\)", between, sql)
    return re.sub(r"@(\w+)", lambda found: named(found[1]), sql), values


@pytest.mark.parametrize(("name", "params", "expected"), CASES, ids=IDS)
def test_the_platforms_own_connection_gets_the_right_rows(
    filled: Any, name: str, params: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    """Lists arrive as untyped literals, as in SQL text, so that they meet uuid and text columns alike."""
    _, connection = filled
    sql, values = sent(QUERIES[name], params, lambda name: f"%({name})s")
    literals = {name: _array(value) if isinstance(value, list) else value for name, value in values.items()}
    with psycopg.ClientCursor(connection) as cursor:
        assert cursor.execute(sql, literals).fetchall() == expected


@pytest.mark.parametrize(("name", "params", "expected"), CASES, ids=IDS)
def test_whodids_console_gets_the_same_rows(
    filled: Any, name: str, params: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    store, _ = filled
    sql, values = sent(QUERIES[name], params, lambda name: f"${name}")
    answer = store.query(sql, values)
    assert [tuple(row.values()) for row in answer.table.to_pylist()] == expected


def test_every_query_is_asked() -> None:
    assert {name for name, _, _ in CASES} == set(QUERIES)


def test_the_tables_have_the_documented_columns(filled: Any) -> None:
    """Table, column and type as `columns.txt` lists them; `events` has further ones."""
    _, connection = filled
    rows = connection.execute(
        "SELECT table_name, column_name, CASE data_type WHEN 'ARRAY' THEN udt_name ELSE data_type END "
        "FROM information_schema.columns WHERE table_schema = 'public'"
    ).fetchall()
    found = {f"{table}.{column} {type_}" for table, column, type_ in rows}
    documented = set((Path(__file__).parent / "columns.txt").read_text().splitlines())
    assert not documented - found
    known_tables = {line.split(".")[0] for line in documented}
    assert {table for table, *_ in rows if not table.startswith("events_")} == known_tables


def _array(values: list[str]) -> str:
    return "{" + ",".join(f'"{value}"' for value in values) + "}"


def test_people_of_events_alone_are_found_by_their_groups(postgresql_url: str, tmp_path: Path) -> None:
    """Without anybody having made a user: sessions, users and their personal groups come from the events."""
    store = PostgreSQLStore(postgresql_url)
    directory = Directory.open(postgresql_url)
    directory.observe(store.write([Batches(tmp_path).of(platform.events())]).mentions)
    with psycopg.connect(postgresql_url) as connection:
        personal = connection.execute(
            "SELECT g.id::text FROM public.users u JOIN public.groups g ON g.id = u.group_id "
            "WHERE g.personal AND u.login IN ('ann', 'cy')"
        ).fetchall()
    sql, values = sent(
        QUERIES["unique_users_by_day"], {"date": MAY, "groups": [row[0] for row in personal]}, lambda name: f"${name}"
    )
    rows = store.query(sql, values).table.to_pylist()
    assert rows == [{"day": date(2026, 5, 4), "users": 1}, {"day": date(2026, 5, 5), "users": 2}]
    sql, values = sent(QUERIES["top_queries_by_uuid"], {"date": MAY}, lambda name: f"${name}")
    named = [(row["query"], row["runs"]) for row in store.query(sql, values).table.to_pylist()]
    assert named == [("Orders", 3), ("Stock", 1)]
    directory.close()
    store.close()


def test_things_of_events_alone_stand_in_the_tables_of_their_kind(postgresql_url: str, tmp_path: Path) -> None:
    things = {
        "projects": ("project", "SALES"),
        "packages": ("Package", "ChemTools"),
        "connections": ("DataConnection", "warehouse"),
        "queries": ("query", "orders"),
        "funcs": ("script", "dock"),
    }
    met = [event(type="seen", entities=[entity(kind, name, name)]) for kind, name in things.values()]
    renamed = event(type="seen", time=met[0].time + timedelta(days=1), entities=[entity("project", "SALES", "Sales")])
    store = PostgreSQLStore(postgresql_url)
    directory = Directory.open(postgresql_url)
    batches = Batches(tmp_path)
    for part in (met, [renamed]):
        directory.observe(store.write([batches.of(part)]).mentions)
    with psycopg.connect(postgresql_url) as connection:
        found = {
            table: [name for (name,) in connection.execute(f"SELECT name FROM public.{table} ORDER BY name")]
            for table in things
        }
    assert found == {
        "projects": ["Sales"],
        "packages": ["ChemTools"],
        "connections": ["warehouse"],
        "queries": ["orders"],
        "funcs": ["dock", "orders"],
    }
    directory.close()
    store.close()
