"""`whodid serve` in a process of its own, as a user starts it, so that it can be killed, stopped and measured."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from whodid.journal.lock import owner

START_S_MAX = 60.0


class ServerProcess:
    """A server on `data`; `options` are words of its command line, `environment` is added to this process's."""

    def __init__(self, data: Path, *options: str, environment: dict[str, str] | None = None, port: int = 0):
        self.data = data
        self._command = [sys.executable, "-m", "whodid", "serve", "--port", str(port), "--data", str(data), *options]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.key = ""

    def start(self, *, wait: bool = True) -> ServerProcess:
        """Start it; with `wait`, return when it answers.

        Raises
        ------
        ChildProcessError
            It ended before it answered.
        """
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        if wait:
            self._wait_ready()
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start it first"
        return self._process

    def kill(self) -> None:
        """kill -9: no chance to finish anything. A server that was never started or has ended stays so."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout_s: float = 60.0) -> int:
        """SIGTERM: finish what was accepted. Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def rss_mb(self) -> float:
        """Resident memory in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def request(self, method: str, path: str, body: object = None, timeout_s: float = 60.0) -> tuple[int, Any]:
        """Status and JSON answer; OSError when there is no answer."""
        status, answer = self.ask(method, path, body, timeout_s)
        try:
            return status, json.loads(answer or b"null")
        except json.JSONDecodeError as error:
            raise ConnectionError(str(error)) from error

    def text(self, path: str, timeout_s: float = 60.0) -> str:
        """What a path answers that answers no JSON; OSError when there is no answer."""
        return self.ask("GET", path, None, timeout_s)[1].decode()

    def ask(self, method: str, path: str, body: object = None, timeout_s: float = 60.0) -> tuple[int, bytes]:
        """Status and answer as it is; OSError when there is no answer."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_s)
        try:
            headers = {"Content-Type": "application/json"}
            if self.key:
                headers["Authorization"] = f"Bearer {self.key}"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        status, answer = self.request("POST", "/v1/query", {"sql": sql, "limit": 1_000_000})
        assert status == 200, answer
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    def scalar(self, sql: str) -> Any:
        """The one value that a query answers."""
        return next(iter(self.query(sql)[0].values()))

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if self.ended():
                log = (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")
                raise ChildProcessError(f"the server ended with {self.process.returncode}: {log[-2000:]}")
            found = owner(self.data)
            if found is not None and found.pid == self.process.pid and found.url and found.key:
                self.url, self.key = found.url, found.key
                try:
                    if self.request("GET", "/healthz", timeout_s=5)[0] == 200:
                        return
                except OSError:
                    pass
            time.sleep(0.02)
        raise TimeoutError(f"the server did not answer within {START_S_MAX:.0f} s")
