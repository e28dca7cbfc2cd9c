"""What the embedded store does beyond the contract: its file, its upgrades, its fences, its ways of loading."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from support.batches import RECEIVED_AT, Batches
from support.events import entity, event, many
from whodid.errors import WhodidError
from whodid.journal.base import Draft
from whodid.stores import duckdb_careful, duckdb_load, migrate
from whodid.stores.base import COLUMNS, WORKED_OUT
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.duckdb_load import _neighbours
from whodid.stores.duckdb_query import _Watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.duckdb"


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    return Batches(tmp_path / "journal")


@pytest.fixture
def store(path: Path, batches: Batches) -> Iterator[DuckDBStore]:
    store = DuckDBStore(path, journal_path=batches.folder)
    yield store
    store.close()


def rows(store: DuckDBStore, sql: str, params: Any = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.query(sql, params, trusted=True).table.to_pylist()
    return found


ALIKE = [*many(40), event(entities=[entity("a", "1"), entity("b", "2")], description="ü", duration_ms=1.5)]

# The file


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


# Fences of the engine itself, behind the guard


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
    # "too_large": the process as a whole, with all that the tests hold, was over its bound first.
    assert refused.value.code in ("unavailable", "full", "too_large")
    assert refused.value.code == "too_large" or "duckdb_memory_bytes_max" in str(refused.value.hint)
    assert store.write([batches.of(many(5))]).events == 5
    assert store.stats().events == 505
    store.close()


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


def test_an_answer_has_a_size(path: Path, batches: Batches) -> None:
    store = DuckDBStore(path, journal_path=batches.folder, memory_bytes_max=128 * 1024**2)
    with pytest.raises(WhodidError) as refused:
        store.query("SELECT repeat('x', 100000) AS x FROM range(100000)", limit=100_000, trusted=True)
    assert refused.value.code == "too_large"
    store.close()


def test_a_process_that_holds_too_much_stops_the_statement() -> None:
    stopped = threading.Event()
    with _Watch(stopped.set, timeout_ms=60_000, process_bytes_max=1) as watch:
        assert stopped.wait(10)
    assert watch.too_large


# Loading


def test_segments_are_loaded_by_the_engine_and_not_event_by_event(
    store: DuckDBStore, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_careful, "stage", None)
    assert store.write([batches.of(many(1_200)), batches.of(many(3))]).events == 1_203


def test_events_are_stored_alike_whether_read_from_an_array_or_from_frames(tmp_path: Path) -> None:
    stored = []
    for way in ("array", "frames"):
        batches = Batches(tmp_path / way)
        store = DuckDBStore(tmp_path / f"{way}.duckdb", journal_path=batches.folder)
        made = [
            Draft(
                received_at=RECEIVED_AT + timedelta(seconds=start),
                events=msgspec.json.encode(ALIKE[start : start + 10]),
                count=len(ALIKE[start : start + 10]),
                orig_address=f"10.0.0.{start}" if start else None,
            )
            for start in range(0, len(ALIKE), 10)
        ]
        batch = batches.of_drafts(made)
        assert batch.array() is not None
        if way == "frames":
            batch.array = lambda: None  # type: ignore[method-assign]
        assert store.write([batch]).events == len(ALIKE)
        stored.append(rows(store, "SELECT * FROM events ORDER BY seq"))
        store.close()
    assert stored[0] == stored[1]
    assert [row["seq"] for row in stored[0]] == list(range(1, len(ALIKE) + 1))
    assert [row["id"] for row in stored[0]] == [each.id for each in ALIKE]
    assert stored[0][-1]["orig_address"] == "10.0.0.40"


def test_what_large_loads_left_is_there_again_and_goes_on(tmp_path: Path, batches: Batches) -> None:
    path = tmp_path / "events.duckdb"
    made = [many(1_000) for _ in range(3)]
    store = DuckDBStore(path, journal_path=batches.folder, bulk=True)
    for events in made[:2]:
        assert store.write([batches.of(events)]).events == 1_000
    store.close()
    again = DuckDBStore(path, journal_path=batches.folder)
    assert again.write([batches.of(made[2])]).events == 1_000
    stored = rows(again, "SELECT id FROM events ORDER BY seq")
    again.close()
    assert [row["id"] for row in stored] == [event.id for events in made for event in events]


@pytest.mark.parametrize("reason", ["bulk", "behind"])
def test_segments_that_are_read_two_at_once_keep_their_numbers(
    tmp_path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "behind":
        monkeypatch.setattr(duckdb_load, "BEHIND_EVENTS_MIN", 100)
    store = DuckDBStore(tmp_path / "events.duckdb", journal_path=batches.folder, bulk=reason == "bulk")
    made = [many(count) for count in (30, 5, 25, 20, 40)]
    assert store.write([batches.of(events) for events in made]).events == 120
    stored = rows(store, "SELECT id FROM events ORDER BY seq")
    store.close()
    assert [row["id"] for row in stored] == [event.id for events in made for event in events]


def test_one_segment_the_reader_refuses_does_not_hold_up_its_neighbours(store: DuckDBStore, batches: Batches) -> None:
    before = batches.of(many(3))
    twice = '{"id":"019f1b73-c5f6-7571-b381-62aaf0824765","time":"2026-05-04T09:00:00Z","type":"a","type":"b"}'
    refused = batches.of_raw(twice)
    after = batches.of(many(4))
    written = store.write([before, refused, after])
    assert (written.events, written.rejects) == (8, 0)
    assert rows(store, "SELECT type FROM events WHERE seq = 4") == [{"type": "b"}]
    assert store.position("receiver-a") == 3


def test_an_event_that_fails_alone_is_kept_whole_with_its_reason(store: DuckDBStore, batches: Batches) -> None:
    bad = event(session="not a uuid", user="ann", parameters={"a": 1})
    written = store.write([batches.of([event(), bad, event()])])
    assert (written.events, written.rejects) == (2, 1)
    (reject,) = rows(store, 'SELECT code, message, raw, "index", seq, receiver FROM rejected_events')
    assert reject["code"] == "invalid"
    assert "not a uuid" in reject["message"]
    raw = json.loads(reject["raw"])
    assert (raw["id"], raw["user"], raw["parameters"]) == (bad.id, "ann", {"a": 1})
    assert (reject["index"], reject["receiver"]) == (1, "receiver-a")


def test_lines_longer_than_usual_are_read_too(
    store: DuckDBStore, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_careful, "stage", None)
    wide = [event(number, parameters={"text": "x" * 900_000}) for number in range(15)]
    assert store.write([batches.of(wide)]).events == 15


def test_little_memory_is_enough_for_long_lines(path: Path, batches: Batches) -> None:
    store = DuckDBStore(path, journal_path=batches.folder, memory_bytes_max=96 * 1024**2)
    wide = [event(number, parameters={"text": "x" * 900_000}) for number in range(12)]
    assert store.write([batches.of(wide)]).events == 12
    store.close()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{}", "{}"),
        (b"null", "{}"),
        (b'{"a":1,"a":2}', '{"a":2}'),
        (b'{"a":123456789012345678901234567890}', '{"a":123456789012345678901234567890}'),
        (b'{"a":1e999}', '{"a":"1e999"}'),
        (b'{"a":1.0}', '{"a":1.0}'),
        (b'{"a":"x\\u0000y"}', '{"a":"x\ufffdy"}'),
        (b'{"a\\u0000":1}', '{"a\ufffd":1}'),
        (b'{"a":"\\\\u0000"}', '{"a":"\\\\u0000"}'),
        (b'{"a":"x\\ud800y"}', '{"a":"x?y"}'),
        ('{"a":"\\ud83d\\ude00é"}'.encode(), '{"a":"😀é"}'),
    ],
)
def test_the_careful_way_mends_json(raw: bytes, expected: str) -> None:
    assert duckdb_careful.mended(raw) == expected


def test_late_ids_are_looked_for_near_their_time_only() -> None:
    near = [f"{number:06x}" for number in range(100, 110)]
    assert _neighbours(near, 16) == [near]
    assert _neighbours(["000001", *near], 16) == [["000001"], near]
    far_apart = [f"{number * 1000:06x}" for number in range(40)]
    groups = _neighbours(far_apart, 16)
    assert len(groups) == 16
    assert [prefix for group in groups for prefix in group] == far_apart


def test_a_repeat_far_in_the_past_is_found_among_recent_events(store: DuckDBStore, batches: Batches) -> None:
    old = [event(number * 86_400, entities=[entity("a", "1"), entity("b", "2")]) for number in range(60)]
    store.write([batches.of(old)])
    recent = [event(61 * 86_400 + number) for number in range(5)]
    written = store.write([batches.of([old[3], *recent, old[40]])])
    assert (written.events, written.duplicates) == (5, 2)
    assert rows(store, "SELECT count(*) AS n FROM event_entities") == [{"n": 60}]


def test_own_rows_are_told_from_stored_ones(store: DuckDBStore, batches: Batches) -> None:
    """The row ids of a transaction's own rows are an inner matter of the engine: it has to stay as it is."""
    store.write([batches.of(many(3))])
    connection = store._connection
    connection.execute("BEGIN")
    connection.execute("INSERT INTO events FROM events")
    found = connection.execute(
        "SELECT count(*) FILTER (rowid >= $own), count(*) FILTER (rowid < $own) FROM events",
        {"own": duckdb_load.OWN_ROWS},
    ).fetchall()
    connection.execute("ROLLBACK")
    assert found == [(3, 3)]


def test_a_large_load_with_repeats_among_stored_and_own_rows_is_exact(store: DuckDBStore, batches: Batches) -> None:
    """More than a row group (122,880 rows), so that rows are on disk before the repeats are taken out."""
    first = many(62_000)
    store.write([batches.of(first)])
    fresh = many(62_000)
    written = store.write([batches.of([*fresh, *first]), batches.of(fresh[:1_000])])
    assert (written.events, written.duplicates) == (62_000, 63_000)
    (counts,) = rows(store, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events")
    assert counts == {"n": 124_000, "ids": 124_000}
