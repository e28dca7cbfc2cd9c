"""The embedded store as tests look into it."""

from __future__ import annotations

from typing import Any

from whodid.stores.duckdb import DuckDBStore


def rows(store: DuckDBStore, sql: str, params: Any = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.query(sql, params, trusted=True).table.to_pylist()
    return found
