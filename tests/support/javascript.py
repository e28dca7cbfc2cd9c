"""Node, TypeScript and Chromium, where they are on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from support.serving import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
JS = ROOT / "js"
BROWSERS = ("chromium-headless-shell", "chromium")


class JavaScriptMissing(Exception):
    """What is missing, and how to get it."""


class Platform(NamedTuple):
    """A running server, and a key that pages may have: it only writes."""

    server: ServerProcess
    key: str

    @property
    def url(self) -> str:
        return self.server.url

    def stored(self, name: str, count: int, timeout_s: float = 30.0) -> list[dict[str, Any]]:
        """The stored events whose parameter `test` is `name`, by id, when there are `count`.

        Raises
        ------
        TimeoutError
            There are fewer, still.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            status, told = self.server.request("GET", f"/v1/events?parameter=test={name}&limit=1000")
            assert status == 200, told
            rows: list[dict[str, Any]] = sorted(told["events"], key=lambda row: str(row["id"]))
            if len(rows) >= count:
                return rows
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(rows)} of {count} events of {name} within {timeout_s} s")
            time.sleep(0.05)


def node() -> str:
    """The path of Node 20 or later."""
    found = shutil.which("node")
    if found is None:
        raise JavaScriptMissing("node is not installed (apt-get install nodejs npm)")
    version = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < 20:
        raise JavaScriptMissing(f"node is {version.strip()}; 20 is needed")
    return found


def typescript() -> Path:
    """TypeScript's compiler, to be run by node. `npm install` in js/ brings it."""
    found = JS / "node_modules" / "typescript" / "bin" / "tsc"
    if not found.exists():
        raise JavaScriptMissing("TypeScript is not installed (cd js && npm install)")
    return found


def browser() -> str:
    """The path of Chromium."""
    for name in (os.environ.get("WHODID_CHROMIUM", ""), *BROWSERS):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    raise JavaScriptMissing("Chromium is not installed (apt-get install chromium-headless-shell)")
