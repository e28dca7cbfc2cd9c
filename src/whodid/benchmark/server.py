"""A server of its own for measuring: `whodid serve` in a process, on a free port, with a folder that is thrown away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, Self

import httpx

from whodid.errors import WhodidError
from whodid.journal.lock import owner

START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 120.0


class OwnServer:
    """Runs for the length of a `with` block. Options of the caller's environment do not reach it: they may name data
    that matters."""

    def __init__(self, data: Path):
        self.data = data
        self.url = self.key = ""
        self._log = data.parent / f"{data.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(timeout=120.0, trust_env=False)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "whodid", "serve", "--port", "0", "--data", str(self.data)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WHODID_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it; one that does not end is killed."""
        self._client.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def query(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a question. Raises WhodidError("internal") with what the server says."""
        answer = self._client.post(f"{self.url}/v1/query", json={"sql": sql, "params": params}, headers=self._headers())
        if not answer.is_success:
            raise WhodidError("internal", f"The measured server answers {answer.status_code}: {answer.text[:500]}")
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    def post(self, event: dict[str, Any]) -> None:
        """Post one event. Raises httpx.HTTPError when it is not taken."""
        self._client.post(f"{self.url}/v1/events", json=event, headers=self._headers()).raise_for_status()

    def has(self, identifier: str) -> bool:
        """Whether an event is found."""
        return self._client.get(f"{self.url}/v1/events/{identifier}", headers=self._headers()).is_success

    def load(self, **options: object) -> dict[str, Any]:
        """Drive the load client of `whodid.benchmark.load`, in a process of its own; what it tells."""
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "whodid.benchmark.load", self.url, f"--key={self.key}", *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise WhodidError("internal", f"The load client failed: {done.stderr.strip()[-500:]}")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise WhodidError(
                    "internal",
                    "The server that was to be measured ended.",
                    self._log.read_text(errors="replace")[-500:],
                )
            found = owner(self.data)
            if found is not None and found.pid == self.pid and found.url and found.key:
                self.url, self.key = found.url, found.key
                try:
                    if self._client.get(f"{self.url}/healthz").is_success:
                        return
                except httpx.TransportError:
                    pass
            time.sleep(0.02)
        raise WhodidError("timeout", f"The server that was to be measured did not answer within {START_S_MAX:.0f} s.")
