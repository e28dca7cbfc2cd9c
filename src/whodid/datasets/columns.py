"""Rows of unlike shape as columns of one type each: nothing a row says is lost, whatever the other rows say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

COLUMNS_MAX: Final = 2_000
REST: Final = "_rest"
CHUNK_ROWS: Final = 20_000

# Kinds from narrow to wide; two unlike ones meet in text, but for whole numbers, which are numbers.
_TYPES: Final = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
}
_INT64: Final = range(-(2**63), 2**63)


def flat(row: Mapping[str, Any], depth: int, prefix: str = "") -> dict[str, Any]:
    """A JSON object as a flat row: objects down to `depth` levels become columns `outer.inner`; what lies deeper, and
    every list, stays as it is."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and depth > 1 and value:
            found.update(flat(value, depth - 1, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found


class Columns:
    """Gathers flat rows and gives them as one table.

    A column is bool, whole (int64), number (float64) or text; where its values are of several kinds, or are objects or
    lists, it is text, with JSON for what is no string. Without any value it is text, too. Columns come in the order in
    which they were seen first; beyond `COLUMNS_MAX` they are gathered as JSON in a column `_rest`.
    """

    def __init__(self) -> None:
        self._chunks: list[tuple[int, dict[str, pa.Array]]] = []
        self._kinds: dict[str, str] = {}
        self._rows: list[dict[str, Any]] = []
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        """Take one flat row."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= CHUNK_ROWS:
            self._cut()

    @property
    def kinds(self) -> dict[str, str]:
        """The columns so far and their kinds: null, bool, whole, number, text."""
        self._cut()
        return dict(self._kinds)

    def table(self) -> pa.Table:
        """All rows."""
        self._cut()
        kinds = self._kinds or {REST: "null"}
        fields = [pa.field(name, _TYPES["text" if kind == "null" else kind]) for name, kind in kinds.items()]
        columns = [
            pa.chunked_array(
                [_as_kind(chunk.get(field.name), rows, field.type) for rows, chunk in self._chunks], type=field.type
            )
            for field in fields
        ]
        return pa.table(columns, schema=pa.schema(fields))

    def _cut(self) -> None:
        if not self._rows:
            return
        names: dict[str, None] = {}
        for row in self._rows:
            names.update(dict.fromkeys(row))
        if len(self._kinds.keys() | names.keys()) > COLUMNS_MAX:
            names = self._fold(names)
        chunk = {name: self._array(name, [row.get(name) for row in self._rows]) for name in names}
        self._chunks.append((len(self._rows), chunk))
        self._rows = []

    def _fold(self, names: dict[str, None]) -> dict[str, None]:
        room = COLUMNS_MAX - 1 - len(self._kinds)
        known = [name for name in names if name in self._kinds]
        kept = dict.fromkeys([*known, *[name for name in names if name not in self._kinds][: max(0, room)]])
        for place, row in enumerate(self._rows):
            rest = {name: value for name, value in row.items() if name not in kept}
            if rest:
                self._rows[place] = {name: value for name, value in row.items() if name in kept} | {REST: rest}
        return kept | {REST: None}

    def _array(self, name: str, values: list[Any]) -> pa.Array:
        kind = self._kinds.get(name, "null")
        for kind_of_value in {_kind(value) for value in values}:
            kind = _meeting(kind, kind_of_value)
        self._kinds[name] = kind
        if kind == "text":
            values = [_text(value) for value in values]
        return pa.array(values, type=_TYPES[kind])


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "whole" if value in _INT64 else "text"
    return "number" if isinstance(value, float) else "text"


def _meeting(one: str, other: str) -> str:
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    return "number" if {one, other} == {"whole", "number"} else "text"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_kind(array: pa.Array | None, rows: int, kind: pa.DataType) -> pa.Array:
    if array is None or array.type == pa.null():
        return pa.nulls(rows, kind)
    if array.type == kind:
        return array
    if kind == pa.string():
        return pa.array([_text(value) for value in array.to_pylist()], type=kind)
    return array.cast(kind, safe=False)
