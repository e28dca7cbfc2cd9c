"""One server for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clients import ClientServer, node_modules


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientServer]:
    server = ClientServer(tmp_path_factory.mktemp("data") / "clients")
    yield server
    server.close()


@pytest.fixture
def server(running: ClientServer) -> ClientServer:
    running.begin()
    return running


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the npm packages."""
    return node_modules()
