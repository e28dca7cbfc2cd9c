"""Named and positional parameters in SQL as its author writes them, made into literals of ClickHouse."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from whodid.errors import WhodidError
from whodid.stores.params import Params, put_in

# What is text, quoted name or comment, and after it what may be replaced.
_TOKEN: Final = re.compile(
    r"""
      (?P<kept>
          '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` | --[^\n]* | /\*.*?\*/
        | [A-Za-z_][\w$]*
      )
    | \$(?P<name>\w+)
    | (?P<mark>\?)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def bound(text: str, params: Params) -> str:
    """The statement with its parameters in place (`put_in`). Texts, quoted names and comments stay as they are."""
    return put_in(text, params, _TOKEN, literal)


def literal(value: Any) -> str:
    """A value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return f"{value}" if value >= 0 else f"({value})"
    if isinstance(value, float):
        return f"toFloat64('{value!r}')"
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"toDateTime64('{naive:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"
    if isinstance(value, date):
        return f"toDate32('{value.isoformat()}')"
    if isinstance(value, timedelta):
        return f"toIntervalMicrosecond({value // timedelta(microseconds=1)})"
    if isinstance(value, str | UUID):
        return quoted(str(value))
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(literal(item) for item in value)}]" if value else "CAST([], 'Array(String)')"
    if isinstance(value, Mapping):
        return quoted(json.dumps(value))
    raise WhodidError("invalid", f"A parameter is a {type(value).__name__}, which SQL does not know.")


def quoted(text: str) -> str:
    """A text as SQL."""
    return f"'{text.translate(_ESCAPES)}'"
