"""Asking a store in a test."""

from __future__ import annotations

from typing import Any

from whodid.event import Event
from whodid.stores.base import COLUMNS, Store


def rows(store: Store, sql: str, params: Any = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.query(sql, params, trusted=True).table.to_pylist()
    return found


def ids(store: Store) -> list[str]:
    return [row["id"] for row in rows(store, "SELECT id FROM events ORDER BY id")]


def one(store: Store, event: Event) -> dict[str, Any]:
    names = ", ".join(f'"{column.name}"' for column in COLUMNS)
    (row,) = rows(store, f"SELECT {names} FROM events WHERE id = '{event.id}'")
    return row
