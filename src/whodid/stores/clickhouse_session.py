"""The session that writes: one client, its temporary tables, one statement at a time."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from whodid.stores.clickhouse_address import Address
from whodid.stores.clickhouse_client import connect

# A write is stored when the majority of a shard's replicas has it, as a journal would want it.
_ON_CLUSTER: Final[dict[str, Any]] = {
    "insert_quorum": "auto",
    "distributed_foreground_insert": 1,
    "distributed_ddl_output_mode": "none_only_active",
    "prefer_localhost_replica": 1,
    "load_balancing": "in_order",
}
# Rows of one insert for many days, such as an import's, are welcome.
_ALWAYS: Final[dict[str, Any]] = {
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
    "insert_deduplicate": 1,
    # A load has no id twice: to merge its rows with each other beforehand would take as long as writing them.
    "optimize_on_insert": 0,
}


class Session:
    """A client with a session of its own, for one thread at a time; `use` says of which database.

    Raises
    ------
    See `clickhouse_client.connect`; each method raises the driver's errors.
    """

    def __init__(self, address: Address):
        self._client: Client = connect(address, session=True)
        self._settings = {**_ALWAYS, **(_ON_CLUSTER if address.cluster else {})}

    def use(self, database: str) -> None:
        """Let statements be about the tables of a database."""
        self._client.database = database

    def run(self, sql: str, data: bytes | None = None, **settings: Any) -> None:
        """Run a statement that answers nothing; `data` is what an INSERT … FORMAT inserts."""
        self._client.command(sql, data=data, settings={**self._settings, **settings})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """See `rows_of`."""
        return rows_of(self._client, sql, self._settings)

    def close(self) -> None:
        self._client.close()


def rows_of(client: Client, sql: str, settings: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a statement's answer; times are UTC, UUIDs have to be made text."""
    answer = client.raw_query(sql, settings=settings, fmt="Arrow")
    columns = [column.to_pylist() for column in pa.ipc.open_file(answer).read_all().columns]
    return list(zip(*columns, strict=True))
