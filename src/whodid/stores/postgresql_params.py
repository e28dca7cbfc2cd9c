"""Named and positional parameters in SQL as its author writes them, made into literals PostgreSQL gives a type to.

A literal without a type takes the one its place asks for: the same list of texts meets uuid and text columns alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from whodid.errors import WhodidError
from whodid.stores.postgresql_connect import Connection

# What is text, comment or name, and after it what may be replaced.
_TOKEN: Final = re.compile(
    r"""
      (?P<kept>
          [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
        | --[^\n]* | /\*.*?\*/ | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
        | (?!(?i:user)(?![\w$\x80-\U0010ffff])) [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*
        | \d[\w.]*
      )
    | \$(?P<name>\w+)
    | (?P<user>(?i:user))
    | (?P<mark>\?)
    """,
    re.VERBOSE | re.DOTALL,
)


def bound(connection: Connection, text: str, params: Sequence[Any] | Mapping[str, Any] | None) -> str:
    """The statement with its parameters in place, and the name `user` as the column of that name.

    `$name` takes from a mapping, `$1` or `?` from a sequence. Texts, quoted names and comments stay as they are.

    Raises
    ------
    WhodidError("invalid")
        A parameter is missing, or its value is of no kind that SQL knows.
    """
    values = _values(params)
    marks = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal marks
        if found["user"]:
            return '"user"'
        if found["name"]:
            return _literal(connection, _value(values, found["name"]))
        if found["mark"] and isinstance(params, Sequence):
            marks += 1
            return _literal(connection, _value(values, str(marks)))
        return found[0]

    return _TOKEN.sub(replaced, text)


def _values(params: Sequence[Any] | Mapping[str, Any] | None) -> dict[str, Any]:
    if params is None:
        return {}
    if isinstance(params, Mapping):
        return dict(params)
    return {str(place): value for place, value in enumerate(params, start=1)}


def _value(values: dict[str, Any], name: str) -> Any:
    if name not in values:
        raise WhodidError("invalid", f"The parameter ${name} has no value.", "Give it one, or take it out.")
    return values[name]


def _literal(connection: Connection, value: Any) -> str:
    if value is None:
        return " NULL "
    if isinstance(value, bool | int | float | Decimal | datetime | date | time | timedelta):
        return f" {sql.Literal(value).as_string(connection)} "
    if isinstance(value, str | UUID):
        return _quoted(connection, str(value))
    if isinstance(value, list | tuple | set | frozenset):
        return _quoted(connection, "{" + ",".join(_element(item) for item in value) + "}")
    if isinstance(value, Mapping):
        return _quoted(connection, json.dumps(value))
    raise WhodidError("invalid", f"A parameter is a {type(value).__name__}, which SQL does not know.")


def _quoted(connection: Connection, text: str) -> str:
    if "\0" in text:
        raise WhodidError("invalid", "A parameter contains a NUL character, which PostgreSQL cannot hold.")
    return f" {sql.Literal(text).as_string(connection)} "


def _element(item: Any) -> str:
    if item is None:
        return "NULL"
    text = str(item).lower() if isinstance(item, bool) else str(item)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
