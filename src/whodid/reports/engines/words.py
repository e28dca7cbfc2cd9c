"""What Spark and Trino each say where they differ; all take and give expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from sqlglot import exp

ELEMENT: Final = "element"


class Words(ABC):
    """The words of an engine, on the lake's table."""

    dialect: str

    def __init__(self, table: exp.Table):
        self.table = table

    @abstractmethod
    def text_at(self, json: exp.Expr, keys: list[str]) -> exp.Expr:
        """The text at a place in JSON; of a list or an object its JSON."""

    @abstractmethod
    def elements(self, json: exp.Expr, keys: list[str]) -> exp.Expr:
        """The list at a place in JSON, as a list of the engine; NULL where there is none."""

    @abstractmethod
    def each(self, array: exp.Expr, name: str) -> exp.Expr:
        """What joins the elements of a list as rows: `name`.element."""

    @abstractmethod
    def matches(self, text: exp.Expr, pattern: str) -> exp.Expr: ...

    @abstractmethod
    def contains(self, text: exp.Expr, part: exp.Expr) -> exp.Expr: ...

    @abstractmethod
    def from_hex(self, digits: exp.Expr) -> exp.Expr:
        """The number that hexadecimal digits are."""

    @abstractmethod
    def epoch(self, at: exp.Expr, since: exp.Expr | None = None) -> exp.Expr:
        """Seconds from a time, or from the beginning of 1970, to another."""

    @abstractmethod
    def weekday(self, at: exp.Expr) -> exp.Expr:
        """1 (Monday) to 7."""

    @abstractmethod
    def cut(self, unit: str, at: exp.Expr) -> exp.Expr:
        """Where the hour, day, week or month of a time begins."""

    @abstractmethod
    def percentile(self, share: exp.Expr, value: exp.Expr) -> exp.Expr: ...

    @abstractmethod
    def greatest(self, values: list[exp.Expr], name: str) -> exp.Expr:
        """The greatest or least of values, passing over NULL."""

    @abstractmethod
    def time_type(self) -> exp.DataType: ...


class SparkWords(Words):
    dialect = "spark"

    def text_at(self, json: exp.Expr, keys: list[str]) -> exp.Expr:
        if not keys:
            return json
        path = "$" + "".join(f"['{key}']" for key in keys)
        return exp.Anonymous(this="get_json_object", expressions=[json, exp.Literal.string(path)])

    def elements(self, json: exp.Expr, keys: list[str]) -> exp.Expr:
        return exp.Anonymous(
            this="from_json", expressions=[self.text_at(json, keys), exp.Literal.string("array<string>")]
        )

    def each(self, array: exp.Expr, name: str) -> exp.Expr:
        alias = exp.TableAlias(this=exp.to_identifier(name), columns=[exp.to_identifier(ELEMENT)])
        return exp.Lateral(this=exp.Explode(this=array), view=True, alias=alias)

    def matches(self, text: exp.Expr, pattern: str) -> exp.Expr:
        return exp.RegexpLike(this=text, expression=exp.Literal.string(pattern))

    def contains(self, text: exp.Expr, part: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this="contains", expressions=[text, part])

    def from_hex(self, digits: exp.Expr) -> exp.Expr:
        number = exp.Anonymous(this="conv", expressions=[digits, exp.Literal.number(16), exp.Literal.number(10)])
        return exp.cast(number, "BIGINT")

    def epoch(self, at: exp.Expr, since: exp.Expr | None = None) -> exp.Expr:
        micros: exp.Expr = exp.Anonymous(this="unix_micros", expressions=[exp.cast(at, "TIMESTAMPLTZ")])
        if since is not None:
            before = exp.Anonymous(this="unix_micros", expressions=[exp.cast(since, "TIMESTAMPLTZ")])
            micros = exp.Paren(this=exp.Sub(this=micros, expression=before))
        return exp.Paren(this=exp.Div(this=micros, expression=exp.cast(exp.Literal.number(1_000_000), "DOUBLE")))

    def weekday(self, at: exp.Expr) -> exp.Expr:
        return exp.Extract(this=exp.var("DAYOFWEEK_ISO"), expression=at)

    def cut(self, unit: str, at: exp.Expr) -> exp.Expr:
        made = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(unit), at])
        return exp.cast(made, self.time_type())

    def percentile(self, share: exp.Expr, value: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this="percentile", expressions=[value, share])

    def greatest(self, values: list[exp.Expr], name: str) -> exp.Expr:
        return exp.Anonymous(this=name, expressions=values)

    def time_type(self) -> exp.DataType:
        return exp.DataType.build("TIMESTAMPNTZ")


