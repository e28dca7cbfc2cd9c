"""What the choices of a report leave out of its statement, so that no engine plans or reads it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp


def leave_out(tree: exp.Expr, choices: Mapping[str, str]) -> None:
    """Take out what `CAST($choice AS varchar) = 'value'` does not hold for.

    That is a branch of a CASE with ELSE, a branch but the first of a UNION ALL within the statement, and common tables
    that nothing reads then. A query with such a condition among others has it alone; elsewhere the comparison becomes
    TRUE or FALSE.

    choices  values of the parameters that are choices.
    """
    for test in list(tree.find_all(exp.EQ)):
        chosen = test.this.this if isinstance(test.this, exp.Cast) else None
        if isinstance(chosen, exp.Placeholder) and chosen.name in choices and test.expression.is_string:
            test.replace(exp.Boolean(this=choices[chosen.name] == test.expression.name))
    for case in list(tree.find_all(exp.Case)):
        _decide(case)
    for where in list(tree.find_all(exp.Where)):
        if any(_is_false(one) for one in _all_of(where.this)):
            where.set("this", exp.false())
    for union in reversed(list(tree.find_all(exp.Union))):
        if union is not tree and not union.args["distinct"] and _is_left_out(union.expression):
            union.replace(union.this)
    _drop_unread(tree)


def _decide(case: exp.Case) -> None:
    """A CASE of one condition that is known, as what it then is."""
    first, *others = case.args["ifs"]
    otherwise = case.args.get("default")
    if isinstance(first.this, exp.Boolean) and case.this is None and not others and otherwise is not None:
        case.replace(first.args["true"] if first.this.this else otherwise)


def _is_left_out(branch: exp.Expr) -> bool:
    where = branch.args.get("where")
    return where is not None and _is_false(where.this) and not branch.find(exp.AggFunc)


def _is_false(condition: exp.Expr) -> bool:
    return isinstance(condition, exp.Boolean) and not condition.this


def _all_of(condition: exp.Expr) -> list[exp.Expr]:
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _drop_unread(tree: exp.Expr) -> None:
    """Drop common tables that nothing reads, and then those that only they read."""
    tables = tree.args.get("with_")
    while tables is not None:
        read = [table.name for table in tree.find_all(exp.Table)]
        kept = [one for one in tables.expressions if one.alias in read]
        if len(kept) == len(tables.expressions):
            return
        tables.set("expressions", kept)
