"""The guard for ClickHouse: walks the tree that sqlglot makes of the statement.

Behind it the engine itself reads only (`readonly = 1`), which lets no table function reach a file, another server or
the network.
"""

from __future__ import annotations

import logging
import re
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from whodid.stores import guard_rules

_DIALECT: Final = "clickhouse"
_PLACEHOLDER: Final = re.compile(r"(?<![\w$])\$(?=\w)")
# What sqlglot and the engine might read differently.
_AMBIGUOUS: Final = re.compile(r"\$\w*\$|/\*(?:(?!\*/).)*/\*|<<|[\u2018\u2019\u201c\u201d\u00ab\u00bb]", re.DOTALL)
_REFUSED: Final = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Set, exp.Copy, exp.Pragma, exp.Use, exp.Transaction,
    exp.Commit, exp.Rollback, exp.Merge, exp.Drop, exp.Alter, exp.Attach, exp.Detach, exp.Kill, exp.Analyze,
)  # fmt: skip
# Clauses of a SELECT that change settings or write elsewhere.
_CLAUSES: Final = {"settings": "SETTINGS", "format": "FORMAT", "into": "INTO OUTFILE"}

logging.getLogger("sqlglot").setLevel(logging.ERROR)


def check(sql: str) -> None:
    """See `guard.check`."""
    if _AMBIGUOUS.search(sql):
        raise guard_rules.not_readable("Curly quotes, $…$ and comments inside comments are not read here.")
    try:
        # The engine has no `$name`; the store binds such parameters, so the guard reads them as names.
        trees = [tree for tree in sqlglot.parse(_PLACEHOLDER.sub(":p", sql), dialect=_DIALECT) if tree is not None]
    except SqlglotError as problem:
        raise guard_rules.not_readable(str(problem)) from None
    if len(trees) != 1:
        raise guard_rules.not_one(len(trees))
    tree = trees[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise guard_rules.not_a_select(tree.key.upper())
    _walk(tree, frozenset())


def _walk(node: exp.Expression, scope: frozenset[str]) -> None:
    if isinstance(node, _REFUSED):
        raise guard_rules.not_a_select(node.key.upper())
    for clause, name in _CLAUSES.items():
        if node.args.get(clause):
            raise guard_rules.not_a_select(name)
    if isinstance(node, exp.Table):
        _table(node, scope)
    elif isinstance(node, exp.Func):
        _function(node)
    with_ = node.args.get("with_") or node.args.get("with")
    if with_ is not None:
        scope = _with(with_, scope)
    for child in node.iter_expressions():
        if child is not with_:
            _walk(child, scope)


def _with(node: exp.With, scope: frozenset[str]) -> frozenset[str]:
    for definition in node.expressions:
        name = definition.alias.lower()
        _walk(definition.this, scope | {name})
        scope |= {name}
    return scope


def _table(node: exp.Table, scope: frozenset[str]) -> None:
    if isinstance(node.this, exp.Func):
        guard_rules.table_function(_DIALECT, _name(node.this))
    elif node.catalog or node.db or node.name.lower() not in scope:
        guard_rules.relation(_DIALECT, ".".join(filter(None, (node.catalog, node.db))), node.name)


def _function(node: exp.Func) -> None:
    if isinstance(node.parent, exp.Table):
        guard_rules.table_function(_DIALECT, _name(node))
    elif isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.ParameterizedAgg | exp.CombinedAggFunc):
        guard_rules.function(_DIALECT, _name(node))


def _name(node: exp.Func) -> str:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.ParameterizedAgg):
        return str(node.this)
    return node.sql(_DIALECT).split("(", 1)[0].strip().lower()
