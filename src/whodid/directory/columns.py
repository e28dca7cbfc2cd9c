"""What the directory's tables are made of: times, ids, and columns that several have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Column, DateTime, Dialect, Index, MetaData, Table, Text, TypeDecorator, Uuid

SCHEMA: Final = "whodid"
metadata: Final = MetaData()


class UtcTime(TypeDecorator[datetime]):
    """A timestamp without zone, always UTC: aware datetimes in Python."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


def uuid(name: str, **options: Any) -> Column[str]:
    """An id, as text in Python."""
    return Column(name, Uuid(as_uuid=False), **options)


def own(name: str, *content: Column[Any] | Index) -> Table:
    """A table that existing SQL knows nothing of."""
    return Table(name, metadata, *content, schema=SCHEMA)


def seen() -> tuple[Column[Any], Column[Any]]:
    """Since when something is known, and until when."""
    return Column("first_seen", UtcTime, nullable=False), Column("last_seen", UtcTime, nullable=False)


def changed() -> tuple[Column[Any], Column[Any]]:
    """When it became as it is, and by whom."""
    return Column("changed_at", UtcTime, nullable=False), Column("changed_by", Text)


def retired() -> tuple[Column[Any], Column[Any]]:
    """Since when it is missed no more, and who said so."""
    return Column("retired_at", UtcTime), Column("retired_by", Text)
