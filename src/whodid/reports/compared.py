"""With which of its times a report compares what it reads."""

from __future__ import annotations

import functools
from collections.abc import Collection

import sqlglot
from sqlglot import exp


@functools.lru_cache(maxsize=256)
def compared(sql: str, relations: Collection[str]) -> frozenset[str] | None:
    """The names of the parameters with which the parts of a report that read these relations compare `time`.

    None where such a part does anything else with `time`, which may then be compared with others elsewhere; an empty
    set where no part reads them, or none compares.

    Parameters
    ----------
    sql
        The report's statement, in the words of reports.
    relations
        Names of relations of `stores.base.KEPT`.
    """
    found = set()
    for table in sqlglot.parse_one(sql, read="duckdb").find_all(exp.Table):
        if table.name not in relations:
            continue
        part = table.find_ancestor(exp.Select)
        if part is None or any(not isinstance(star.parent, exp.Count) for star in part.find_all(exp.Star)):
            return None
        for column in part.find_all(exp.Column):
            if column.name.lower() == "time":
                by = column.parent
                if not isinstance(by, (exp.GT, exp.GTE, exp.LT, exp.LTE)):
                    return None
                if not isinstance(by.expression, exp.Placeholder):
                    return None
                found.add(by.expression.name)
    return frozenset(found)
