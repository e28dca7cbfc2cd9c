"""What the embedded store does beyond the contract: its file and its upgrades."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from support.batches import Batches
from support.duckdb_store import rows
from support.events import entity, event, many
from whodid.errors import WhodidError
from whodid.stores import duckdb_hours, migrate
from whodid.stores.base import COLUMNS, WORKED_OUT
from whodid.stores.duckdb import DuckDBStore

# What later migrations made, in the order in which it can be dropped.
MADE_BY = {
    "flow_days": ("VIEW flow_days", "VIEW counted_flow_days", "TABLE kept_flow_days", "VIEW told_flow_days"),
    "error_entities": ("VIEW error_entities", "TABLE kept_error_entities", "VIEW told_error_entities"),
    "pods_by_hour": (
        "VIEW pod_hours", "TABLE kept_pod_hours", "VIEW told_pod_hours", "VIEW open_pods", "TABLE pods_closed",
    ),
}  # fmt: skip


def test_columns_are_those_of_the_contract(store: DuckDBStore) -> None:
    kinds = {row["column_name"]: row["column_type"].lower() for row in rows(store, "DESCRIBE events")}
    assert list(kinds.items()) == [(column.name, column.sql_type) for column in (*COLUMNS, *WORKED_OUT)]


def test_closing_leaves_one_file_with_everything_in_it(store: DuckDBStore, path: Path, batches: Batches) -> None:
    store.write([batches.of(many(10))])
    store.close()
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == [path.name]
    again = DuckDBStore(path, journal_path=batches.folder)
    assert again.stats().events == 10
    again.close()


def test_what_the_engine_holds_is_told_by_what_it_is_for(path: Path, batches: Batches) -> None:
    store = DuckDBStore(path, journal_path=batches.folder)
    store.write([batches.of(many(3_000))])
    held = store.stats().memory_bytes
    assert held["in_memory_table"] > 100_000, "what is not in the file yet"
    store.close()
    again = DuckDBStore(path, journal_path=batches.folder, memory_bytes_max=64 * 1024**2)
    again.query("SELECT count(DISTINCT id) AS n FROM events")
    held = again.stats().memory_bytes
    assert held["base_table"] > held.get("in_memory_table", 0), "pages of the file"
    assert sum(held.values()) < 64 * 1024**2
    again.close()


def test_many_small_sessions_leave_few_row_groups(path: Path, batches: Batches) -> None:
    for _ in range(12):
        store = DuckDBStore(path, journal_path=batches.folder)
        store.write([batches.of(many(20))])
        store.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('events')").fetchone()
    assert found is not None and found[0] <= 3


def test_a_second_process_is_told_that_the_store_is_taken(store: DuckDBStore, path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from whodid.stores.duckdb import DuckDBStore; "
        "from whodid.errors import WhodidError\n"
        "try: DuckDBStore(Path(sys.argv[1]), journal_path=Path('journal'))\n"
        "except WhodidError as problem: print(problem.code, problem.message)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.startswith("conflict Another process")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"x" * len(whole),
        lambda whole: whole[:100_000],
        lambda whole: whole[:13_000] + b"x" * 1_000 + whole[14_000:],
        lambda whole: whole[:100_000] + bytes(len(whole) - 100_000),
    ],
    ids=["no store", "cut off", "damaged at its beginning", "damaged further on"],
)
def test_a_damaged_file_says_how_to_go_on(path: Path, batches: Batches, damage: Callable[[bytes], bytes]) -> None:
    store = DuckDBStore(path, journal_path=batches.folder)
    store.write([batches.of(many(1_000))])
    store.close()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WhodidError, match="The store is damaged") as caught:
        DuckDBStore(path, journal_path=batches.folder)
    assert caught.value.code == "internal" and "put a copy of both back" in (caught.value.hint or "")


def test_an_older_file_is_upgraded_without_loss(path: Path, batches: Batches) -> None:
    first = migrate.migrations("duckdb")[0]
    old = duckdb.connect(str(path))
    old.execute("CREATE TABLE migrations (number INTEGER PRIMARY KEY, name VARCHAR, applied_at TIMESTAMP)")
    old.execute(first.sql)
    old.execute("INSERT INTO migrations VALUES (1, ?, now()::TIMESTAMP)", [first.name])
    entities = [{"type": "project", "id": "p"}, {"type": "query", "id": "q", "name": "Q", "role": "input"}]
    old.execute(
        "INSERT INTO events (id, time, received_at, type, level, topic, source, entities, parameters, format, "
        "receiver, seq) VALUES (uuid(), '2026-01-01', '2026-01-01', 't', 'audit', 'generic', 'client', ?, '{}', "
        "'native', 'receiver-a', 1)",
        [json.dumps(entities)],
    )
    old.execute("INSERT INTO journal_position VALUES ('receiver-a', 7)")
    old.close()
    store = DuckDBStore(path, journal_path=batches.folder)
    assert store.stats().version == len(migrate.migrations("duckdb"))
    assert (store.stats().events, store.position("receiver-a")) == (1, 7)
    (found,) = rows(store, "SELECT type, id, name, role FROM event_entities")
    assert found == {"type": "query", "id": "q", "name": "Q", "role": "input"}
    assert rows(store, "SELECT project FROM events") == [{"project": "p"}]
    store.close()


def make_older(path: Path, name: str) -> None:
    """Take back the migration of this name and those after it."""
    places = {migration.name: place for place, migration in enumerate(migrate.migrations("duckdb"))}
    with duckdb.connect(str(path)) as old:
        for later, objects in MADE_BY.items():
            if places[later] >= places[name]:
                for made in objects:
                    old.execute(f"DROP {made}")
        old.execute("DELETE FROM migrations WHERE number > ?", [places[name]])


def test_what_errors_of_an_older_file_touched_is_kept(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)
    things = [entity("dataset", "A.b"), entity("project", "A"), entity("recipe", "c")]
    store = DuckDBStore(path, journal_path=batches.folder)
    store.write([batches.of([event(0, level="error", entities=things), event(1, entities=things)])])
    store.rest()
    store.close()
    make_older(path, "error_entities")
    store = DuckDBStore(path, journal_path=batches.folder)
    kept = rows(store, "SELECT level || ' ' || type || ':' || id AS thing FROM kept_error_entities ORDER BY type")
    assert [row["thing"] for row in kept] == ["error project:A", "error recipe:c"]
    store.close()


def test_flows_of_an_older_file_are_counted_by_the_day(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)
    flow = [entity("dataset", "A.b", role="input"), entity("dataset", "A.c", role="output")]
    store = DuckDBStore(path, journal_path=batches.folder)
    hours_of_people = ((0, "ann"), (3_600, "bob"), (7_200, "ann"), (86_400, "bob"))
    store.write([batches.of([event(at, user=user, entities=flow) for at, user in hours_of_people])])
    store.rest()
    store.close()
    make_older(path, "flow_days")
    store = DuckDBStore(path, journal_path=batches.folder)
    kept = rows(store, "SELECT CAST(day AS varchar) AS day, events FROM kept_flow_days ORDER BY day")
    assert [tuple(row.values()) for row in kept] == [("2026-05-04 00:00:00", 3), ("2026-05-05 00:00:00", 1)]
    store.close()


def test_pods_of_an_older_file_are_counted_by_the_hour(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)
    store = DuckDBStore(path, journal_path=batches.folder)
    pods = {"clusterId": "k", "podsStatus": {"pods": [{"name": "a", "memoryMB": 36864}]}}
    kind = {"topic": "compute-resource-usage", "type": "kubernetes-cluster-usage-status"}
    store.write([batches.of([event(number * 600, parameters=pods, **kind) for number in range(30)])])
    store.rest()
    counted = rows(store, "SELECT * FROM pod_hours ORDER BY ALL")
    store.close()
    make_older(path, "pods_by_hour")
    DuckDBStore(path, journal_path=batches.folder).close()
    with duckdb.connect(str(path)) as upgraded:
        kept = upgraded.execute(
            "SELECT CAST(hour AS varchar), sum(memory_gb_h) FROM kept_pod_hours GROUP BY ALL"
        ).fetchall()
    # The last of the five hours may still change.
    assert dict(kept) == {f"2026-05-04 {hour:02}:00:00": pytest.approx(36) for hour in (9, 10, 11, 12)}
    store = DuckDBStore(path, journal_path=batches.folder)
    assert rows(store, "SELECT * FROM pod_hours ORDER BY ALL") == counted
    store.close()


def test_what_an_older_file_keeps_of_events_that_are_in_no_flow_is_dropped(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)
    store = DuckDBStore(path, journal_path=batches.folder)
    store.write([batches.of([event(1, entities=[entity("dataset", "A.b", role="input")])])])
    store.rest()
    store.close()
    old = duckdb.connect(str(path))
    for role in ("query", "r\\u0065ad"):
        old.execute(
            "INSERT INTO kept_flow_hours BY NAME SELECT * REPLACE (replace(touched, 'input', ?) AS touched) "
            "FROM kept_flow_hours WHERE contains(touched, 'input')",
            [role],
        )
    (migration,) = (one for one in migrate.migrations("duckdb") if one.name == "flow_roles")
    old.execute(migration.sql)
    told = old.execute("SELECT touched ->> '$[0].role' FROM kept_flow_hours ORDER BY 1").fetchall()
    assert told == [("input",), ("read",)]
    old.close()
    again = DuckDBStore(path, journal_path=batches.folder)
    assert rows(again, "SELECT count(*) AS n FROM flow_hours") == [{"n": 2}]
    again.close()


def test_an_older_file_that_told_own_actions_otherwise_is_counted_anew(
    path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)
    told = {"projectKey": "", "jobId": "Build_1"}
    store = DuckDBStore(path, journal_path=batches.folder)
    store.write([batches.of([event(1, node_type="design", parameters=told), event(2, node_type="design")])])
    store.rest()
    store.close()
    make_older(path, "own_actions")
    with duckdb.connect(str(path)) as old:
        old.execute("UPDATE events SET project = '' WHERE contains(parameters::VARCHAR, 'jobId')")
        for kept in ("kept_thing_hours", "kept_thing_days"):
            old.execute(f"UPDATE {kept} SET by_hand = TRUE, project = CASE WHEN NOT by_hand THEN '' END")
    store = DuckDBStore(path, journal_path=batches.folder)
    for relation in ("thing_hours", "thing_days"):
        found = rows(store, f"SELECT by_hand, project, events FROM {relation} ORDER BY by_hand")
        assert found == [{"by_hand": is_own, "project": None, "events": 1} for is_own in (False, True)]
    assert rows(store, "SELECT count(project) AS n FROM events") == [{"n": 0}]
    store.close()


def test_an_older_file_tells_of_each_run_once(path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DuckDBStore(path, journal_path=batches.folder)
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 0)
    store.write([batches.of([event(1, duration_ms=5.0), event(2)])])
    store.rest()
    monkeypatch.undo()
    store.write([batches.of([event(3, duration_ms=7.0, status="failed")])])
    store.close()
    old = duckdb.connect(str(path))
    for relation in ("VIEW run_hours", "VIEW counted_run_hours", "TABLE kept_run_hours", "VIEW told_run_hours"):
        old.execute(f"DROP {relation}")
    (migration,) = (one for one in migrate.migrations("duckdb") if one.name == "runs")
    old.execute(migration.sql)
    sql = "SELECT duration_ms, failed FROM {} ORDER BY 1"
    assert old.execute(sql.format("counted_run_hours")).fetchall() == [(5.0, 0)]
    assert old.execute(sql.format("run_hours")).fetchall() == [(5.0, 0), (7.0, 1)]
    old.close()


def test_a_migration_that_fails_changes_nothing(
    path: Path, batches: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DuckDBStore(path, journal_path=batches.folder).close()
    folder = tmp_path / "sql"
    shutil.copytree(migrate.FOLDER, folder)
    number = len(migrate.migrations("duckdb")) + 1
    broken = folder / "duckdb" / f"{number:04d}_broken.sql"
    broken.write_text("CREATE TABLE half_done (a INTEGER); SELECT no_such_function();")
    monkeypatch.setattr(migrate, "FOLDER", folder)
    with pytest.raises(duckdb.Error):
        DuckDBStore(path, journal_path=batches.folder)
    broken.unlink()
    store = DuckDBStore(path, journal_path=batches.folder)
    assert store.stats().version == number - 1
    assert rows(store, "SELECT * FROM duckdb_tables() WHERE table_name = 'half_done'") == []
    store.close()


def test_a_newer_file_is_refused_and_left_alone(path: Path, batches: Batches) -> None:
    DuckDBStore(path, journal_path=batches.folder).close()
    newer = duckdb.connect(str(path))
    newer.execute("INSERT INTO migrations VALUES (99, 'from_the_future', now()::TIMESTAMP)")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(WhodidError) as refused:
        DuckDBStore(path, journal_path=batches.folder)
    assert refused.value.code == "conflict"
    assert "99" in refused.value.message
    assert path.read_bytes() == before


def test_migrations_have_no_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "duckdb").mkdir()
    for name in ("0001_one.sql", "0003_three.sql"):
        (tmp_path / "duckdb" / name).write_text("SELECT 1")
    monkeypatch.setattr(migrate, "FOLDER", tmp_path)
    with pytest.raises(WhodidError, match="gaps"):
        migrate.migrations("duckdb")
