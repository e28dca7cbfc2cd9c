"""The guard for DuckDB: walks the tree that DuckDB's own parser makes, so that both always read the same statement."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

import duckdb

from whodid.stores import guard_rules

_DIALECT: Final = "duckdb"
_QUERY_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLE_NODES: Final = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "EMPTY_FROM", "PIVOT", "SHOW_REF"}
)
_OPERATOR: Final = re.compile(r"[^\w\s]+")
_DESCRIBING: Final = frozenset({"DESCRIBE", "SUMMARY"})

Node = dict[str, Any]
Scope = frozenset[str]


def check(sql: str) -> None:
    """See `guard.check`."""
    tree = _parsed(sql)
    statements = tree["statements"]
    if len(statements) != 1:
        raise guard_rules.not_one(len(statements))
    _walk(statements[0], frozenset())


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": "1", "memory_limit": "256MiB"})
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _parsed(sql: str) -> Node:
    try:
        row = _parser().cursor().execute("SELECT json_serialize_sql($1)", [sql]).fetchone()
    except duckdb.Error as problem:
        raise guard_rules.not_readable(str(problem)) from None
    assert row is not None
    tree: Node = json.loads(row[0])
    if not tree["error"]:
        return tree
    if "Only SELECT" in str(tree.get("error_message")):
        raise guard_rules.not_a_select("this statement")
    raise guard_rules.not_readable(str(tree.get("error_message")))


def _walk(part: Any, scope: Scope) -> None:
    if isinstance(part, list):
        for item in part:
            _walk(item, scope)
    elif isinstance(part, dict):
        if "cte_map" in part:
            scope = _query(part, scope)
        elif "class" not in part and "sample" in part and "alias" in part:
            _table(part, scope)
        if part.get("function_name"):
            _function(part)
        for name, value in part.items():
            if name == "function" and part.get("type") == "TABLE_FUNCTION":
                _walk(value | {"function_name": ""}, scope)
            elif name != "cte_map":
                _walk(value, scope)


def _query(node: Node, scope: Scope) -> Scope:
    """Check a query's kind and its WITH list; returns the names that its own FROM sees."""
    if node["type"] not in _QUERY_NODES:
        raise guard_rules.not_a_select(node["type"].removesuffix("_QUERY_NODE").removesuffix("_NODE"))
    for entry in node["cte_map"]["map"]:
        name = entry["key"].lower()
        definition = entry["value"]["query_node"]
        recursive = definition["type"] == "RECURSIVE_CTE_NODE"
        _walk(entry["value"], scope | {name} if recursive else scope)
        scope |= {name}
    return scope


def _table(node: Node, scope: Scope) -> None:
    kind = node["type"]
    if kind not in _TABLE_NODES:
        raise guard_rules.not_a_select(f"{kind} in FROM")
    if kind == "BASE_TABLE":
        *schemas, name = node["qualified_name"]["path"]
        if schemas or name.lower() not in scope:
            guard_rules.relation(_DIALECT, ".".join(schemas), name)
    elif kind == "TABLE_FUNCTION":
        guard_rules.table_function(_DIALECT, ".".join(node["function"]["qualified_name"]["path"]))
    elif kind == "SHOW_REF" and (node["show_type"] not in _DESCRIBING or not node["query"]):
        raise guard_rules.not_a_select("SHOW")


def _function(node: Node) -> None:
    name = ".".join(node["qualified_name"]["path"])
    if not _OPERATOR.fullmatch(name):
        guard_rules.function(_DIALECT, name)
