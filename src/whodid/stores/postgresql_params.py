"""Named and positional parameters in SQL as its author writes them, made into literals PostgreSQL gives a type to.

A literal without a type takes the one its place asks for: the same list of texts meets uuid and text columns alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from whodid.errors import WhodidError
from whodid.postgresql import Connection
from whodid.stores.params import Params, put_in

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


def bound(connection: Connection, text: str, params: Params) -> str:
    """The statement with its parameters in place (`put_in`), and the name `user` as the column of that name.

    Texts, quoted names and comments stay as they are.
    """
    return put_in(text, params, _TOKEN, partial(_literal, connection), _column_user)


def _column_user(found: re.Match[str]) -> str:
    return '"user"' if found["user"] else found[0]


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
