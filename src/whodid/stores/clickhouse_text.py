"""How parts of a statement become ClickHouse's text: by what is said for their kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlglot import exp

# Kinds of nodes and what is said for them; None leaves one to sqlglot.
SAYS: Final[dict[type[exp.Expression], Callable[[Any], str | None]]] = {}


def text(node: Any) -> str:
    """A part of a statement in ClickHouse's words."""
    return str(node.transform(_said).sql("clickhouse"))


def _said(node: exp.Expression) -> exp.Expression:
    for kind, say in SAYS.items():
        if isinstance(node, kind):
            said = say(node)
            return node if said is None else exp.Var(this=said)
    return node
