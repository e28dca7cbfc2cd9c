"""A server on each database, and a client with the rights of an identity provider."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from support.directories import DATABASES
from support.web import WebServer


@pytest.fixture(scope="module", params=DATABASES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    store = {}
    if request.param == "postgresql":
        store = {"store": request.getfixturevalue("postgresql_server").create_database()}
    running = WebServer(tmp_path_factory.mktemp("data"), **store)
    yield running
    running.close()


@pytest.fixture(scope="module")
def provider(server: WebServer) -> Iterator[httpx.Client]:
    """A client that shows a key of scope scim."""
    _, secret = server.engine.directory.create_key("identity provider", ["scim"], by="test")
    with server.as_caller(secret) as client:
        client.base_url = httpx.URL(f"{server.url}/scim/v2")
        yield client
