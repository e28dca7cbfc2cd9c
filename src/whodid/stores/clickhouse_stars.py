"""Which columns a star stands for: ClickHouse names them after their relation where others are joined to it."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from whodid.stores.base import COLUMNS, WORKED_OUT


def names_of_star(star: Any, select: Any) -> list[str]:
    """The names of the columns that `*` or `t.*` of a SELECT stands for."""
    wanted = star.table if isinstance(star, exp.Column) else ""
    sources = [select.args["from_"].this, *(join.this for join in select.args.get("joins") or ())]
    return [
        name for source in sources if not wanted or source.alias_or_name == wanted for name in _names_of_source(source)
    ]


def _names_of_source(source: Any) -> list[str]:
    if isinstance(source, exp.Subquery):
        return _names_of(source.this)
    parent = source.parent
    while parent is not None:
        for one in parent.args["with_"].expressions if parent.args.get("with_") else ():
            if one.alias == source.name:
                return _names_of(one.this)
        parent = parent.parent
    return [column.name for column in (*COLUMNS, *WORKED_OUT)] if source.name == "events" else []


def _names_of(query: Any) -> list[str]:
    """Names of a query's columns."""
    if isinstance(query, exp.SetOperation):
        return _names_of(query.left)
    if isinstance(query, exp.Subquery):
        return _names_of(query.this)
    return [
        name
        for column in query.expressions
        for name in (names_of_star(column, query) if column.is_star else [column.alias_or_name])
    ]
