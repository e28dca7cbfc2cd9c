"""The counts by the hour, kept with every load in its own transaction."""

from __future__ import annotations

from typing import Final

import duckdb

from whodid.stores import migrate

# A trickle adds nearly a row an event; gathered this many at a time, they become a row a key and hour.
WAITING_ROWS_MAX: Final = 200_000


def add(connection: duckdb.DuckDBPyConnection, own_rows: int, waiting_rows_max: int | None = None) -> None:
    """Count the rows of the connection's transaction, which are those whose row ids begin at `own_rows`."""
    sql = migrate.statements("duckdb", "hours")
    for what in ("events", "sessions"):
        connection.execute(sql[f"add_{what}"], {"own_rows": own_rows})
        waiting = connection.execute(sql[f"waiting_{what}"]).fetchall()[0][0]
        if waiting > (WAITING_ROWS_MAX if waiting_rows_max is None else waiting_rows_max):
            for step in ("gather", "drop", "keep"):
                connection.execute(sql[f"{step}_{what}"])
