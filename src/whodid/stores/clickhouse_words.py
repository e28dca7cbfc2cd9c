"""The common dialect of the stores (DuckDB's, as far as PostgreSQL shares it) in ClickHouse's words.

sqlglot translates the grammar; here is what it does not know, or what means something else: times of microseconds,
percentiles, looks into JSON, order of ids, and rows out of lists. Functions that it does not know pass as they are, so
that a statement of whodid's own may say ClickHouse's functions where the dialects differ for good.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import sqlglot
from sqlglot import exp

from whodid.errors import WhodidError
from whodid.stores.clickhouse_params import quoted
from whodid.stores.clickhouse_selects import ID_COLUMNS, common_table, select, signed
from whodid.stores.clickhouse_text import SAYS, text

_READ: Final = "duckdb"
_WRITE: Final = "clickhouse"
_TYPES: Final = {
    exp.DataType.Type.TIMESTAMP: "DateTime64(6, 'UTC')",
    exp.DataType.Type.TIMESTAMPTZ: "DateTime64(6, 'UTC')",
    exp.DataType.Type.TIMESTAMPNTZ: "DateTime64(6, 'UTC')",
    exp.DataType.Type.VARCHAR: "String",
    exp.DataType.Type.TEXT: "String",
    exp.DataType.Type.JSON: "String",
    exp.DataType.Type.DATE: "Date32",
    exp.DataType.Type.UUID: "UUID",
    exp.DataType.Type.DOUBLE: "Float64",
    exp.DataType.Type.INT: "Int32",
    exp.DataType.Type.BIGINT: "Int64",
    exp.DataType.Type.BOOLEAN: "Bool",
}
_PARTS: Final = {
    "HOUR": "toHour({})",
    "MINUTE": "toMinute({})",
    "DAY": "toDayOfMonth({})",
    "MONTH": "toMonth({})",
    "YEAR": "toYear({})",
    "WEEK": "toISOWeek({})",
    "ISODOW": "toDayOfWeek({})",
    "DOW": "(toDayOfWeek({}) % 7)",
    "DAYOFWEEK": "(toDayOfWeek({}) % 7)",
    "DAYOFWEEKISO": "toDayOfWeek({})",
}
# Columns of few different texts.
_DICTIONARIES: Final = frozenset({"user", "acting_for", "person", "who", "type", "function", "project", "node"})
_FUNCTIONS: Final = {"isfinite": "isFinite"}
_MICROSECONDS: Final = 1_000_000


@functools.lru_cache(maxsize=2048)
def translated(sql: str, keeps_tables: bool = True) -> str:
    """The statement in ClickHouse's words; parameters stay `$name`.

    keeps_tables  whether the engine can work out a common table once for all who read it.

    Raises
    ------
    WhodidError("invalid")
        It cannot be read, or is no single SELECT.
    """
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=_READ) if tree is not None]
    except sqlglot.errors.SqlglotError as error:
        raise WhodidError("invalid", f"The statement cannot be read: {str(error)[:300]}") from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise WhodidError("invalid", "Only a single SELECT is answered.")
    for with_ in trees[0].find_all(exp.With):
        for table in with_.expressions:
            # In a recursive statement it refuses a word on how to keep a table.
            table.set("materialized", True if keeps_tables and not with_.args.get("recursive") else None)
    return text(trees[0])


def _type(kind: exp.DataType) -> str:
    if kind.this == exp.DataType.Type.ARRAY:
        return f"Array({_type(kind.expressions[0])})"
    return _TYPES.get(kind.this) or kind.sql(_WRITE).removeprefix("Nullable(").removesuffix(")")


def _cast(node: Any) -> str:
    if isinstance(node.this, exp.DPipe) and node.this.left.name == "0x":
        return f"toInt64(reinterpretAsUInt64(reverse(unhex({text(node.this.right)}))))"
    if node.to.this == exp.DataType.Type.DECIMAL:
        return _rounded(node)
    kind = _type(node.to).replace("'", "\\'")
    return f"{'accurateCastOrNull' if isinstance(node, exp.TryCast) else 'CAST'}({text(node.this)}, '{kind}')"


def _rounded(node: Any) -> str:
    """A decimal: the engine's own cuts digits off, and fails at what is no number."""
    value, scale = text(node.this), 10 ** int(node.to.expressions[1].name)
    return f"(sign({value}) * floor(abs({value}) * {scale} + 0.5) / {scale})"


def _parameter(node: Any) -> str:
    return f"${node.name}" if node.name else "?"


