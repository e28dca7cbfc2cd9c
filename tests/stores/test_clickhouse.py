"""What the ClickHouse store alone has to do: turns, tokens, merges, limits of age."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from support.batches import Batches
from support.clickhouse import ClickHouseServer
from support.clickhouse_session import database_of, session_of
from support.events import START, entity, event, many
from support.stores import ids, rows
from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.stores import clickhouse_turns, migrate
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_client import Clients
from whodid.stores.clickhouse_query import may_use_projections
from whodid.stores.clickhouse_schema import statements
from whodid.stores.clickhouse_turns import Turns, condition
from whodid.stores.clickhouse_words import translated

HASH = "e0e0e0e0-0000-5000-8000-000000000001"
ERRORS = "SELECT error_hash, count(*) AS n FROM events WHERE error_hash IS NOT NULL GROUP BY error_hash"


def plan_of(url: str, sql: str) -> str:
    """What the engine would read for a question, with the settings with which it is asked."""
    with Clients(parse(url)).one() as client:
        settings = {"optimize_use_projections": int(may_use_projections(sql))}
        return client.raw_query(f"EXPLAIN {translated(sql)}", settings=settings, fmt="TSV").decode()


def write_errors(url: str, server: ClickHouseServer, folder: Path, *levels: str) -> ClickHouseStore:
    """A store with an error of each of the levels, among so many other events that the engine reads these last."""
    store = ClickHouseStore(url)
    store.write([Batches(folder).of([event(at, level=level, error_hash=HASH) for at, level in enumerate(levels)])])
    others = f"SELECT generateUUIDv4(), toDateTime64('{START:%Y-%m-%d %H:%M:%S}', 6, 'UTC') FROM numbers(20000)"
    server.run(f"INSERT INTO {database_of(url)}.events (id, time) {others}")
    server.run(f"OPTIMIZE TABLE {database_of(url)}.events FINAL")
    return store


# Once, whatever happens


def test_a_statement_sent_again_changes_nothing(clickhouse_url: str, tmp_path: Path) -> None:
    """The same insert under its token, as a driver's or a balancer's retry would send it."""
    store = ClickHouseStore(clickhouse_url)
    batches = Batches(tmp_path)
    store.write([batches.of(many(20))])
    session = session_of(clickhouse_url)
    session.run("CREATE TEMPORARY TABLE copy ENGINE = Memory AS SELECT * FROM events")
    for _ in range(2):
        session.run("INSERT INTO events SELECT * FROM copy", insert_deduplication_token="one:1-1:x")
    assert rows(store, "SELECT count(*) AS n FROM events") == [{"n": 40}]
    session.close()
    store.close()


def test_doubles_that_came_in_behind_the_stores_back_go_with_a_merge_and_counts_with_them(
    clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path
) -> None:
    store = ClickHouseStore(clickhouse_url)
    store.write([Batches(tmp_path).of(many(30, user="ann"))])
    database = database_of(clickhouse_url)
    counted = "SELECT sum(events) AS n FROM user_hours"
    clickhouse_server.run(f"SYSTEM STOP MERGES {database}.events")
    clickhouse_server.run(f"INSERT INTO {database}.events SELECT * FROM {database}.events")
    raw = rows(store, "SELECT count(*) AS n FROM events")
    assert rows(store, counted) == raw == [{"n": 60}]
    clickhouse_server.run(f"SYSTEM START MERGES {database}.events")
    clickhouse_server.run(f"OPTIMIZE TABLE {database}.events FINAL")
    assert rows(store, counted) == rows(store, "SELECT count(*) AS n FROM events") == [{"n": 30}]
    store.close()


@pytest.mark.crash
def test_what_a_crash_left_between_rows_and_position_counts_as_the_writes_own(
    clickhouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is told of those events then, and nothing is there twice: neither entities nor rejections."""
    store = ClickHouseStore(clickhouse_url)
    batches = Batches(tmp_path)
    things = [entity("project", "p"), entity("query", "q")]
    batch = batches.of(
        many(5, user="ann", entities=things), rejects=[Rejection(index=0, code="invalid", message="No.")]
    )

    class Died(BaseException):
        pass

    def die(name: str) -> None:
        if name == "clickhouse.rows-written":
            raise Died

    with monkeypatch.context() as patched:
        patched.setattr("whodid.stores.clickhouse_load.point", die)
        with pytest.raises(Died):
            store.write([batch])
    store.close()
    store = ClickHouseStore(clickhouse_url)
    assert store.position("receiver-a") == 0
    written = store.write([batch, batches.of([event(9)])])
    assert (written.events, written.duplicates) == (6, 0)
    assert [seen.login for seen in written.mentions.users] == ["ann"]
    assert rows(store, "SELECT count(*) AS n FROM event_entities") == [{"n": 5}]
    assert (store.stats().events, store.stats().rejects) == (6, 1)
    store.close()


