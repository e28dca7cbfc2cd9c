"""A directory on every database, and what it tells of its changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.directories import DATABASES, directory_url
from whodid.directory import Directory
from whodid.event import Event


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return directory_url(request.param, tmp_path, request)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def directory(url: str, told: list[Event]) -> Iterator[Directory]:
    opened = Directory.open(url, on_change=told.append)
    yield opened
    opened.close()
