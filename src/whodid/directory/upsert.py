"""Many rows into a table at once, past the layers that cost more than the database itself.

The statement is made from the table's description once; rows are tuples that both drivers take as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, MetaData, Table, Text, bindparam, case, cast, column, func, select
from sqlalchemy.dialects import sqlite

Row = tuple[Any, ...]


class Upsert(NamedTuple):
    """What to do with rows: insert; of those that are there already widen the `spans` and fill what is empty of `fill`.

    `open_end` is a last time that is empty while there is none yet: it stays or becomes empty, else it is widened.

    columns  in the table's order, its key first; values are text, bool, None, `time_text`, or the hex digits of a UUID.
    """

    table: Table
    columns: tuple[str, ...]
    spans: tuple[str | None, str | None] | None = None
    fill: tuple[str, ...] = ()
    open_end: str | None = None

    def run(self, connection: Connection, rows: Iterable[Row]) -> int:
        """Write rows; returns how many were inserted or changed."""
        width = len(self.table.primary_key)
        # In order of their keys, so that two servers who write the same rows wait for each other instead of failing;
        # each key once, because one statement may change a row only once.
        distinct = sorted({row[:width]: row for row in rows}.values())
        if not distinct:
            return 0
        on_postgresql = connection.dialect.name == "postgresql"
        statement = _statement(self, on_postgresql)
        if on_postgresql:
            given = msgspec.json.encode([dict(zip(self.columns, row, strict=True)) for row in distinct])
            return connection.execute(statement, {"rows": given.decode()}).rowcount
        return connection.exec_driver_sql(statement, distinct).rowcount


def time_text(moment: datetime) -> str:
    """A moment as the databases keep it: UTC, without zone."""
    if moment.tzinfo is not UTC and moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:_TIME_LENGTH]


_TIME_LENGTH: Final = len("2026-01-01 00:00:00.000000")


@cache
def _statement(upsert: Upsert, on_postgresql: bool) -> Any:
    if on_postgresql:
        from sqlalchemy.dialects import postgresql

        # All rows as one text, which the server takes apart.
        given = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON))
        typed = given.table_valued(*(column(name, upsert.table.c[name].type) for name in upsert.columns), name="given")
        rows = typed.render_derived(with_types=True)
        statement = postgresql.insert(upsert.table).from_select(
            upsert.columns, select(*(rows.c[n] for n in upsert.columns))
        )
        return _or_changed(statement, upsert, "least", "greatest")
    table = upsert.table.to_metadata(MetaData(), schema=None)  # type: ignore[arg-type]  # None takes the schema away
    upsert = upsert._replace(table=table)
    inserted = sqlite.insert(table).values({name: bindparam(name) for name in upsert.columns})
    return str(_or_changed(inserted, upsert, "min", "max").compile(dialect=sqlite.dialect(paramstyle="qmark")))


def _or_changed(statement: Any, upsert: Upsert, earlier: str, later: str) -> Any:
    if upsert.spans is None:
        return statement.on_conflict_do_nothing()
    before, told = upsert.table.c, statement.excluded
    changes: dict[str, Any] = {
        name: getattr(func, function)(func.coalesce(before[name], told[name]), func.coalesce(told[name], before[name]))
        for name, function in zip(upsert.spans, (earlier, later), strict=True)
        if name is not None
    }
    changes |= {name: func.coalesce(before[name], told[name]) for name in upsert.fill}
    if (end := upsert.open_end) is not None:
        both = before[end].is_not(None) & told[end].is_not(None)
        changes[end] = case((both, getattr(func, later)(before[end], told[end])))
    return statement.on_conflict_do_update(index_elements=list(upsert.table.primary_key), set_=changes)
