"""What the embedded store lets statements do: how far they reach, what they may take."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import duckdb
import pytest

from support.batches import Batches
from support.events import many
from whodid.errors import WhodidError
from whodid.stores import duckdb_load, duckdb_watch
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.duckdb_query import _reader


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SELECT * FROM read_text('https://example.org/')",
        "EXPORT DATABASE '{folder}/stolen'",
        "DELETE FROM events",
        "DROP TABLE events",
        "CREATE TABLE mine (a INTEGER)",
    ],
)
def test_the_engine_is_locked_in(store: DuckDBStore, batches: Batches, tmp_path: Path, sql: str) -> None:
    store.write([batches.of(many(2))])
    before = set(tmp_path.iterdir())
    with pytest.raises(WhodidError):
        store.query(sql.format(folder=tmp_path), trusted=True)
    assert set(tmp_path.iterdir()) == before
    assert store.stats().events == 2


def test_variables_of_the_program_are_no_relations(store: DuckDBStore) -> None:
    import pyarrow as pa

    secret = pa.table({"a": [1]})
    assert secret.num_rows == 1
    with pytest.raises(WhodidError):
        store.query("SELECT * FROM secret", trusted=True)


def test_times_are_utc_whatever_the_machine_thinks(path: Path, batches: Batches, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from whodid.stores.duckdb import DuckDBStore\n"
        "store = DuckDBStore(Path(sys.argv[1]), journal_path=Path(sys.argv[2]))\n"
        "sql = \"SELECT current_setting('TimeZone') AS zone, TIMESTAMPTZ '2026-01-01 00:00:00+00'::TIMESTAMP AS t\"\n"
        "row = store.query(sql, trusted=True).table.to_pylist()[0]; print(row['zone'], row['t']); store.close()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(path), str(batches.folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"TZ": "America/New_York", "PYTHONPATH": ":".join(sys.path)},
    )
    assert told.stdout.strip() == "UTC 2026-01-01 00:00:00"


def test_a_query_that_takes_too_much_memory_ends_and_others_go_on(path: Path, batches: Batches) -> None:
    store = DuckDBStore(path, journal_path=batches.folder, memory_bytes_max=128 * 1024**2)
    store.write([batches.of(many(500))])
    with pytest.raises(WhodidError) as refused:
        store.query("SELECT list(i) FROM range(1000000000) t(i)")
    assert refused.value.code in ("unavailable", "full")
    assert "duckdb_memory_bytes_max" in str(refused.value.hint)
    assert store.write([batches.of(many(5))]).events == 5
    assert store.stats().events == 505
    store.close()


def test_a_query_by_which_the_process_comes_to_hold_too_much_is_stopped(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = itertools.chain([1024**3], itertools.repeat(64 * 1024**3))
    monkeypatch.setattr(duckdb_watch, "_process_bytes", lambda: next(held))
    with pytest.raises(WhodidError, match="took too much memory") as refused:
        store.query("SELECT count(*) AS n FROM range(100000000000) t(i) WHERE i % 7 = 3", trusted=True)
    assert refused.value.code == "too_large"


def test_an_engine_that_gave_itself_up_is_opened_anew(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DuckDBStore(path, journal_path=batches.folder)
    store.write([batches.of(many(3))])
    batch = batches.of(many(4))

    def give_up(*_: object) -> None:
        store._connection.close()
        raise duckdb.FatalException("database has been invalidated because of a previous fatal error")

    with monkeypatch.context() as patched:
        patched.setattr(duckdb_load.Load, "finish", give_up)
        with pytest.raises(WhodidError) as failed:
            store.write([batch])
    assert failed.value.code == "unavailable"
    assert store.write([batch]).events == 4
    assert store.stats().events == 7
    store.close()


def test_an_answer_without_end_is_read_only_as_far_as_asked(store: DuckDBStore) -> None:
    answer = store.query("SELECT i FROM range(100000000000) t(i)", limit=1_000, timeout_ms=5_000)
    assert (answer.table.num_rows, answer.truncated) == (1_000, True)


def test_an_answer_is_the_same_whatever_way_the_client_has(store: DuckDBStore) -> None:
    sql = """SELECT range AS n, sum(range) AS s, TIMESTAMP '2026-01-01' AS t, ['a'] AS l, '{"a":1}'::JSON AS j,
             uuid() AS u FROM range(9000) WHERE range >= $from GROUP BY range ORDER BY range DESC"""
    with store._cursor() as cursor:
        short, kinds = _reader(cursor, sql, {"from": 7}, 2048)
        rows = short.read_all()
        plain = cast("duckdb.DuckDBPyConnection", SimpleNamespace(sql=cursor.sql))
        relation, kinds_of_relation = _reader(plain, sql, {"from": 7}, 2048)
        rows_of_relation = relation.read_all()

    assert rows["n"].to_pylist() == list(range(8999, 6, -1))
    assert rows.drop_columns("u") == rows_of_relation.drop_columns("u")
    assert rows.schema == rows_of_relation.schema
    assert kinds == kinds_of_relation == ["BIGINT", "HUGEINT", "TIMESTAMP", "VARCHAR[]", "JSON", "UUID"]


def test_an_answer_has_a_size(path: Path, batches: Batches) -> None:
    store = DuckDBStore(path, journal_path=batches.folder, memory_bytes_max=128 * 1024**2)
    with pytest.raises(WhodidError) as refused:
        store.query("SELECT repeat('x', 100000) AS x FROM range(100000)", limit=100_000, trusted=True)
    assert refused.value.code == "too_large"
    store.close()
