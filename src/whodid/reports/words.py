"""Reports are written once; here they get each store's own words.

Besides the common dialect of DuckDB and PostgreSQL a report may say the words of `WORDS`; the events it reads have to
be named `e` where it says them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import sqlglot
from sqlglot import exp

from whodid.errors import WhodidError
from whodid.reading.dialect import dialect_of
from whodid.reading.read import definition

# What sqlglot calls the dialects of our stores.
_SQLGLOT: Final = {"duckdb": "duckdb", "postgresql": "postgres"}
_COMMON: Final = "duckdb"
_PROGRAM: Final = "({} LIKE 'api:%' OR {} LIKE 'no:auth%')"

Say = Callable[[str, list[exp.Expression]], str]


def _percentile(kind: str, words: list[exp.Expression]) -> str:
    share, value = (word.sql(_SQLGLOT[kind]) for word in words)
    return f"percentile_cont({share}) WITHIN GROUP (ORDER BY {value})"


def _parameter(kind: str, words: list[exp.Expression]) -> str:
    key = dialect_of(kind).parameter_key(words[0].name).replace("'", "''")
    return f"(e.\"parameters\" ->> '{key}')"


def _program(kind: str, words: list[exp.Expression]) -> str:
    login = words[0].sql(_SQLGLOT[kind])
    return _PROGRAM.format(login, login)


def _defined(name: str) -> Say:
    return lambda _kind, _words: definition(name)


# Word, number of its arguments, and how a store says it.
WORDS: Final[dict[str, tuple[int, Say]]] = {
    "percentile": (2, _percentile),
    "parameter": (1, _parameter),
    "is_program": (1, _program),
    "person": (0, _defined("person")),
    "is_run": (0, _defined("run")),
    "is_error": (0, _defined("error")),
}


@functools.cache
def translated(sql: str, kind: str) -> str:
    """A report's statement as the store of this kind understands it; parameters stay `$name`."""
    try:
        tree = sqlglot.parse_one(sql, read=_COMMON)
    except sqlglot.ParseError as error:
        raise WhodidError("internal", f"A report's statement cannot be read: {str(error)[:300]}") from error
    return tree.transform(functools.partial(_said, kind=kind)).sql(_SQLGLOT[kind])


def _said(node: exp.Expression, *, kind: str) -> exp.Expression:
    if isinstance(node, exp.Placeholder):
        return exp.Var(this=f"${node.name}")
    if isinstance(node, exp.Table) and node.name in ("events", "rejected_events"):
        schema, _, name = getattr(dialect_of(kind), node.name).rpartition(".")
        node.set("this", exp.to_identifier(name))
        node.set("db", exp.to_identifier(schema) if schema else None)
        return node
    if isinstance(node, exp.Anonymous) and node.name.lower() in WORDS:
        count, say = WORDS[node.name.lower()]
        words = [word.transform(functools.partial(_said, kind=kind)) for word in node.expressions]
        if len(words) != count:
            raise WhodidError("internal", f"{node.name}() takes {count} arguments.")
        return exp.Var(this=say(kind, words))
    return node