def test_the_next_load_is_brought_beside_the_one_that_is_stored(
    clickhouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails in a later load leaves the earlier ones stored, and nothing of itself."""
    monkeypatch.setattr("whodid.stores.clickhouse.LOAD_BYTES_MAX", 1)
    store = ClickHouseStore(clickhouse_url)
    batches = Batches(tmp_path)
    sent = many(6)
    five = [batches.of(sent[number : number + 2]) for number in range(5)]
    assert five[3].path is not None
    lines = five[3].path.read_bytes()
    five[3].path.unlink()
    with pytest.raises(FileNotFoundError):
        store.write(five)
    assert (store.position("receiver-a"), store.stats().events) == (3, 4)
    five[3].path.write_bytes(lines)
    written = store.write(five[3:])
    assert (written.events, written.duplicates, len(ids(store))) == (2, 2, 6)
    store.close()


# Turns


def test_of_all_who_want_a_turn_one_gets_it_at_a_time(clickhouse_url: str) -> None:
    ClickHouseStore(clickhouse_url).close()
    taken: list[tuple[int, str]] = []
    inside: list[str] = []
    overlaps: list[str] = []

    def take(name: str) -> None:
        session, turns = session_of(clickhouse_url), Turns()
        for _ in range(3):
            turn = turns.take(session)
            overlaps.extend(inside)
            inside.append(name)
            taken.append((turn, name))
            inside.remove(name)
            turns.give(session, turn)
        session.close()

    threads = [threading.Thread(target=take, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(turn for turn, _ in taken) == list(range(1, 10))
    assert not overlaps


def test_whose_turn_was_taken_away_can_write_nothing_more(clickhouse_url: str) -> None:
    ClickHouseStore(clickhouse_url).close()
    slow, quick = session_of(clickhouse_url), session_of(clickhouse_url)
    turn = Turns().take(slow)
    Turns().take(quick, wait_s=0.0)
    with pytest.raises(Exception, match="another writer has taken the turn"):
        slow.run(f"INSERT INTO journal_position SELECT 'r', 1, 'w', now64(6) WHERE {condition(turn)}")
    assert slow.rows("SELECT count() FROM journal_position") == [(0,)]
    slow.close()
    quick.close()


def test_taking_a_turn_ends_what_its_holder_still_does(clickhouse_url: str) -> None:
    ClickHouseStore(clickhouse_url).close()
    slow, quick = session_of(clickhouse_url), session_of(clickhouse_url)
    turn = Turns().take(slow)
    ended: list[str] = []

    def write_on() -> None:
        try:
            slow.run(
                "INSERT INTO journal_position SELECT toString(number), 1, 'w', now64(6) FROM numbers(3) WHERE "
                f"sleepEachRow(3) = 0 AND {condition(turn)} SETTINGS function_sleep_max_microseconds_per_block = 0"
            )
        except Exception as problem:
            ended.append(str(problem))

    writing = threading.Thread(target=write_on)
    writing.start()
    deadline = time.monotonic() + 20
    running = f"SELECT count() FROM system.processes WHERE position(query, 'whodid turn {turn} ') > 0"
    while quick.rows(f"{running} AND query LIKE 'INSERT%'")[0][0] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    Turns().take(quick, wait_s=0.0)
    writing.join(timeout=30)
    assert ended
    assert quick.rows("SELECT count() FROM journal_position") == [(0,)]
    slow.close()
    quick.close()


def test_a_writer_of_this_machine_that_died_is_not_waited_for(
    clickhouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClickHouseStore(clickhouse_url)
    session = session_of(clickhouse_url)
    dead = Turns()
    dead.writer = f"{clickhouse_turns._HOST}:{2**22 + 1}:gone"
    dead.take(session)
    began = time.monotonic()
    assert store.write([Batches(tmp_path).of(many(3))]).events == 3
    assert time.monotonic() - began < clickhouse_turns.TURN_S / 2
    session.close()
    store.close()


def test_two_writers_of_one_name_lose_nothing(clickhouse_url: str, tmp_path: Path) -> None:
    """A data folder and its copy, each with a journal of its own from the same number on."""
    one, copy = ClickHouseStore(clickhouse_url), ClickHouseStore(clickhouse_url)
    ours, theirs = Batches(tmp_path / "a", "same"), Batches(tmp_path / "b", "same")
    assert one.position("same") == copy.position("same") == 0
    one.write([ours.of(many(3))])
    theirs_first = theirs.of([event(50, user="copied")])
    for _ in range(2):
        with pytest.raises(WhodidError) as refused:
            copy.write([theirs_first])
        assert refused.value.code == "unavailable"
        assert "stores as 'same', too" in str(refused.value)
        assert refused.value.hint is not None
        assert "stop one of the two" in refused.value.hint
    one.write([ours.of(many(2))])
    assert one.stats().events == 5
    one.close()
    copy.close()


def test_one_that_takes_over_from_itself_goes_on(clickhouse_url: str, tmp_path: Path) -> None:
    """A process that seemed dead stores its batch after the next one has asked for the position."""
    old, new = ClickHouseStore(clickhouse_url), ClickHouseStore(clickhouse_url)
    batches = Batches(tmp_path)
    first, second = batches.of(many(3)), batches.of([event(60)])
    assert new.position("receiver-a") == 0
    old.write([first])
    assert new.write([first, second]).events == 1
    assert len(ids(new)) == 4
    old.close()
    new.close()


# What the engine does by itself


def test_the_engines_own_limit_of_age_is_set_changed_and_taken_away(
    clickhouse_server: ClickHouseServer, clickhouse_url: str
) -> None:
    asked = f"SELECT create_table_query FROM system.tables WHERE database = '{database_of(clickhouse_url)}'"
    for days, expected in ((30, 3), (2555, 3), (None, 0)):
        ClickHouseStore(clickhouse_url + (f"?ttl_days={days}" if days else "")).close()
        made = clickhouse_server.run(asked)
        assert made.count(f"toIntervalDay({days})") == expected
        assert made.count("TTL toDateTime(time)") == (2 if days else 0)


def test_counts_by_the_hour_are_read_from_a_projection(clickhouse_url: str, tmp_path: Path) -> None:
    """With the settings with which every question is asked: some of the engine's keep it from using projections."""
    store = ClickHouseStore(clickhouse_url)
    store.write([Batches(tmp_path).of(many(300, user="ann"))])
    asked = (
        "SELECT person, sum(events) AS n, min(first) AS f FROM user_hours WHERE \"hour\" > '2026-01-01' GROUP BY person"
    )
    assert "(people)" in plan_of(clickhouse_url, asked)
    store.close()


def test_errors_by_their_hash_are_read_apart_from_all_other_events(
    clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path
) -> None:
    """With the settings with which every question is asked, and after what merges and retention take away."""
    store = write_errors(clickhouse_url, clickhouse_server, tmp_path, "error", "error", "audit")
    database = database_of(clickhouse_url)
    assert "(errors)" in plan_of(clickhouse_url, ERRORS)
    clickhouse_server.run(f"INSERT INTO {database}.events SELECT * FROM {database}.events")
    clickhouse_server.run(f"OPTIMIZE TABLE {database}.events FINAL")
    assert rows(store, ERRORS) == [{"error_hash": HASH, "n": 3}]
    store.forget("audit", START + timedelta(days=400))
    assert rows(store, ERRORS) == [{"error_hash": HASH, "n": 2}]
    assert "(errors)" in plan_of(clickhouse_url, ERRORS)
    store.close()


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT date_trunc('day', time) AS day, count(DISTINCT \"user\") AS n FROM events {} GROUP BY day",
        "SELECT date_trunc('day', time) AS day, count(*) AS n FROM events {} GROUP BY day",
        'SELECT count(DISTINCT "user") AS n FROM events {}',
    ],
)
def test_questions_of_other_things_are_not_answered_from_where_errors_lie(
    clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path, asked: str
) -> None:
    """Times and users are there, too, but in an order in which none can be left out."""
    write_errors(clickhouse_url, clickhouse_server, tmp_path, "error", "audit").close()
    assert ".events)" in plan_of(clickhouse_url, asked.format("WHERE time > TIMESTAMP '2020-01-01'"))


