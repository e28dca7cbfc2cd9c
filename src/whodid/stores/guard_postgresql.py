"""The guard for PostgreSQL: walks the tree that sqlglot makes of the statement."""

from __future__ import annotations

import logging
import re
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from whodid.stores import guard_rules

_DIALECT: Final = "postgres"

# Where sqlglot's reading and PostgreSQL's might part: what follows could hide in what sqlglot takes for text.
_AMBIGUOUS: Final = re.compile(r"\\['\"]|/\*(?:(?!\*/).)*/\*", re.DOTALL)
_DOLLARS: Final = re.compile(r"\$\w*\$")
_PREFIX: Final = re.compile(r"\bU&\s*['\"]|\bE'", re.IGNORECASE)
# What is read from left to right; a prefix is one only outside of the others.
_PIECES: Final = re.compile(
    r"""(?P<prefixed>(?<![\w$])(?:E'|U&\s*['"]))|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER: Final = re.compile(r"(?<![\w$])\$(?=[A-Za-z_]\w*(?![\w$]))")
_REFUSED: Final = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Set, exp.Copy, exp.Pragma, exp.Use, exp.Transaction,
    exp.Commit, exp.Rollback, exp.Merge, exp.Drop, exp.Alter, exp.Attach, exp.Detach, exp.Kill, exp.Analyze,
)  # fmt: skip

# sqlglot knows these functions by a class of their own; they make large values or have no business here.
_KNOWN_BUT_CHECKED: Final = frozenset(
    {"repeat", "pad", "generateseries", "explodinggenerateseries", "format", "space", "readcsv", "currentversion"}
)

# It logs what it cannot read, with the text; the refusal says it already.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def check(sql: str) -> None:
    """See `guard.check`."""
    if _AMBIGUOUS.search(sql) or _has_prefixed_literal(sql):
        raise guard_rules.not_readable(
            "U&'…', E'…', a backslash before a quote and comments inside comments are not read here."
        )
    try:
        # PostgreSQL has no `$name`; the store binds such parameters, so the guard reads them as placeholders too.
        trees = [tree for tree in sqlglot.parse(_PLACEHOLDER.sub(":", sql), dialect=_DIALECT) if tree is not None]
    except SqlglotError as problem:
        raise guard_rules.not_readable(str(problem)) from None
    if len(trees) != 1:
        raise guard_rules.not_one(len(trees))
    tree = trees[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery | exp.Values):
        raise guard_rules.not_a_select(tree.key.upper())
    _walk(tree, frozenset())


def _has_prefixed_literal(sql: str) -> bool:
    if _DOLLARS.search(sql):
        # What stands between dollars may hold quotes: then every place that looks like a prefix counts.
        return _PREFIX.search(sql) is not None
    return any(piece["prefixed"] for piece in _PIECES.finditer(sql))


def _walk(node: exp.Expression, scope: frozenset[str]) -> None:
    if isinstance(node, _REFUSED):
        raise guard_rules.not_a_select(node.key.upper())
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
        _walk(definition.this, scope | {name} if node.args.get("recursive") else scope)
        scope |= {name}
    return scope


def _table(node: exp.Table, scope: frozenset[str]) -> None:
    if isinstance(node.this, exp.Func):
        if node.db or node.catalog:
            guard_rules.table_function(_DIALECT, f"{node.db}.{_name(node.this)}")
        guard_rules.table_function(_DIALECT, _name(node.this))
    elif node.catalog or node.db or node.name.lower() not in scope:
        guard_rules.relation(_DIALECT, ".".join(filter(None, (node.catalog, node.db))), node.name)


def _function(node: exp.Func) -> None:
    if isinstance(node.parent, exp.Dot):
        guard_rules.function(_DIALECT, node.parent.sql(_DIALECT))
    name = _name(node)
    table_function = isinstance(node.parent, exp.Table) or _from_item(node)
    if table_function:
        guard_rules.table_function(_DIALECT, name)
    elif isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) or node.key in _KNOWN_BUT_CHECKED:
        guard_rules.function(_DIALECT, name)


def _from_item(node: exp.Func) -> bool:
    return isinstance(node.parent, exp.From | exp.Lateral)


def _name(node: exp.Func) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.this)
    return node.sql(_DIALECT).split("(", 1)[0].strip().lower()
