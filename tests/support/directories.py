"""Directories for tests, on every database that they can live in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from whodid.stores.base import Mentions, SeenEntity, SeenSession, SeenUser

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def directory_url(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database that is ready for a directory."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/settings.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


def mentions(
    *,
    users: tuple[str, ...] = (),
    sessions: tuple[tuple[str, str | None], ...] = (),
    entities: tuple[tuple[str, str, str | None], ...] = (),
    minutes: float = 0,
) -> Mentions:
    """What events of one moment mention, `minutes` after noon."""
    at = NOON + timedelta(minutes=minutes)
    return Mentions(
        users=[SeenUser(first=at, last=at, login=login) for login in users],
        sessions=[
            SeenSession(first=at, last=at, id=id_, user=user, orig_address="10.0.0.7", source="client")
            for id_, user in sessions
        ],
        entities=[SeenEntity(first=at, last=at, type=type_, id=id_, name=name) for type_, id_, name in entities],
    )
