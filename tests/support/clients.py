"""A whole server for clients that people already have, and what they left in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from whodid.config import Config
from whodid.reading import read
from whodid.reading.cells import encode
from whodid.reading.output import rows
from whodid.serve import Server

ROOT = Path(__file__).parents[2]
PACKAGES = ("@segment/analytics-node@3", "posthog-node@5", "datagrok-api@1.27", "esbuild@0.28")


class ClientServer:
    """A server on port 0; `key` may write, `reading_key` read as well. `since` marks where a test begins."""

    def __init__(self, data: Path, **options: Any):
        self._server = Server(Config(data=str(data), port=0, **options))
        self._server.start()
        self.url = self._server.url
        self.address = self.url.removeprefix("http://")
        self.directory = self._server.engine.directory
        self.key = self.new_key("clients", "write")
        self.reading_key = self.new_key("readers", "write", "read")
        self.http = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=30)
        self.counts = self._server.clients.counts
        self._begin = 0

    def new_key(self, name: str, *scopes: str, **binding: Any) -> str:
        """The secret of a new key."""
        return str(self.directory.create_key(name, scopes, **binding)[1])

    def begin(self) -> None:
        """From here on `stored` tells what comes."""
        self._server.engine.flush()
        self._begin = self._last()

    def _last(self) -> int:
        found = self._server.engine.store.query("SELECT max(seq) AS last FROM events", trusted=True).table
        return int(found.to_pylist()[0]["last"] or 0)

    def stored(self, client: str) -> list[dict[str, Any]]:
        """The events that came from a client since `begin`, in their order; parameters and entities as values."""
        self._server.engine.flush()
        names = read.columns()
        sql = f"SELECT {names} FROM events e WHERE format = $client AND seq > $begin ORDER BY seq"
        table = self._server.engine.store.query(sql, {"client": client, "begin": self._begin}, trusted=True).table
        return list(json.loads(encode(rows(read.typed(table)))))

    def rejects(self) -> list[dict[str, Any]]:
        """What was rejected, the latest first."""
        self._server.engine.flush()
        return list(json.loads(encode(rows(read.rejects(self._server.engine.store).table))))

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Meanwhile the server answers 429 to whatever has a body."""
        in_flight = self._server.ingest.in_flight
        before, in_flight.bytes_max = in_flight.bytes_max, 0
        try:
            yield
        finally:
            in_flight.bytes_max = before

    @contextmanager
    def answering(self, code: str) -> Iterator[list[str]]:
        """Meanwhile the journal refuses with an error of this code; the list grows with each refusal."""
        from whodid.errors import WhodidError

        journal, refused = self._server.engine.journal, []

        async def refuse(draft: Any) -> Any:
            refused.append(code)
            raise WhodidError(code, "The test said so.", "Wait.")

        journal.append = refuse  # type: ignore[method-assign]
        try:
            yield refused
        finally:
            del journal.append

    def close(self) -> None:
        self.http.close()
        self._server.close()


def absent(reason: str) -> None:
    """Skip the test at home, fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def node_modules() -> Path:
    """The folder of the npm packages that are tested, installed once for this machine.

    `WHODID_NODE_MODULES` names one that is there already.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        absent("node and npm are not installed")
    named = os.environ.get("WHODID_NODE_MODULES")
    folder = Path(named) if named else ROOT / "build" / "clients" / "node_modules"
    wanted = [re.sub(r"@[0-9.]+$", "", package) for package in PACKAGES]
    if not all((folder / name / "package.json").exists() for name in wanted):
        folder.parent.mkdir(parents=True, exist_ok=True)
        install = [str(npm), "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(folder.parent)]
        done = subprocess.run([*install, *PACKAGES], capture_output=True, text=True, timeout=300)
        if done.returncode:
            absent(f"npm could not install {', '.join(PACKAGES)}: {done.stderr[-500:]}")
    return folder


def run_node(script: str, folder: Path, *, bundled: bool = False, **values: Any) -> Any:
    """Run an ES module that has the npm packages; `values` are its constants. Returns the JSON it prints last.

    bundled  first put it together with its packages, for those that are written for a bundler.
    """
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    # A module finds packages beside itself only.
    path = folder.parent / f"test-{os.getpid()}.mjs"
    path.write_text(_imports_first(script, head))
    program = path.with_suffix(".cjs") if bundled else path
    try:
        if bundled:
            bundle = [str(folder / ".bin" / "esbuild"), str(path), "--bundle", "--platform=node", "--format=cjs"]
            quiet = ["--loader:.css=empty", f"--outfile={program}", "--log-level=error"]
            subprocess.run([*bundle, *quiet], check=True, timeout=120)
        done = subprocess.run(["node", str(program)], capture_output=True, text=True, timeout=120)
    finally:
        path.unlink()
        program.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return json.loads(lines[-1]) if lines else None


def _imports_first(script: str, head: str) -> str:
    lines = script.strip().splitlines()
    imports = [line for line in lines if line.startswith("import ")]
    return "\n".join([*imports, head, *(line for line in lines if not line.startswith("import "))])


def example(name: str) -> str:
    """The example that follows the comment `<!-- example: NAME -->` in docs/clients.md."""
    text = (ROOT / "docs" / "clients.md").read_text()
    found = re.search(rf"<!-- example: {re.escape(name)} -->\s*```\w*\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"docs/clients.md has no example {name}"
    return found.group(1)


def run_example(name: str, server: ClientServer, *, key: str | None = None) -> None:
    """Run an example in Python as it stands, in an interpreter of its own, with this server's address and key."""
    import sys

    script = example(name).replace("http://127.0.0.1:8400", server.url).replace("127.0.0.1:8400", server.address)
    script = script.replace("YOUR_KEY", key or server.key)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