def _truncated(node: Any) -> str:
    unit = node.args["unit"]
    length = text(unit) if isinstance(unit, exp.Cast) else f"'{unit.name.lower()}'"
    return f"CAST(date_trunc({length}, {text(node.this)}), 'DateTime64(0, \\'UTC\\')')"


def _length(node: Any) -> str | None:
    """`number * INTERVAL '1 second'`: the engine multiplies no intervals."""
    if not isinstance(node.expression, exp.Interval):
        return None
    return f"toInterval{node.expression.text('unit').capitalize()}({text(node.this)} * {node.expression.name})"


def _percentile(node: Any) -> str | None:
    """`percentile_cont(share) WITHIN GROUP (ORDER BY value)`."""
    if not isinstance(node.this, exp.PercentileCont):
        return None
    (order,) = node.expression.expressions
    return f"quantileExactInclusiveOrNull({text(node.this.this)})({text(order.this)})"


def _percentiles(node: Any) -> str:
    """`quantile_cont(value, share)`, or a list of shares for a list. Of no values the engine makes a list of NaN."""
    shares = node.expression
    if isinstance(shares, exp.Array):
        told = f"quantilesExactInclusive({', '.join(map(text, shares.expressions))})({text(node.this)})"
        return f"arrayMap(one -> if(isNaN(one), NULL, one), {told})"
    return f"quantileExactInclusiveOrNull({text(shares)})({text(node.this)})"


def _count(node: Any) -> str | None:
    """Different texts of a dictionary: the engine would hash the text of every row to count them, but gathers them by
    their places in the dictionary."""
    values = node.this.expressions if isinstance(node.this, exp.Distinct) else []
    if len(values) != 1 or not isinstance(values[0], exp.Column) or values[0].name not in _DICTIONARIES:
        return None
    return f"length(groupUniqArray({text(values[0])}))"


def _extracted(node: Any) -> str:
    part, at = node.name.upper(), node.expression.unnest()
    if part == "EPOCH":
        if isinstance(at, exp.Sub):
            return f"(dateDiff('microsecond', {text(at.expression)}, {text(at.this)}) / {_MICROSECONDS})"
        return f"(toUnixTimestamp64Micro({text(at)}) / {_MICROSECONDS})"
    return _PARTS[part].format(text(at))


def _by_name(node: Any) -> str | None:
    name = _FUNCTIONS.get(node.name.lower())
    return name and f"{name}({', '.join(map(text, node.expressions))})"


def _of_json(node: Any) -> str:
    """`json ->> place`: a text of whatever is there. Several places at once give a list."""
    places = node.expression
    if isinstance(places, exp.Array):
        return f"[{', '.join(_text_at(node.this, place) for place in places.expressions)}]"
    return _text_at(node.this, places)


def _text_at(json: exp.Expression, place: exp.Expression) -> str:
    return f"JSONExtract({', '.join((text(json), *_keys(place)))}, 'Nullable(String)')"


def _json_at(node: Any) -> str:
    return f"JSONExtractRaw({', '.join((text(node.this), *_keys(node.expression)))})"


def _json_type(node: Any) -> str | None:
    if not isinstance(node.this, exp.JSONExtract):
        return None
    return f"upper(toString(JSONType({', '.join((text(node.this.this), *_keys(node.this.expression)))})))"


def _elements(node: Any) -> str | None:
    """Rows out of a list; a list of JSON has none where there is none, so that nobody need ask first."""
    source = node.this
    if isinstance(source, exp.Case):
        source = source.args["ifs"][0].args["true"]
    if isinstance(source, exp.Cast) and isinstance(source.this, exp.JSONExtract):
        json = source.this
        return f"arrayJoin(JSONExtractArrayRaw({', '.join((text(json.this), *_keys(json.expression)))}))"
    return None


def _keys(place: exp.Expression) -> list[str]:
    """The keys that lead to a place in JSON: of a pointer (RFC 6901), of a path, or one key as it is.
    Parameters are an object; a number farther in is a place in a list, which the engine counts from 1."""
    if isinstance(place, exp.JSONPath):
        names = [part.this for part in place.expressions if isinstance(part, exp.JSONPathKey)]
    elif isinstance(place, exp.Literal) and place.name[:1] in ("", "/"):
        names = [name.replace("~1", "/").replace("~0", "~") for name in place.name.split("/")[1:]]
    else:
        return [text(place)]
    return [str(int(name) + 1) if depth and name.isdecimal() else quoted(name) for depth, name in enumerate(names)]


def _matched(node: Any) -> str:
    flag = node.args.get("flag")
    pattern = text(node.expression)
    return f"match({text(node.this)}, {f'concat({chr(39)}(?{flag.name}){chr(39)}, {pattern})' if flag else pattern})"


