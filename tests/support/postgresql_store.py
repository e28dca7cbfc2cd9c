"""What another program of the store's database sees."""

from __future__ import annotations

from typing import Any

import psycopg


def told(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What another program of the same database sees."""
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def partitions(url: str) -> list[str]:
    rows = told(url, "SELECT relid::text FROM pg_partition_tree('public.events') WHERE isleaf ORDER BY 1")
    return [row[0].removeprefix("public.") for row in rows]
