"""A real server with the demo's story, and a real browser before it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.serving import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

STORY_EVENTS = 12_000
# Tests that share the machine take processor time from pages: slow ones are no fault here.
UNHURRIED = {"WHODID_QUERY_TIMEOUT_MS": "300000"}


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose store holds a small story."""
    data = tmp_path_factory.mktemp("story") / "data"
    told = [sys.executable, "-m", "whodid", "demo", "--events", str(STORY_EVENTS), "--data", str(data), "--exit"]
    subprocess.run([*told, "--port", "0"], check=True, capture_output=True, timeout=300)
    # On some days of the week all of so few people were there before the weeks of which pages tell who comes back.
    came = {"type": "project-opened", "user": "new.comer", "time": f"{datetime.now(UTC) - timedelta(days=21):%FT%TZ}"}
    taken = [sys.executable, "-m", "whodid", "import", "-", "--format", "native", "--data", str(data)]
    subprocess.run(taken, check=True, capture_output=True, timeout=300, input=json.dumps(came).encode())
    server = ServerProcess(data, environment=UNHURRIED)
    try:
        yield server.start()
    finally:
        server.kill()


class Watched:
    """A page that notes what the browser complains of."""

    def __init__(self, context: BrowserContext, url: str):
        self.page: Page = context.new_page()
        self.url = url
        self.complaints: list[str] = []
        self.may_break = False
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def open(self, path: str) -> Page:
        """Go there, scroll through it so that every tile loads, and wait until all have."""
        self.page.goto(self.url + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until nothing loads any more and every chart is drawn; no tile may be broken, unless `may_break`."""
        # A page that only began to come has no body.
        self.page.wait_for_load_state("domcontentloaded")
        self.page.evaluate(_SCROLL)
        self.page.wait_for_function(_SETTLED, timeout=300_000)
        broken = self.page.evaluate(_BROKEN)
        assert self.may_break or not broken, (broken, self.complaints)


_SCROLL = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 600) {
    scrollTo(0, y);
    await new Promise(requestAnimationFrame);
  }
  scrollTo(0, 0);
}"""
_SETTLED = """() => !document.querySelector('[aria-busy="true"]')
  && [...document.querySelectorAll('.chart[data-spec]')].every((chart) => chart.hidden || chart.querySelector('svg'))"""
_BROKEN = """() => [...document.querySelectorAll('.tile .failed, .tile .chart[hidden]')].map((part) =>
  `${part.closest('.tile').id}: ${part.innerText || 'not drawn'}`)"""


@pytest.fixture
def visit(chromium: Browser, story: ServerProcess) -> Iterator[Callable[..., Watched]]:
    """Makes a page with the rights of the folder's owner; the context's options may be given."""
    contexts: list[BrowserContext] = []

    def made(**options: object) -> Watched:
        headers = {"authorization": f"Bearer {story.key}"}
        usual: dict[str, object] = {
            "viewport": {"width": 1400, "height": 900},
            "timezone_id": "Europe/Berlin",
            "locale": "en-GB",
            "extra_http_headers": headers,
        }
        contexts.append(chromium.new_context(**{**usual, **options}))  # type: ignore[arg-type]
        contexts[-1].set_default_timeout(60_000)
        return Watched(contexts[-1], story.url)

    yield made
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept as build output."""
    folder = Path(__file__).resolve().parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