def _replaced(node: Any) -> str:
    modifiers = node.args.get("modifiers")
    name = "replaceRegexpAll" if modifiers is not None and "g" in modifiers.name else "replaceRegexpOne"
    return f"{name}({text(node.this)}, {text(node.expression)}, {text(node.args['replacement'])})"


def _part(node: Any) -> str:
    source = text(node.this)
    parts = f"splitByString({text(node.args['delimiter'])}, ifNull({source}, ''))[{text(node.args['part_index'])}]"
    return f"if(isNull({source}), NULL, {parts})"


def _gathered(node: Any) -> str:
    """A list in an order: pairs of the order's value and the list's, sorted by the first."""
    if not isinstance(node.this, exp.Order):
        return f"groupArray({text(node.this)})"
    (ordered,) = node.this.expressions
    sort = "arrayReverseSort" if ordered.args.get("desc") else "arraySort"
    pairs = f"groupArray(tuple({text(ordered.this)}, {text(node.this.this)}))"
    return f"arrayMap(pair -> pair.2, {sort}(pair -> pair.1, {pairs}))"


def _neighbour(name: str) -> Callable[[Any], str]:
    """`lag` and `lead`: NULL, not an empty value, where there is no such row."""

    def say(node: Any) -> str:
        rest = [node.args.get("offset"), node.args.get("default")]
        return f"{name}({', '.join([f'toNullable({text(node.this)})', *(text(one) for one in rest if one)])})"

    return say


def _any_of(node: Any) -> str | None:
    """`x = ANY(list)` as `x IN list`, by which the engine can look into its indexes."""
    side = node.expression
    if not isinstance(side, exp.Any):
        return _compared(node)
    return f"({text(node.this)} IN {text(side.this.unnest())})"


def _compared(node: Any) -> str | None:
    """Ids stand in the order of their text, which is not the engine's order of UUIDs."""
    sides = (node.this, node.expression)
    if isinstance(node, exp.EQ | exp.NEQ) or not any(_is_uuid(side) for side in sides):
        return None
    sign = {exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}[type(node)]
    return f"(UUIDToNum({text(sides[0])}) {sign} UUIDToNum({text(sides[1])}))"


def _is_uuid(node: exp.Expression) -> bool:
    return isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.UUID


def _ordered(node: Any) -> str | None:
    column = node.this
    if not isinstance(column, exp.Column) or column.name not in ID_COLUMNS:
        return None
    return f"toString({text(column)}){' DESC' if node.args.get('desc') else ''}"


def _truth(node: Any) -> str | None:
    if not isinstance(node.expression, exp.Boolean):
        return None
    return f"(ifNull({text(node.this)}, false) = {'true' if node.expression.this else 'false'})"


SAYS.update(
    {
        exp.Select: select,
        exp.CTE: common_table,
        exp.Case: signed,
        exp.Anonymous: _by_name,
        exp.Cast: _cast,
        exp.Placeholder: _parameter,
        exp.Parameter: lambda node: f"${text(node.this)}",
        exp.TimestampTrunc: _truncated,
        exp.DateTrunc: _truncated,
        exp.Mul: _length,
        exp.WithinGroup: _percentile,
        exp.Extract: _extracted,
        exp.Count: _count,
        exp.PercentileCont: _percentiles,
        exp.JSONExtractScalar: _of_json,
        exp.JSONExtract: _json_at,
        exp.JSONType: _json_type,
        exp.Explode: _elements,
        exp.RegexpLike: _matched,
        exp.RegexpReplace: _replaced,
        exp.SplitPart: _part,
        exp.ArrayAgg: _gathered,
        exp.Lag: _neighbour("lag"),
        exp.Lead: _neighbour("lead"),
        exp.LogicalOr: lambda node: f"maxOrNull({text(node.this)})",
        exp.LogicalAnd: lambda node: f"minOrNull({text(node.this)})",
        exp.EQ: _any_of,
        exp.LT: _compared,
        exp.LTE: _compared,
        exp.GT: _compared,
        exp.GTE: _compared,
        exp.Ordered: _ordered,
        exp.Is: _truth,
        # Of no rows there is no sum and no least value; the engine's would be 0. Its own setting for that would keep it
        # from answering out of projections.
        exp.Sum: lambda node: f"sumOrNull({text(node.this)})",
        exp.Avg: lambda node: f"avgOrNull({text(node.this)})",
        exp.Min: lambda node: f"minOrNull({text(node.this)})",
        exp.Max: lambda node: f"maxOrNull({text(node.this)})",
    }
)
