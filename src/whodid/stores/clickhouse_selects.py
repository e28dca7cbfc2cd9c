"""SELECT statements, their columns and common tables in ClickHouse's words."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from whodid.stores.clickhouse_stars import names_of_star
from whodid.stores.clickhouse_text import text

ID_COLUMNS: Final = frozenset({"id", "event_id"})


def select(node: Any) -> None:
    """A SELECT whose columns have names of their own: the engine would put the relation's name before some.

    What it is ordered by means its own columns first, as in the other stores; the engine would take the relation's.
    """
    _pair_lists(node)
    names: set[str] = set()
    columns = [_column(column, names) for star in node.expressions for column in _columns_of(star, node)]
    node.set("expressions", columns)
    places = {column.alias: place for place, column in enumerate(columns, start=1) if isinstance(column, exp.Alias)}
    order = node.args.get("order")
    for ordered in order.expressions if order is not None else ():
        by = ordered.this
        if isinstance(by, exp.Column) and not by.table and by.name in places:
            column = columns[places[by.name] - 1].this
            is_id = isinstance(column, exp.Column) and column.name in ID_COLUMNS
            ordered.set("this", column.copy() if is_id else exp.Literal.number(places[by.name]))


def _columns_of(column: exp.Expression, select: exp.Select) -> list[exp.Expression]:
    """The columns that `t.*` stands for where others are joined to it."""
    if not (isinstance(column, exp.Column) and isinstance(column.this, exp.Star) and select.args.get("joins")):
        return [column]
    names = names_of_star(column, select)
    return [exp.column(name, column.table, quoted=True) for name in names] or [column]


def _column(column: Any, names: set[str]) -> Any:
    """A column of a SELECT under its own name, unless another has it already; its whole numbers have a sign."""
    if isinstance(column, exp.Column) and column.table and not isinstance(column.this, exp.Star):
        if column.name not in names:
            column = exp.alias_(column, column.name, quoted=True)
    elif _is_unsigned(column.unalias()):
        number = exp.Var(this=f"toInt64({text(column.unalias())})")
        column = exp.alias_(number, column.alias, quoted=True) if column.alias else number
    names.add(column.alias_or_name)
    return column


def _is_unsigned(node: Any) -> bool:
    """Whether the engine counts here without a sign: such numbers do not go together with others."""
    while isinstance(node, exp.Window | exp.Filter):
        node = node.this
    return isinstance(node, exp.Count | exp.RowNumber) or (isinstance(node, exp.Literal) and node.is_int)


def signed(node: Any) -> None:
    """A CASE that chooses among whole numbers alone, such as 1 and 0, gives numbers with a sign."""
    places = [(node, "default"), *((choice, "true") for choice in node.args["ifs"])]
    values = [holder.args[name] for holder, name in places if holder.args.get(name) is not None]
    if not all(isinstance(value, exp.Literal) and value.is_int for value in values):
        return
    for holder, name in places:
        if holder.args.get(name) is not None:
            holder.set(name, exp.Var(this=f"toInt64({holder.args[name].name})"))


def _pair_lists(node: Any) -> None:
    """Lists side by side as rows: the first elements of all make one, then the second ones."""
    lists = [column for column in node.expressions if isinstance(column.unalias(), exp.Explode | exp.Unnest)]
    if len(lists) < 2:
        return
    zipped = ", ".join(text(_list_of(column.unalias())) for column in lists)
    numbers = {id(column): number for number, column in enumerate(lists, start=1)}
    said = [
        exp.alias_(
            exp.Var(this=f"tupleElement(arrayJoin(arrayZip({zipped})), {numbers[id(column)]})"),
            column.alias,
            quoted=True,
        )
        if id(column) in numbers
        else column
        for column in node.expressions
    ]
    node.set("expressions", said)


def _list_of(node: Any) -> Any:
    return node.expressions[0] if isinstance(node, exp.Unnest) else node.this


def common_table(node: Any) -> None:
    """A common table that goes on from itself: a UNION ALL here, each of whose steps has no row twice.

    As long as a row tells the number of its step, that is what UNION means.
    """
    query = node.this
    if not isinstance(query, exp.Union) or not query.args.get("distinct"):
        return
    if any(table.name == node.alias for table in query.right.find_all(exp.Table)):
        query.set("distinct", False)
        query.right.set("distinct", exp.Distinct())
