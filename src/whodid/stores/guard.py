"""The guard of the SQL console: lets one SELECT on the events through, and says why anything else is refused.

It is the first fence of three: what it lets through still runs in a read-only transaction of a locked-in engine,
under limits of time, rows and memory.
"""

from __future__ import annotations

from typing import Final, Literal

from whodid.errors import WhodidError

Dialect = Literal["duckdb", "postgres", "clickhouse"]

SQL_BYTES_MAX: Final = 100_000


def check(sql: str, dialect: Dialect) -> None:
    """Let exactly one SELECT pass that touches only the relations and functions of `guard_names`.

    sql      a statement in the dialect; parameters as `$name`, `$1` or `?`.
    Raises   WhodidError("too_large")  longer than `SQL_BYTES_MAX` bytes.
             WhodidError("invalid")    no statement, more than one, or not readable.
             WhodidError("forbidden")  not a SELECT, or it touches something else; the message names it.
    """
    if len(sql.encode("utf-8", "replace")) > SQL_BYTES_MAX:
        raise WhodidError("too_large", f"The statement is longer than {SQL_BYTES_MAX:,} bytes.")
    if "\0" in sql:
        raise WhodidError("invalid", "The statement contains a NUL character.")
    try:
        if dialect == "duckdb":
            from whodid.stores import guard_duckdb

            guard_duckdb.check(sql)
        elif dialect == "clickhouse":
            from whodid.stores import guard_clickhouse

            guard_clickhouse.check(sql)
        else:
            from whodid.stores import guard_postgresql

            guard_postgresql.check(sql)
    except RecursionError:
        raise WhodidError("invalid", "The statement is nested too deeply.") from None
