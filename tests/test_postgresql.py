"""Connections to PostgreSQL: a server that stands still is not waited for without end."""

from __future__ import annotations

import time

import psycopg
import pytest

from support.postgresql import PostgreSQLServer
from whodid import postgresql
from whodid.directory import database
from whodid.errors import WhodidError
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql


def test_a_server_that_stands_still_is_given_up(own_postgresql_server: PostgreSQLServer) -> None:
    with postgresql.connect(own_postgresql_server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with own_postgresql_server.frozen(), connection.within(0.3):
            with pytest.raises(psycopg.OperationalError, match="said nothing"):
                connection.execute("SELECT 1")
            assert connection.closed, "what it says later is no answer to anything else"


def test_a_server_that_is_at_work_is_waited_for(postgresql_url: str) -> None:
    with postgresql.connect(postgresql_url) as connection:
        with connection.within(0.3):
            rows = connection.cursor().stream(
                "SELECT repeat('x', 10000), pg_sleep(0.1) FROM generate_series(1, 6)", size=1
            )
            assert len(list(rows)) == 6, "it says something before its time is over, again and again"
        assert connection.execute("SELECT pg_sleep(0.4)").fetchone(), "without a bound as long as it takes"


def test_the_store_gives_up_connections_that_stand_still(
    own_postgresql_server: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.stores.postgresql_query.SILENT_S", 0.2)
    monkeypatch.setattr("whodid.stores.postgresql_connect.IDLE_ANSWERS_S", 0.2)
    monkeypatch.setattr("whodid.stores.postgresql.ASKED_SILENT_S", 0.2)
    monkeypatch.setattr("whodid.postgresql.CONNECT_TIMEOUT_S", 2)
    store = PostgreSQLStore(own_postgresql_server.create_database())
    with own_postgresql_server.frozen():
        began_s = time.monotonic()
        with pytest.raises(WhodidError, match="does not answer"):
            store.query("SELECT 1", timeout_ms=100)
        with pytest.raises(WhodidError, match="does not answer"):
            store.stats()
        assert time.monotonic() - began_s < 10
    assert store.query("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    store.close()


def test_the_directory_gives_up_connections_that_stand_still(
    own_postgresql_server: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "SILENT_S", 0.2)
    monkeypatch.setattr("whodid.postgresql.CONNECT_TIMEOUT_S", 2)
    url = own_postgresql_server.create_database()
    PostgreSQLStore(url).close()
    directory = database.Database(database.open_engine(url), None)
    with directory.reading() as held:
        assert held.exec_driver_sql("SELECT 1").scalar() == 1
    began_s = time.monotonic()
    with (
        own_postgresql_server.frozen(),
        pytest.raises(WhodidError, match="did not answer"),
        directory.reading() as held,
    ):
        held.exec_driver_sql("SELECT 1")
    assert time.monotonic() - began_s < 10
    with directory.reading() as held:
        assert held.exec_driver_sql("SELECT 1").scalar() == 1
    directory.close()


def test_a_directory_that_ends_waits_less_for_a_database_that_stands_still(
    own_postgresql_server: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ENDING_SILENT_S", 0.2)
    url = own_postgresql_server.create_database()
    PostgreSQLStore(url).close()
    directory = database.Database(database.open_engine(url), None)
    with directory.reading() as held:
        assert held.exec_driver_sql("SELECT 1").scalar() == 1
    directory.hasten()
    with directory.reading() as held:
        assert held.exec_driver_sql("SELECT 1").scalar() == 1, "one that answers is asked as before"
    with own_postgresql_server.frozen():
        for _ in range(2):
            began_s = time.monotonic()
            with pytest.raises(WhodidError, match="not answer"), directory.writing() as held:
                held.exec_driver_sql("SELECT 1")
            assert time.monotonic() - began_s < 5
    directory.close()
