"""The ClickHouse store in bad weather: servers that go and come, too many parts, migrations half done."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from support.batches import Batches
from support.clickhouse import ClickHouseServer
from support.clickhouse_session import database_of, session_of
from support.events import event, many
from support.stores import ids
from whodid.errors import WhodidError
from whodid.stores import migrate
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_schema import statements
from whodid.stores.writer import StoreWriter

# How long the server is away; the long round: WHODID_TEST_AWAY_S=600.
AWAY_S = float(os.environ.get("WHODID_TEST_AWAY_S", "1"))


class OneJournal:
    """A journal whose batches are all sealed."""

    def __init__(self, batches: list[object], receiver: str = "receiver-a"):
        self.receiver = receiver
        self.batches = batches
        self.released = 0

    def sealed(self) -> list[object]:
        return [batch for batch in self.batches if batch.number > self.released]  # type: ignore[attr-defined]

    def wait_sealed(self, after: int, timeout_s: float) -> list[object]:
        found = [batch for batch in self.sealed() if batch.number > after]  # type: ignore[attr-defined]
        if not found:
            time.sleep(min(0.05, timeout_s))
        return found

    def seal(self) -> int:
        return len(self.batches)

    def release(self, number: int) -> None:
        self.released = max(self.released, number)

    def wake(self) -> None:
        pass


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_writer_goes_on_when_the_server_is_back(
    own_clickhouse_server: ClickHouseServer, tmp_path: Path, how: str
) -> None:
    server = own_clickhouse_server
    store = ClickHouseStore(server.url())
    batches = Batches(tmp_path / "journal")
    journal = OneJournal([batches.of(many(5)) for _ in range(3)])
    writer = StoreWriter(journal, store, pause_s_max=0.5)  # type: ignore[arg-type]
    writer.start()
    writer.flush(60)
    getattr(server, how)()
    journal.batches += [batches.of(many(5)) for _ in range(3)]
    with pytest.raises(WhodidError) as away:
        store.query("SELECT count(*) FROM events")
    assert away.value.code == "unavailable"
    deadline = time.monotonic() + AWAY_S
    while writer.status().last_error is None or time.monotonic() < deadline:
        time.sleep(0.05)
    assert "does not answer" in str(writer.status().last_error)
    assert journal.released == 3
    server.start()
    writer.flush(60)
    assert store.stats().events == 30
    assert writer.status().last_error is None
    writer.close()
    store.close()


def test_too_many_parts_are_waited_out(
    clickhouse_server: ClickHouseServer, clickhouse_url: str, tmp_path: Path
) -> None:
    store = ClickHouseStore(clickhouse_url)
    batches = Batches(tmp_path)
    table = f"{database_of(clickhouse_url)}.events"
    clickhouse_server.run(f"SYSTEM STOP MERGES {table}")
    clickhouse_server.run(f"ALTER TABLE {table} MODIFY SETTING parts_to_delay_insert = 2, parts_to_throw_insert = 3")
    waiting = [batches.of([event(number)]) for number in range(4)]
    with pytest.raises(WhodidError) as refused:
        for batch in waiting:
            store.write([batch])
    assert refused.value.code == "unavailable"
    assert refused.value.retry_after_s == 10
    assert "too many parts" in str(refused.value).lower()
    clickhouse_server.run(f"SYSTEM START MERGES {table}")
    clickhouse_server.run(f"OPTIMIZE TABLE {table} FINAL")
    store.write(waiting)
    assert len(ids(store)) == 4
    store.close()


def test_a_migration_half_done_is_finished_by_who_opens_next(
    clickhouse_server: ClickHouseServer, tmp_path: Path
) -> None:
    first = migrate.migrations("clickhouse")[0]
    parts = statements(parse("clickhouse://db/x"), first.sql)
    assert len(parts) > 5
    for done in (1, len(parts) - 1):
        url = clickhouse_server.fresh_url()
        clickhouse_server.run(f"CREATE DATABASE {database_of(url)}")
        session = session_of(url)
        for statement in parts[:done]:
            session.run(statement)
        session.close()
        store = ClickHouseStore(url)
        assert store.write([Batches(tmp_path / str(done)).of(many(3))]).events == 3
        assert store.stats().version == migrate.migrations("clickhouse")[-1].number
        store.close()
        clickhouse_server.drop(url)


def test_a_database_of_a_newer_whodid_is_left_alone(clickhouse_url: str) -> None:
    ClickHouseStore(clickhouse_url).close()
    session = session_of(clickhouse_url)
    session.run("INSERT INTO migrations (number, name) VALUES (999, 'later')")
    session.close()
    with pytest.raises(WhodidError) as refused:
        ClickHouseStore(clickhouse_url)
    assert refused.value.code == "conflict"


def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(WhodidError) as refused:
        ClickHouseStore("clickhouse://ann:secret@127.0.0.1:9/x")
    assert refused.value.code == "unavailable"
    assert "secret" not in str(refused.value)
