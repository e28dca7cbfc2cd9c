"""What one has asked before: out of the audit itself, in which every question stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from whodid.reading.cells import python_rows
from whodid.reading.dialect import dialect_of
from whodid.stores.base import Store

DAYS: Final = 90
LOOKED_AT: Final = 300
SHOWN: Final = 40
TIMEOUT_MS: Final = 5_000
_SQL: Final = """
SELECT e."time" AS asked_at, e."parameters" AS parameters
FROM {events} e
WHERE e."type" = 'query-run' AND e."user" = $who AND e."time" >= $since
ORDER BY e."time" DESC
"""


class Question(NamedTuple):
    """A statement and when it was asked last."""

    sql: str
    asked_at: datetime


def history(store: Store, who: str) -> list[Question]:
    """The last statements of somebody, each once, the latest first."""
    since = (datetime.now(UTC) - timedelta(days=DAYS)).replace(tzinfo=None)
    sql = _SQL.format(events=dialect_of(store.kind).events)
    asked = {"who": who, "since": since}
    table = store.query(sql, asked, limit=LOOKED_AT, timeout_ms=TIMEOUT_MS, trusted=True).table
    found: dict[str, Question] = {}
    for row in python_rows(table):
        text = _sql_of(row["parameters"])
        if text and text not in found:
            found[text] = Question(text, row["asked_at"])
    return list(found.values())[:SHOWN]


def _sql_of(parameters: object) -> str:
    try:
        told: Any = msgspec.json.decode(parameters) if isinstance(parameters, str | bytes) else parameters
        return str(told["filter"]["sql"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
