"""The schema of the ClickHouse store: its migrations on one server or on a cluster, and the engine's own limit of age.

A migration has no transaction around it. Each of its statements may be run again, and its number is noted when all of
them are done; one that was interrupted is run from its beginning by whoever opens the store next.
"""

from __future__ import annotations

import re
from typing import Final

from whodid.errors import WhodidError
from whodid.stores import migrate
from whodid.stores.clickhouse_address import Address
from whodid.stores.clickhouse_session import Session

# The last so many inserts are known by their tokens.
TOKENS_KEPT: Final = 10_000

_CALL: Final = re.compile(r"^-- \{distributed (\w+) ([^\n]+)\}$", re.MULTILINE)
_SHARED: Final = re.compile(r"\{shared:(\w+)(\([^)]*\))?\}")
_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS migrations{on_cluster} (
    number Int32, name String, applied_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = {shared:ReplacingMergeTree(applied_at)}
ORDER BY number
"""
_VERSION: Final = "SELECT coalesce(max(number), 0) FROM migrations"
_NOTE: Final = "INSERT INTO migrations (number, name) VALUES ({number}, '{name}')"
_CLUSTERS: Final = "SELECT DISTINCT cluster FROM system.clusters ORDER BY cluster"
_TABLE: Final = "SELECT create_table_query FROM system.tables WHERE database = '{database}' AND name = '{table}'"
_SET_TTL: Final = (
    "ALTER TABLE {table}{on_cluster} MODIFY TTL toDateTime({column}) + toIntervalDay({days}) SETTINGS "
    "materialize_ttl_after_modify = 0"
)
_REMOVE_TTL: Final = "ALTER TABLE {table}{on_cluster} REMOVE TTL"
# What the limit of age holds for, and the column that it looks at.
_AGING: Final = {"events": "time", "event_entities": "time", "rejected_events": "received_at"}
_TTL_DAYS: Final = re.compile(r"TTL .*?toIntervalDay\((\d+)\)")


def on_cluster(address: Address) -> str:
    """The words behind a table's name by which a statement is for every server of the cluster."""
    return f" ON CLUSTER '{address.cluster}'" if address.cluster else ""


def statements(address: Address, text: str) -> list[str]:
    """The statements of a migration, for one server or for the cluster of the address."""
    cluster = address.cluster
    text = _CALL.sub(lambda found: _distributed(address, found[1], found[2]) if cluster else "", text)
    text = _SHARED.sub(lambda found: _shared(found[1], found[2], bool(cluster)), text)
    words = {
        "{local}": "_local" if cluster else "",
        "{on_cluster}": on_cluster(address),
        "{sharded}": "Replicated" if cluster else "",
        "{deduplication}": (
            f"replicated_deduplication_window = {TOKENS_KEPT},"
            if cluster
            else f"non_replicated_deduplication_window = {TOKENS_KEPT},"
        ),
    }
    for word, said in words.items():
        text = text.replace(word, said)
    uncommented = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [one.strip() for one in uncommented.split(";\n") if one.strip(" ;\n")]


def upgrade(address: Address, session: Session) -> int:
    """Bring the database to the newest version; returns it.

    Raises
    ------
    WhodidError("invalid")
        Permanent: the server knows no such cluster.
    WhodidError("conflict")
        Permanent: a newer whodid has upgraded the database.
    """
    _check_cluster(address, session)
    session.run(f"CREATE DATABASE IF NOT EXISTS {address.database}{on_cluster(address)}")
    session.use(address.database)
    for statement in statements(address, _VERSIONS):
        session.run(statement)
    for migration in migrate.pending("clickhouse", version(session), f"in {address.place}"):
        for statement in statements(address, migration.sql):
            session.run(statement)
        session.run(_NOTE.format(number=migration.number, name=migration.name))
    return version(session)


def _check_cluster(address: Address, session: Session) -> None:
    """Refuse a cluster that the server does not know, before anything is made."""
    if address.cluster is None or "{" in address.cluster:
        return
    known = [row[0] for row in session.rows(_CLUSTERS)]
    if address.cluster not in known:
        raise WhodidError(
            "invalid",
            f"The server of {address.place} knows no cluster {address.cluster!r}.",
            f"It knows: {', '.join(known) or 'none'}. Clusters stand in its remote_servers; see docs/clickhouse.md.",
        )


def version(session: Session) -> int:
    """The number of the last migration that was applied; 0 for an empty database."""
    return int(session.rows(_VERSION)[0][0])


def limit_age(address: Address, session: Session) -> bool:
    """Let the engine drop what is older than `ttl_days`, in whole parts, or let it not; whether that is new."""
    is_changed = False
    for table, column in _AGING.items():
        name = f"{table}_local" if address.cluster else table
        found = _TTL_DAYS.search(str(session.rows(_TABLE.format(database=address.database, table=name))[0][0]))
        days = int(found[1]) if found else None
        if days == address.ttl_days:
            continue
        sql = _REMOVE_TTL if address.ttl_days is None else _SET_TTL
        session.run(sql.format(table=name, on_cluster=on_cluster(address), column=column, days=address.ttl_days))
        is_changed = True
    return is_changed


def _distributed(address: Address, table: str, key: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {table}{on_cluster(address)} AS {table}_local "
        f"ENGINE = Distributed('{address.cluster}', '{address.database}', '{table}_local', {key});\n"
    )


def _shared(engine: str, arguments: str | None, is_replicated: bool) -> str:
    """A table that every server of the cluster holds whole."""
    inner = (arguments or "()")[1:-1]
    if not is_replicated:
        return f"{engine}({inner})" if inner else engine
    place = "'/clickhouse/tables/{uuid}/all', '{shard}-{replica}'"
    return f"Replicated{engine}({', '.join(filter(None, (place, inner)))})"
