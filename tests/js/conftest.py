"""A real server, the Logger as it serves it, and a real browser."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from conftest import absent
from support.gate import Gate
from support.javascript import JavaScriptMissing, Platform, node, typescript
from support.serving import ServerProcess
from whodid.directory import Directory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

T = TypeVar("T")


def _or_absent(find: Callable[[], T]) -> T:
    try:
        return find()
    except (JavaScriptMissing, ImportError) as missing:
        absent(str(missing))
        raise


@pytest.fixture(scope="session")
def node_path() -> str:
    return _or_absent(node)


@pytest.fixture(scope="session")
def tsc(node_path: str) -> list[str]:
    """The command that checks types."""
    return [node_path, str(_or_absent(typescript))]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One server for all tests; pages of every origin may call it."""
    data = tmp_path_factory.mktemp("javascript") / "data"
    data.mkdir()
    directory = Directory.open(f"sqlite:///{data.absolute() / 'settings.db'}")
    directory.change_setting("access.allowed_origins", ["*"])
    directory.close()
    server = ServerProcess(data)
    try:
        server.start()
        status, made = server.request("POST", "/v1/keys", {"name": "page", "scopes": ["write"]})
        assert status == 201, made
        yield Platform(server, made["secret"])
    finally:
        server.kill()


@pytest.fixture(scope="session")
def module(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Logger as the server serves it, as a file that Node imports."""
    path = tmp_path_factory.mktemp("module") / "logger.mjs"
    with urllib.request.urlopen(f"{platform.url}/logger.js", timeout=30) as answer:
        path.write_bytes(answer.read())
    return path


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that has been nowhere yet."""
    made = chromium.new_context()
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture
def gate(platform: Platform) -> Iterator[Gate]:
    """The address that pages come from; `/app` has a logger in `logger`, `/other` nothing."""
    made = Gate(platform.url)
    made.pages["/app"] = f"""<!doctype html><title>App</title><body><main id="main"></main>
        <script type="module">
        import {{ Logger }} from '/logger.js';
        Object.assign(window, {{ Logger, logger: new Logger(null, {{ key: '{platform.key}' }}) }});
        </script>"""
    made.pages["/other"] = "<!doctype html><title>Other</title>"
    yield made
    made.close()
