"""What a cluster is told: by the text of its statements, and by those that one server can execute."""

from __future__ import annotations

import re

import pytest

from support.clickhouse import ClickHouseServer
from whodid.errors import WhodidError
from whodid.stores import clickhouse_turns, migrate
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_schema import statements
from whodid.stores.clickhouse_session import Session

ALONE = parse("clickhouse://db/audit")
CLUSTER = parse("clickhouse://db/audit?cluster=main")


def ddl(address: object) -> list[str]:
    return [
        statement
        for migration in migrate.migrations("clickhouse")
        for statement in statements(address, migration.sql)  # type: ignore[arg-type]
    ]


def test_every_statement_is_for_the_whole_cluster() -> None:
    # Rows that are written reach the other servers by themselves.
    told = [statement for statement in ddl(CLUSTER) if not statement.startswith("INSERT")]
    assert all("ON CLUSTER 'main'" in statement for statement in told)
    assert not any("CLUSTER" in statement for statement in ddl(ALONE))
    assert not any(re.search(r"\{(?!uuid|shard|replica)", statement) for statement in [*ddl(CLUSTER), *ddl(ALONE)])


def test_rows_are_replicated_and_found_through_distributed_tables() -> None:
    text = "\n".join(ddl(CLUSTER))
    for table, key in (("events", "sipHash64(id)"), ("event_entities", "sipHash64(event_id)")):
        made = re.search(rf"CREATE TABLE IF NOT EXISTS {table}_local .*?ENGINE = (\w+)", text, re.DOTALL)
        assert made is not None
        assert made[1] == "ReplicatedReplacingMergeTree"
        assert f"Distributed('main', 'audit', '{table}_local', {key})" in text
    assert text.index("events_local ON CLUSTER") < text.index("Distributed('main', 'audit', 'events_local'")


def test_what_all_shards_share_has_one_place_in_keeper() -> None:
    text = "\n".join(ddl(CLUSTER))
    for table in ("journal_position", "turns", "counted_days"):
        made = re.search(rf"CREATE TABLE IF NOT EXISTS {table} .*?ENGINE = (.*)", text, re.DOTALL)
        assert made is not None
        assert "'/clickhouse/tables/{uuid}/all', '{shard}-{replica}'" in made[1].splitlines()[0]


def test_one_server_executes_the_clusters_statements_but_for_what_makes_them_a_clusters(
    clickhouse_server: ClickHouseServer,
) -> None:
    """The engine reads and runs each of them once Keeper, the cluster's name and the other servers are left out."""
    url = clickhouse_server.fresh_url()
    database = url.rpartition("/")[2]
    clickhouse_server.run(f"CREATE DATABASE {database}")
    session = Session(parse(url))
    session.use(database)
    for statement in ddl(parse(f"{url}?cluster=main")):
        plain = statement.replace(" ON CLUSTER 'main'", "")
        plain = re.sub(r"Replicated(\w+)\('[^']*', '[^']*'(?:, )?", r"\1(", plain)
        plain = re.sub(r"Replicated(\w+)", r"\1", plain).replace("replicated_dedup", "non_replicated_dedup")
        plain = re.sub(r"Distributed\('main', '(\w+)', '(\w+)', .*\)$", r"Merge('\1', '^\2$')", plain)
        session.run(plain)
    assert session.rows("SELECT count() FROM user_hours") == [(0,)]
    session.close()
    clickhouse_server.drop(url)


def test_a_cluster_that_the_server_does_not_know_is_refused(clickhouse_server: ClickHouseServer) -> None:
    url = clickhouse_server.fresh_url(cluster="nowhere")
    with pytest.raises(WhodidError) as refused:
        ClickHouseStore(url)
    assert refused.value.code == "invalid"
    assert "knows no cluster 'nowhere'" in str(refused.value)
    assert refused.value.hint is not None
    assert "docs/clickhouse.md" in refused.value.hint
    database = url.rpartition("/")[2].partition("?")[0]
    assert clickhouse_server.run(f"SELECT count() FROM system.databases WHERE name = '{database}'") == "0\n"


def test_a_taken_turn_lets_every_replica_catch_up() -> None:
    ran: list[str] = []

    class Recording:
        turns: dict[int, str] = {}  # noqa: RUF012 (one test's)

        def rows(self, sql: str) -> list[tuple[object, ...]]:
            return [(turns.writer,)] if "SELECT writer" in sql else []

        def run(self, sql: str, data: bytes | None = None, **settings: object) -> None:
            ran.append(sql)

    turns = clickhouse_turns.Turns(" ON CLUSTER 'main'")
    assert turns.take(Recording()) == 1
    assert [sql for sql in ran if "SYNC REPLICA" in sql] == [
        f"SYSTEM SYNC REPLICA ON CLUSTER 'main' {table} LIGHTWEIGHT"
        for table in ("events_local", "event_entities_local", "rejected_events_local", "counted_days")
    ]