class TrinoWords(Words):
    dialect = "trino"

    def text_at(self, json: exp.Expr, keys: list[str]) -> exp.Expr:
        path = exp.Literal.string(_trino_path(keys))
        scalar = exp.Anonymous(this="json_extract_scalar", expressions=[json, path])
        found = exp.Anonymous(this="json_extract", expressions=[json.copy(), path.copy()])
        text = exp.Anonymous(this="json_format", expressions=[found])
        other = exp.Anonymous(this="nullif", expressions=[text, exp.Literal.string("null")])
        return exp.Coalesce(this=scalar, expressions=[other])

    def elements(self, json: exp.Expr, keys: list[str]) -> exp.Expr:
        found = exp.Anonymous(this="json_extract", expressions=[json, exp.Literal.string(_trino_path(keys))])
        return exp.TryCast(this=found, to=exp.DataType.build("ARRAY<JSON>"))

    def each(self, array: exp.Expr, name: str) -> exp.Expr:
        alias = exp.TableAlias(this=exp.to_identifier(name), columns=[exp.to_identifier(ELEMENT)])
        return exp.Join(this=exp.Unnest(expressions=[array], alias=alias), kind="CROSS")

    def matches(self, text: exp.Expr, pattern: str) -> exp.Expr:
        return exp.Anonymous(this="regexp_like", expressions=[text, exp.Literal.string(pattern)])

    def contains(self, text: exp.Expr, part: exp.Expr) -> exp.Expr:
        place = exp.Anonymous(this="strpos", expressions=[text, part])
        return exp.Paren(this=exp.GT(this=place, expression=exp.Literal.number(0)))

    def from_hex(self, digits: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this="from_base", expressions=[digits, exp.Literal.number(16)])

    def epoch(self, at: exp.Expr, since: exp.Expr | None = None) -> exp.Expr:
        zoned = exp.Anonymous(this="with_timezone", expressions=[at, exp.Literal.string("UTC")])
        seconds = exp.Anonymous(this="to_unixtime", expressions=[zoned])
        return seconds if since is None else exp.Paren(this=exp.Sub(this=seconds, expression=self.epoch(since)))

    def weekday(self, at: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this="day_of_week", expressions=[at])

    def cut(self, unit: str, at: exp.Expr) -> exp.Expr:
        made = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(unit), at])
        # Without a fraction, so that its text has none either.
        return exp.cast(made, exp.DataType(this=exp.DType.TIMESTAMP, expressions=[_digits(0)]))

    def percentile(self, share: exp.Expr, value: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this="approx_percentile", expressions=[value, share])

    def greatest(self, values: list[exp.Expr], name: str) -> exp.Expr:
        first, *others = values
        for other in others:
            both = exp.Anonymous(this=name, expressions=[first, other])
            first = exp.Coalesce(this=both, expressions=[first.copy(), other.copy()])
        return first

    def time_type(self) -> exp.DataType:
        return exp.DataType(
            this=exp.DataType.Type.TIMESTAMP, expressions=[exp.DataTypeParam(this=exp.Literal.number(6))]
        )


def _trino_path(keys: list[str]) -> str:
    return "$" + "".join(f'["{key}"]' for key in keys)


def _digits(count: int) -> exp.DataTypeParam:
    return exp.DataTypeParam(this=exp.Literal.number(count))
