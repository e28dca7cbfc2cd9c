"""Whom and what a load mentions, out of the rows of its own transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from whodid.stores.base import Mentions, SeenEntity, SeenSession, SeenUser


def collect(rows: Callable[[str], list[tuple[Any, ...]]]) -> Mentions:
    """The distinct users (and those they acted for), sessions and entities, each with its first and last time.

    rows  answers the statement of `sql/duckdb/finish.sql` with that name.
    """
    return Mentions(
        users=[SeenUser(login=login, first=_utc(first), last=_utc(last)) for login, first, last in rows("users")],
        sessions=[
            SeenSession(id=id_, user=user, orig_address=address, source=source, first=_utc(first), last=_utc(last))
            for id_, first, last, user, address, source in rows("sessions")
        ],
        entities=[
            SeenEntity(type=type_, id=id_, name=name, first=_utc(first), last=_utc(last))
            for type_, id_, first, last, name in rows("entities")
        ],
    )


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
