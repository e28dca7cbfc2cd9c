"""The whole program on a free port: fixtures for both stores."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest


@pytest.fixture
def free_port() -> int:
    """A port that is free and that a restarted server can take again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store_options(request: pytest.FixtureRequest) -> list[str]:
    """The words of the command line that choose the store."""
    if request.param == "duckdb":
        return []
    return ["--store", request.getfixturevalue("postgresql_url")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"
