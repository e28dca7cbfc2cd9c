"""The examples of docs/logger-javascript.md do what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.gate import Gate
from support.javascript import ROOT, Platform

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

TEXT = (ROOT / "docs" / "logger-javascript.md").read_text()
IN_NODE = re.findall(r"```js\n(.*?)```", TEXT, re.S)
IN_PAGE = re.findall(r"```html\n(.*?)```", TEXT, re.S)


def stored_since(platform: Platform, before: int, count: int) -> list[dict[str, Any]]:
    """What clients sent after `before` events, when there are `count`."""
    deadline = time.monotonic() + 30
    while True:
        rows = platform.server.query("SELECT * FROM events WHERE source = 'client' ORDER BY received_at, id")[before:]
        if len(rows) >= count:
            return rows
        assert time.monotonic() < deadline, f"{len(rows)} of {count}"
        time.sleep(0.05)


@pytest.fixture
def before(platform: Platform) -> int:
    """The number of events that were there already, and that no test will add to."""
    count = -1
    while count != (count := int(platform.server.scalar("SELECT count(*) FROM events WHERE source = 'client'"))):
        time.sleep(0.5)
    return count


def run(program: str, platform: Platform, module: Path, node_path: str, tmp_path: Path) -> str:
    path = tmp_path / "example.mjs"
    path.write_text(program.replace("'whodid-logger'", f"'{module.as_uri()}'"))
    environment = {**os.environ, "WHODID_SERVER": platform.url, "WHODID_KEY": platform.key}
    done = subprocess.run([node_path, str(path)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_node(platform: Platform, module: Path, node_path: str, tmp_path: Path, before: int) -> None:
    assert len(IN_NODE) == 3
    run(IN_NODE[0], platform, module, node_path, tmp_path)
    started, query = stored_since(platform, before, 2)
    assert (started["description"], started["level"]) == ("Started", "info")
    assert (query["type"], query["user"], query["entity_name"]) == ("query-start", "ada", "Sales by month")
    assert query["duration_ms"] == 12.5


def test_as_datagrok(platform: Platform, module: Path, node_path: str, tmp_path: Path, before: int) -> None:
    assert run(IN_NODE[1], platform, module, node_path, tmp_path) == "true 4\n"
    rows = stored_since(platform, before, 4)
    assert [row["level"] for row in rows] == ["error", "error", "error", "usage"]
    assert all("example.mjs" in row["error_stack_trace"] for row in rows[:3])


def test_the_callback(platform: Platform, module: Path, node_path: str, tmp_path: Path, before: int) -> None:
    run(IN_NODE[2], platform, module, node_path, tmp_path)
    (row,) = stored_since(platform, before, 1)
    assert row["user"] == "nobody"
    assert "Ada" in str(row["parameters"])
    assert "secret" not in str(row["parameters"])


def test_in_a_page(context: BrowserContext, gate: Gate, platform: Platform, before: int) -> None:
    assert len(IN_PAGE) == 2
    for number, page_text in enumerate(IN_PAGE):
        html = page_text.replace("https://audit.example", gate.url).replace("whodid_…", platform.key)
        gate.pages[f"/{number}"] = f"<!doctype html><title>Example</title><body>{html}"
    page = context.new_page()
    page.goto(f"{gate.url}/0")
    rows = stored_since(platform, before, 3)
    by_type = {row["type"]: row for row in rows}
    assert set(by_type) == {"navigate", "report-opened", "error"}
    assert {row["user"] for row in rows} == {"ada"}
    assert all("persistent" in str(row["parameters"]) for row in rows)
    page.goto(f"{gate.url}/1")
    clicked = {row["type"]: row for row in stored_since(platform, before + 3, 2)}["click"]
    assert "Refresh" in str(clicked["parameters"])
    assert "R1" in str(clicked["parameters"])
