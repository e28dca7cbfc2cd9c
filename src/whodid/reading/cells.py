"""Arrow columns as JSON values and as cells of text."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from whodid.errors import WhodidError

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
_INT64: Final = range(-(2**63), 2**64)
# What a spreadsheet may take for the beginning of a formula, in its wide forms too.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")

_EPOCH: Final = datetime(1970, 1, 1)
# From the beginning of the year 1 to the end of 9999, and what DuckDB and PostgreSQL hold beyond all times.
_YEARS_US: Final = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_INFINITE_US: Final = {2**63 - 1: "infinity", -(2**63) + 1: "-infinity", -(2**63): "-infinity"}
_TYPE_NAMES: Final[tuple[tuple[Callable[[pa.DataType], bool], str], ...]] = (
    (pa.types.is_string, "varchar"),
    (pa.types.is_large_string, "varchar"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_floating, "double"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_binary, "blob"),
    (pa.types.is_null, "null"),
)


def json_columns(table: pa.Table) -> list[Sequence[Any]]:
    """Each column as values that `encode` takes: times and UUIDs as text, JSON as it is, numbers exact."""
    return [_json_column(table.column(i), table.schema.field(i)) for i in range(table.num_columns)]


def encode(value: Any) -> bytes:
    """JSON of values of `json_columns`."""
    return _ENCODER.encode(value)


def text_columns(table: pa.Table) -> list[Sequence[str | None]]:
    """Each column as text, as JSON would write its values but without quotation marks around text."""
    return [_text_column(table.column(i), table.schema.field(i)) for i in range(table.num_columns)]


def python_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as Python values; times are datetimes in UTC, without zone.

    Raises WhodidError("invalid") for those outside of the years 1 to 9999.

    Unlike `Table.to_pylist`, which loads pandas (a second, 50 MB) for times wherever it is installed.
    """
    columns = []
    with _within_calendar():
        for column in table.columns:
            if pa.types.is_timestamp(column.type):
                columns.append([None if value is None else moment(value) for value in microseconds(column).to_pylist()])
            else:
                columns.append(column.to_pylist())
    return [dict(zip(table.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def microseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as microseconds since 1970, UTC."""
    return column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())


def moment(microseconds: int) -> datetime:
    """The time so many microseconds after 1970, without zone."""
    return _EPOCH + timedelta(microseconds=microseconds)


def type_name(field: pa.Field) -> str:
    """What a column holds, in the words of SQL."""
    kind = field.type
    if isinstance(kind, pa.JsonType) or (field.metadata or {}).get(b"whodid") == b"json":
        return "json"
    for holds, name in _TYPE_NAMES:
        if holds(kind):
            return name
    return str(kind)


def is_number(field: pa.Field) -> bool:
    """Whether a column holds numbers."""
    kind = field.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def spans_as_text(table: pa.Table) -> pa.Table:
    """The rows with lengths of time as text, for formats that have no such type."""
    for place, field in enumerate(table.schema):
        if pa.types.is_interval(field.type):
            table = table.set_column(place, field.name, pa.array(_text_column(table.column(place), field), pa.string()))
    return table


def no_formula(cell: str | None) -> str | None:
    """A cell of text that no spreadsheet reads as a formula: an apostrophe in front where one might. Numbers stay."""
    if cell and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _json_column(column: pa.ChunkedArray, field: pa.Field) -> Sequence[Any]:
    kind = column.type
    if isinstance(kind, pa.JsonType) or (field.metadata or {}).get(b"whodid") == b"json":
        return [None if text is None else _raw(text) for text in _storage(column).to_pylist()]
    if pa.types.is_timestamp(kind):
        return _times(column)
    convert = _converter(kind)
    with _within_calendar():
        values = column.to_pylist()
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _storage(column: pa.ChunkedArray) -> Any:
    if isinstance(column.type, pa.BaseExtensionType):
        return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    return column


def _times(column: pa.ChunkedArray) -> list[str | None]:
    try:
        # Only what is finer than microseconds may lose something.
        exact = column.cast(pa.timestamp("us"), safe=column.type.unit != "ns")
        ends = pc.min_max(exact.cast(pa.int64()))
        if ends["min"].is_valid and not _YEARS_US[0] <= ends["min"].as_py() <= ends["max"].as_py() <= _YEARS_US[1]:
            return [None if value is None else _time(value) for value in exact.cast(pa.int64()).to_pylist()]
        return [
            None if text is None else text.replace(".000000Z", "Z")
            for text in pc.strftime(exact, format="%Y-%m-%dT%H:%M:%SZ").to_pylist()
        ]
    except pa.ArrowInvalid:
        return [None if value is None else str(value) for value in column.cast(pa.int64()).to_pylist()]


def _time(microseconds: int) -> str:
    """A time that may lie where no calendar of Python's reaches."""
    if _YEARS_US[0] <= microseconds <= _YEARS_US[1]:
        return f"{moment(microseconds).isoformat()}Z"
    if microseconds in _INFINITE_US:
        return _INFINITE_US[microseconds]
    return f"{microseconds} microseconds since 1970"


@contextmanager
def _within_calendar() -> Iterator[None]:
    """Raises WhodidError("invalid") for a date or time that no calendar of Python's reaches."""
    try:
        yield
    except (OverflowError, ValueError) as error:
        raise WhodidError(
            "invalid",
            "A date or time of the answer lies outside of the years 1 to 9999.",
            "Ask for it as text: CAST(… AS varchar).",
        ) from error


def _converter(kind: pa.DataType) -> Callable[[Any], Any] | None:
    """How values of a type become JSON; None where they are values of JSON already."""
    if pa.types.is_floating(kind):
        return _finite
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return None
    if pa.types.is_integer(kind):
        return None
    return _value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _value(value: Any) -> Any:
    """Any value of Python that Arrow gives, as JSON."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, int):
        return value if value in _INT64 else msgspec.Raw(str(value).encode())
    if isinstance(value, Decimal):
        return msgspec.Raw(format(value, "f").encode()) if value.is_finite() else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(name): _value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_value(one) for one in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, pa.MonthDayNano):
        return _span(value)
    return list(value) if isinstance(value, tuple) else str(value)


def _span(value: pa.MonthDayNano) -> str:
    """A length of time as SQL writes it: 1 month 90 days 00:19:53.5."""
    numbers = ((value.months, "month"), (value.days, "day"))
    told = [f"{number} {name}{'' if abs(number) == 1 else 's'}" for number, name in numbers if number]
    seconds, micros = divmod(abs(value.nanoseconds) // 1_000, 1_000_000)
    if seconds or micros or not told:
        sign = "-" if value.nanoseconds < 0 else ""
        fraction = f".{micros:06}".rstrip("0") if micros else ""
        told.append(f"{sign}{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}")
    return " ".join(told)


def _raw(text: str) -> Any:
    """JSON text as it is, or as a text where it is none."""
    try:
        return _RAW.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text


def _text_column(column: pa.ChunkedArray, field: pa.Field) -> Sequence[str | None]:
    kind = column.type
    if isinstance(kind, pa.JsonType):
        return list(_storage(column).to_pylist())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return list(column.to_pylist())
    return [None if value is None else _as_text(value) for value in _json_column(column, field)]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(json.loads(encode(value)), ensure_ascii=False)
    return encode(value).decode()
