"""Trino, by its own client over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import requests
from trino.auth import BasicAuthentication
from trino.dbapi import Connection, connect
from trino.exceptions import Error as TrinoError
from trino.exceptions import TrinoQueryError, TrinoUserError

from whodid.addresses import parts_of
from whodid.errors import WhodidError
from whodid.reports.engines.translate import translated
from whodid.stores.base import Result

# By how the name of a type of Trino begins.
_TYPES: Final = (
    ("timestamp", pa.timestamp("us")),
    ("date", pa.date32()),
    ("boolean", pa.bool_()),
    ("bigint", pa.int64()),
    ("integer", pa.int64()),
    ("smallint", pa.int64()),
    ("double", pa.float64()),
    ("real", pa.float64()),
    ("decimal", pa.float64()),
    ("array(varchar", pa.list_(pa.string())),
)
_LATE: Final = ("EXCEEDED_TIME_LIMIT",)
# Common tables are read wherever they are named, so that reports with many of them have many stages.
_SETTINGS: Final = {"query_max_stage_count": "1000"}


class TrinoEngine:
    """Answers statements of the kind `lake`; see `stores.base.Store.query`."""

    kind = "lake"

    def __init__(self, connection: Connection, table: str):
        self._connection = connection
        self._table = table

    @classmethod
    def open(cls, url: str, table: str, settings: Mapping[str, str]) -> TrinoEngine:
        """Connect: `https://user:password@host:8443`, or `http://user@host:8080` without a password."""
        parts = parts_of(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WhodidError("invalid", "The address of Trino is no URL.", "Write https://user:password@host:8443")
        user, password = unquote(parts.username or "whodid"), parts.password
        connection = connect(  # type: ignore[no-untyped-call]  # it has no types
            host=parts.hostname,
            port=parts.port or (443 if parts.scheme == "https" else 8080),
            user=user,
            http_scheme=parts.scheme,
            auth=BasicAuthentication(user, unquote(password)) if password else None,
            source="whodid",
            timezone="UTC",
            session_properties={**_SETTINGS, **settings},
        )
        return cls(connection, table)

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 3_600_000,
        trusted: bool = False,
    ) -> Result:
        named = params if isinstance(params, dict) else {}
        text = translated(sql, named, "trino", self._table)
        cursor = self._connection.cursor()
        try:
            self._connection._client_session.properties["query_max_run_time"] = f"{timeout_ms}ms"
            cursor.execute(text)
            rows = cursor.fetchmany(limit + 1)
            described = cursor.description or []
            if len(rows) > limit:
                cursor.cancel()
        except TrinoQueryError as error:
            if error.error_name in _LATE:
                raise WhodidError("timeout", f"Trino stopped after {timeout_ms:,} ms.", "Choose less time.") from None
            code = "invalid" if isinstance(error, TrinoUserError) else "unavailable"
            raise WhodidError(code, f"Trino refuses: {str(error.message)[:500]}") from error
        except (TrinoError, requests.RequestException) as error:
            raise WhodidError("unavailable", f"Trino cannot be asked: {str(error)[:300]}") from error
        columns = [
            pa.array([_value(row[place]) for row in rows[:limit]], _type(column[1]))
            for place, column in enumerate(described)
        ]
        return Result(pa.table(columns, names=[column[0] for column in described]), len(rows) > limit)

    def close(self) -> None:
        self._connection.close()  # type: ignore[no-untyped-call]  # it has no types


def _type(name: str) -> pa.DataType:
    return next((kind for begin, kind in _TYPES if re.match(re.escape(begin), name)), pa.string())


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return float(value) if type(value).__name__ == "Decimal" else value