def test_the_last_time_of_all_events_is_known_without_reading_them(
    clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path
) -> None:
    write_errors(clickhouse_url, clickhouse_server, tmp_path, "error", "audit").close()
    assert ".events)" not in plan_of(clickhouse_url, "SELECT max(time) AS last FROM events")


def test_an_upgrade_sets_errors_apart_without_those_that_were_only_marked_as_deleted(
    clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path
) -> None:
    """As the version before did it, whose marks would stay in the projection. Afterwards such a deletion is refused."""
    store = write_errors(clickhouse_url, clickhouse_server, tmp_path, "error", "audit")
    events, session = f"{database_of(clickhouse_url)}.events", session_of(clickhouse_url)
    clickhouse_server.run(f"ALTER TABLE {events} DROP PROJECTION errors SETTINGS mutations_sync = 2")
    clickhouse_server.run(f"ALTER TABLE {events} MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild'")
    clickhouse_server.run(f"DELETE FROM {events} WHERE level = 'audit'")
    for statement in statements(parse(clickhouse_url), migrate.migrations("clickhouse")[3].sql):
        session.run(statement, mutations_sync=2)
    assert "(errors)" in plan_of(clickhouse_url, ERRORS)
    assert rows(store, ERRORS) == [{"error_hash": HASH, "n": 1}]
    with pytest.raises(DatabaseError, match="projection"):
        session.run("DELETE FROM events WHERE level = 'error'")
    session.close()
    store.close()


def test_the_engine_in_this_process_is_a_store_too(tmp_path: Path) -> None:
    """`chdb:///folder`: the same client, and no server. In a process of its own, which has one engine."""
    script = (
        "import sys; from pathlib import Path; from support.batches import Batches; from support.events import many\n"
        "from whodid.stores.clickhouse import ClickHouseStore\n"
        f"store = ClickHouseStore('chdb://{tmp_path}/engine')\n"
        f"made = Batches(Path('{tmp_path}/journal')); batch = made.of(many(4, user='ann'))\n"
        "assert store.write([batch]).events == 4 and store.write([batch]).events == 0\n"
        "print(store.query('SELECT count(*) AS n FROM events').table.to_pylist()); store.close()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (ran.stdout, ran.returncode) == ("[{'n': 4}]\n", 0), ran.stderr
