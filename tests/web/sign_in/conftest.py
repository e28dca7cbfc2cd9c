"""A server with a user who has a password, and a browser without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from argon2 import PasswordHasher

from support.sign_in import HTML, PASSWORD
from support.web import WebServer
from whodid.directory import passwords, tables


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Hashes that take milliseconds; how slow they are otherwise is argon2's business."""
    usual = passwords._hasher
    quick = PasswordHasher(time_cost=2, memory_cost=4096, parallelism=1)
    passwords._nobodys_hash.cache_clear()
    passwords._hasher = lambda: quick  # type: ignore[assignment]
    yield
    passwords._hasher = usual
    passwords._nobodys_hash.cache_clear()


@pytest.fixture(scope="module")
def server(quick_hashes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    running = WebServer(tmp_path_factory.mktemp("data"))
    running.engine.directory.create_user("ada", by="test")
    running.engine.directory.grant("auditor", user="ada", by="test")
    yield running
    running.close()


@pytest.fixture(autouse=True)
def fresh(server: WebServer) -> None:
    """Nobody failed yet, nobody is signed in, and the password is the first."""
    directory = server.engine.directory
    with directory.writing() as connection:
        connection.execute(tables.sign_in_attempts.delete())
    directory.set_password("ada", PASSWORD, by="test")


@pytest.fixture
def browser(server: WebServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={**HTML, "origin": server.url}, timeout=30) as client:
        yield client
