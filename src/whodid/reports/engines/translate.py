"""A report's statement, in the common dialect, as Spark SQL or Trino SQL on a lake's table; values stand in its text.

`reports.run` makes the statement for the kind `lake`, whose words on JSON stay as they are; here the engine's own take
their place. What engines say differently and sqlglot leaves alone is one function in `Words` for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlglot
from sqlglot import exp

from whodid.errors import WhodidError
from whodid.reports.engines.words import ELEMENT, SparkWords, TrinoWords, Words

COMMON: Final = "duckdb"
# What `$depth` limits, and so how often a recursion is written out.
DEPTH: Final = "depth"
STEPS_MAX: Final = 100

# That a common table is to be worked out once: it says so itself, or it is a step that the next one reads.
_ONCE: Final = "once"

_TABLE: Final = re.compile(r"\w+(\.\w+){0,3}")
_NUMBER: Final = r"^\s*[+-]?[0-9]{1,18}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?\s*$"


class Stage(NamedTuple):
    """A view that a statement reads, `once` when it is better worked out once than wherever it is read."""

    name: str
    sql: str
    once: bool


def translated(sql: str, params: Mapping[str, Any], engine: str, table: str) -> str:
    """The statement for an engine.

    Parameters
    ----------
    sql
        One SELECT of the kind `lake`; parameters are `$name`.
    params
        Their values: texts, numbers, booleans, times (UTC without zone), None, and lists of them.
    engine
        `spark` or `trino`.
    table
        The lake's table, as the engine names it: `lake.whodid.events`.

    Raises
    ------
    WhodidError("invalid")
        `table` is no name of a table.
    WhodidError("unsupported")
        It reads what is not in the lake.
    """
    words = _WORDS[engine](_table(table))
    return _tree(sql, params, words).sql(words.dialect, identify=True)


def in_stages(sql: str, params: Mapping[str, Any], engine: str, table: str, prefix: str) -> tuple[list[Stage], str]:
    """The statement's common tables as views to be made in this order, and what is left of it, which reads these.

    Whoever asks an engine that reads a common table anew wherever it is named can work out once what is read often.

    prefix  begins the names of the views; other parameters and errors as of `translated`.
    """
    words = _WORDS[engine](_table(table))
    tree = _tree(sql, params, words)
    found = tree.args.get("with_")
    if found is None:
        return [], tree.sql(words.dialect, identify=True)
    names = {one.alias: f"{prefix}_{one.alias}" for one in found.expressions}
    for read in tree.find_all(exp.Table):
        if read.name in names and not read.db:
            if not read.alias:
                read.set("alias", exp.TableAlias(this=exp.to_identifier(read.name)))
            read.set("this", exp.to_identifier(names[read.name]))
    tree.set("with_", None)
    stages = []
    for one in found.expressions:
        query = one.this
        for column, name in zip(one.args["alias"].columns, query.selects, strict=False):
            name.replace(exp.alias_(name.unalias().copy(), column.name, quoted=True))
        stages.append(Stage(names[one.alias], query.sql(words.dialect, identify=True), bool(one.meta.get(_ONCE))))
    return stages, tree.sql(words.dialect, identify=True)


def _tree(sql: str, params: Mapping[str, Any], words: Words) -> exp.Expr:
    tree = sqlglot.parse_one(sql, read=COMMON).transform(_with_values, params=params)
    _written_out(tree, int(params.get(DEPTH, 0)))
    for select in list(tree.find_all(exp.Select)):
        _joined(select, words)
    for select in list(tree.find_all(exp.Select)):
        _sorted(select)
    # What stands within an expression is said first.
    for node in reversed(list(tree.bfs())):
        said = _said(node, words)
        if said is not node:
            node.replace(said)
    return tree


def literal(value: Any) -> exp.Expr:
    """A value as it stands in a statement; never anything but a value, whatever a text holds."""
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.strftime("%Y-%m-%d %H:%M:%S.%f")), "TIMESTAMP", dialect=COMMON)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    if isinstance(value, (int, float)):
        number = exp.Literal.number(repr(abs(value)))
        return exp.Neg(this=number) if value < 0 else number
    if isinstance(value, (list, tuple)):
        return exp.Array(expressions=[literal(one) for one in value])
    if isinstance(value, str):
        return exp.Literal.string(value)
    raise TypeError(f"No value of a statement: {type(value).__name__}.")


_WORDS: Final[dict[str, Callable[[exp.Table], Words]]] = {"spark": SparkWords, "trino": TrinoWords}


def _table(name: str) -> exp.Table:
    if not _TABLE.fullmatch(name):
        raise WhodidError(
            "invalid", f"The table is {name[:100]!r}.", "Write catalog.namespace.table: lake.whodid.events"
        )
    return exp.to_table(name, dialect=COMMON)


def _with_values(node: exp.Expr, *, params: Mapping[str, Any]) -> exp.Expr:
    if isinstance(node, (exp.Parameter, exp.Placeholder)):
        return literal(params[node.name])
    return node


def _written_out(tree: exp.Expr, steps: int) -> None:
    """Every recursion as its steps, one common table each: engines know none with UNION, or only short ones."""
    for found in list(tree.find_all(exp.With)):
        found.set("recursive", False)
        tables: list[exp.Expr] = []
        for table in found.expressions:
            table.meta[_ONCE] = bool(table.args.get("materialized"))
            table.set("materialized", None)
            tables += _steps(table, min(steps, STEPS_MAX)) if _is_recursive(table) else [table]
        found.set("expressions", tables)


def _is_recursive(table: exp.CTE) -> bool:
    return isinstance(table.this, exp.SetOperation) and any(
        one.name == table.alias for one in table.this.find_all(exp.Table)
    )


def _steps(table: exp.CTE, steps: int) -> list[exp.CTE]:
    anchor, step = table.this.left, table.this.right
    names = [exp.to_identifier(column.alias_or_name) for column in anchor.selects]
    made = []
    for place in range(steps + 1):
        query = anchor.copy() if not place else step.copy().distinct()
        for read in query.find_all(exp.Table):
            if read.name == table.alias:
                read.set("this", exp.to_identifier(f"{table.alias}_{place - 1}"))
        alias = exp.TableAlias(this=exp.to_identifier(f"{table.alias}_{place}"), columns=[one.copy() for one in names])
        made.append(exp.CTE(this=query, alias=alias))
        made[-1].meta[_ONCE] = True
    every: exp.Query = exp.select("*").from_(f"{table.alias}_0")
    for place in range(1, steps + 1):
        every = exp.union(every, exp.select("*").from_(f"{table.alias}_{place}"), distinct=False)
    return [*made, exp.CTE(this=every, alias=exp.TableAlias(this=exp.to_identifier(table.alias)))]


def _joined(select: exp.Select, words: Words) -> None:
    """Rows made of lists within what is selected, as rows that are joined."""
    made = [one for one in select.find_all(exp.Explode) if one.find_ancestor(exp.Select) is select]
    if made and select.args.get("from_") is None:
        _listed(select)
        return
    for place, explode in enumerate(made):
        name = f"each_{place}"
        found = explode.find(exp.JSONExtract)
        if found is None:
            raise WhodidError("internal", "A report makes rows of what is no list in JSON.")
        each = words.each(words.elements(_json(found.this), _keys(found.expression)), name)
        explode.replace(exp.column(ELEMENT, table=name))
        select.append("laterals" if isinstance(each, exp.Lateral) else "joins", each)


def _sorted(select: exp.Select) -> None:
    """What a grouped query is sorted by and does not give, as a column of a query within it: engines want it so."""
    order, names = select.args.get("order"), [projection.alias_or_name for projection in select.expressions]
    if order is None or not select.args.get("group") or not select.find(exp.Window):
        return
    hidden = [key for key in order.expressions if key.find(exp.AggFunc) and not key.find(exp.Window)]
    if not hidden:
        return
    inner = select.copy()
    for part in ("order", "limit", "with_"):
        inner.set(part, None)
    for place, key in enumerate(hidden):
        inner.select(exp.alias_(key.this.copy(), f"sorted_by_{place}", quoted=True), copy=False)
        key.set("this", exp.column(f"sorted_by_{place}"))
    columns = [exp.column(name, quoted=True) for name in names]
    outer = exp.select(*columns).from_(inner.subquery("every_row"))
    for part in ("order", "limit", "with_"):
        outer.set(part, select.args.get(part))
    for part in list(select.args):
        select.set(part, None)
    for part, value in outer.args.items():
        select.set(part, value)


def _listed(select: exp.Select) -> None:
    """`SELECT unnest([…]) AS a, unnest([…]) AS b` as its rows."""
    lists = [[one.copy() for one in array.expressions] for array in select.find_all(exp.Array)]
    names = [projection.alias for projection in select.expressions]
    rows = [
        exp.select(*(exp.alias_(value, name, quoted=True) for value, name in zip(row, names, strict=True)))
        for row in zip(*lists, strict=True)
    ]
    if not rows:
        empty = (exp.alias_(exp.cast(exp.null(), "VARCHAR"), name, quoted=True) for name in names)
        rows = [exp.select(*empty).where(exp.false())]
    every: exp.Query = rows[0] if len(rows) == 1 else exp.union(*rows, distinct=False)
    select.replace(every)


def _said(node: exp.Expr, words: Words) -> exp.Expr:
    for kind, say in _SAYS:
        if isinstance(node, kind):
            return say(node, words)
    return node


def _relation(node: exp.Table, words: Words) -> exp.Expr:
    if node.name == "events" and not node.db:
        made: exp.Expr = words.table.copy()
    elif node.name == "event_entities":
        made = _further(words)
    elif node.name == "rejected_events":
        raise WhodidError("unsupported", "What was rejected is not in the lake.", "Ask the store: leave --engine out.")
    else:
        return node
    if alias := node.args.get("alias"):
        made.set("alias", alias)
    return made


def _further(words: Words) -> exp.Subquery:
    """The things of events beyond the first, as stores keep them; the first one is the same, once more."""
    each = words.each(words.elements(exp.column("entities"), []), "each_one")
    element = exp.column(ELEMENT, table="each_one")
    columns = [
        exp.alias_(words.text_at(element.copy(), [key]), key, quoted=True) for key in ("type", "id", "role", "name")
    ]
    query = exp.select(exp.alias_(exp.column("id", table="s"), "event_id"), exp.column("time", table="s"), *columns)
    query = query.from_(exp.alias_(words.table.copy(), "s", table=True))
    query.append("laterals" if isinstance(each, exp.Lateral) else "joins", each)
    return query.subquery()


def _text_at(node: exp.JSONExtractScalar, words: Words) -> exp.Expr:
    json = _json(node.this)
    if not isinstance(node.expression, exp.Array):
        return words.text_at(json, _keys(node.expression))
    return exp.Array(expressions=[words.text_at(json.copy(), _keys(one)) for one in node.expression.expressions])


def _function(node: exp.Anonymous, _words: Words) -> exp.Expr:
    if node.name.lower() != "isfinite":
        return node
    return exp.Not(this=exp.Is(this=node.expressions[0], expression=exp.null()))


def _number(node: exp.TryCast, words: Words) -> exp.Expr:
    """A number out of a text, else NULL: engines read more as one than reports mean."""
    if node.to.this is not exp.DType.DOUBLE:
        return node
    number = exp.cast(exp.func("trim", node.this.copy()), "DOUBLE")
    return exp.Paren(this=exp.case().when(words.matches(node.this, _NUMBER), number))


def _extract(node: exp.Extract, words: Words) -> exp.Expr:
    unit, value = node.name.upper(), node.expression.unnest()
    if unit == "ISODOW":
        return words.weekday(value)
    if unit != "EPOCH":
        return node
    if isinstance(value, exp.Sub):
        return words.epoch(value.left, value.right)
    return words.epoch(value)


def _truncated(node: exp.Expr, words: Words) -> exp.Expr:
    unit = node.args["unit"]
    text = unit.this if isinstance(unit, exp.Cast) else unit
    return words.cut(text.name.lower(), node.this)


def _any(node: exp.EQ, _words: Words) -> exp.Expr:
    if not isinstance(node.expression, exp.Any):
        return node
    values = node.expression.this.find(exp.Array)
    if values is None:
        raise WhodidError("internal", "A report compares with any of what is no list.")
    return exp.Paren(this=exp.In(this=node.this, expressions=values.expressions) if values.expressions else exp.false())


def _windowed(node: exp.Window, _words: Words) -> exp.Expr:
    """A window of some rows, as one of all in which the others are NULL: Spark has no FILTER there. Rows that are
    numbered in any order, in that of their columns, so that every look at them gives the same numbers."""
    if isinstance(node.this, exp.RowNumber) and not node.args.get("order") and not node.alias:
        select = node.find_ancestor(exp.Select)
        columns = [one.copy() for one in (select.expressions if select else ()) if isinstance(one, exp.Column)]
        node.set("order", exp.Order(expressions=[exp.Ordered(this=column) for column in columns]))
    if not isinstance(node.this, exp.Filter):
        return node
    function, condition = node.this.this, node.this.expression.this
    counted = exp.Literal.number(1) if isinstance(function.this, exp.Star) else function.this
    function.set("this", exp.case().when(condition, counted))
    node.set("this", function)
    return node


def _replaced(node: exp.RegexpReplace, _words: Words) -> exp.Expr:
    """Every match gives way, as the mark `g` asks: engines do that by themselves, and Trino takes no marks."""
    node.set("modifiers", None)
    return node


def _cast(node: exp.Cast, words: Words) -> exp.Expr:
    if node.to.this in (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ) and not node.to.expressions:
        node.set("to", words.time_type())
    elif node.to.this is exp.DataType.Type.UUID:
        node.set("to", exp.DataType.build("VARCHAR"))
    elif isinstance(node.this, exp.DPipe) and node.this.left.name == "0x":
        return words.from_hex(node.this.right)
    return node


# Kinds of expressions that are said otherwise; what stands within them has been said already.
_SAYS: Final[tuple[tuple[type[exp.Expr], Callable[[Any, Words], exp.Expr]], ...]] = (
    (exp.Table, _relation),
    (exp.Anonymous, _function),
    (exp.Extract, _extract),
    (exp.TimestampTrunc, _truncated),
    (exp.DateTrunc, _truncated),
    (exp.EQ, _any),
    (exp.JSONExtractScalar, _text_at),
    (exp.TryCast, _number),
    (exp.Contains, lambda node, words: words.contains(node.this, node.expression)),
    (exp.Cast, _cast),
    (exp.RegexpReplace, _replaced),
    (exp.Window, _windowed),
    (exp.PercentileCont, lambda node, words: words.percentile(node.expression, node.this) if node.expression else node),
    (exp.WithinGroup, lambda node, words: words.percentile(node.this.this, node.expression.expressions[0].this)),
    (exp.Greatest, lambda node, words: words.greatest([node.this, *node.expressions], "greatest")),
    (exp.Least, lambda node, words: words.greatest([node.this, *node.expressions], "least")),
)


def _json(source: exp.Expr) -> exp.Expr:
    """JSON is text in the lake."""
    is_json = isinstance(source, exp.Cast) and source.to.this in (exp.DataType.Type.JSON, exp.DataType.Type.JSONB)
    return source.this if is_json else source


def _keys(pointer: exp.Expr) -> list[str]:
    """The keys of a JSON pointer (RFC 6901); the empty one is read as a path."""
    if isinstance(pointer, exp.JSONPath):
        return []
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.name.split("/")[1:]]
