"""Words of reports that look into JSON: several texts at once, and the elements of a list as rows.

Places are JSON pointers (RFC 6901): `/computeResourceUsage/id`, `/labels/dataiku.com~1dku-execution-id`.
"""

from __future__ import annotations

from sqlglot import exp

_SQLGLOT = {"duckdb": "duckdb", "postgresql": "postgres", "clickhouse": "duckdb", "lake": "duckdb"}


def texts_of(kind: str, words: list[exp.Expression]) -> str:
    """`texts_of(json, '/a/b', '/c')`: a list of texts, counted from 1; the JSON is read once."""
    json, *pointers = words
    source = json.sql(_SQLGLOT[kind])
    if kind != "postgresql":
        places = ", ".join(_quoted(pointer.name) for pointer in pointers)
        return f"json_extract_string({source}, [{places}])"
    return f"(ARRAY[{', '.join(f'({source} #>> {_path(pointer.name)})' for pointer in pointers)}])"


def elements_of(kind: str, words: list[exp.Expression]) -> str:
    """`elements_of(json, '/a/b')`: one row for each element of a list; none where there is no list."""
    json, pointer = words
    source = json.sql(_SQLGLOT[kind])
    if kind != "postgresql":
        at = f"json_extract({source}, {_quoted(pointer.name)})"
        return f"unnest(CASE WHEN json_type({at}) = 'ARRAY' THEN CAST({at} AS JSON[]) END)"
    at = f"({source} #> {_path(pointer.name)})"
    return f"jsonb_array_elements(CASE WHEN jsonb_typeof({at}) = 'array' THEN {at} ELSE '[]' END)"


def number_of(kind: str, words: list[exp.Expression]) -> str:
    """`number_of(text)`: the number that a text holds, else NULL."""
    (text,) = (word.sql(_SQLGLOT[kind]) for word in words)
    if kind != "postgresql":
        number = f"TRY_CAST({text} AS DOUBLE)"
        return f"(CASE WHEN isfinite({number}) THEN {number} END)"
    # Longer ones overflow, and are no measurements.
    pattern = r"^\s*[+-]?\d{1,18}(\.\d{0,40})?([eE][+-]?\d{1,2})?\s*$"
    return f"(CASE WHEN {text} ~ '{pattern}' THEN CAST({text} AS double precision) END)"


def _path(pointer: str) -> str:
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
    quoted = ",".join('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
    return _quoted(f"{{{quoted}}}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
