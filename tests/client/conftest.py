"""A real server for all tests of the client, and Loggers that end with their test."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.logging_server import Events
from support.serving import ServerProcess
from whodid.client import Logger

MakeLogger = Callable[..., Logger]


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("client") / "data").start()
    yield server
    server.kill()


@pytest.fixture
def events(shared_server: ServerProcess) -> Events:
    """What the test's own Logger has stored on the shared server."""
    return Events(shared_server)


@pytest.fixture
def make_logger(tmp_path: Path) -> Iterator[MakeLogger]:
    """Makes Loggers for a URL, which spool below `tmp_path`; they are closed after the test."""
    made: list[Logger] = []

    def make(url: str, key: str | None = None, *more: Any, **options: Any) -> Logger:
        logger = Logger(url, key, *more, **{"spool": tmp_path / "spool", "retry_min_ms": 20, **options})
        made.append(logger)
        return logger

    yield make
    for logger in made:
        logger.close(0.5)


@pytest.fixture
def logger(shared_server: ServerProcess, events: Events, make_logger: MakeLogger) -> Logger:
    """A Logger on the shared server whose events `events` finds."""
    return make_logger(shared_server.url, topic=events.topic)


@pytest.fixture
def free_port() -> int:
    """A port that is free and that a restarted server can take again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
