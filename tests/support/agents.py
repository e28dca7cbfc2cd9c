"""`whodid agent` in a process of its own, as a node runs it, so that it can be killed and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.serving import ServerProcess

DEADLINE_S = 60.0


class AgentProcess:
    """An agent of `paths` that sends to `servers`; `options` are more words of its command line."""

    def __init__(
        self,
        state: Path,
        paths: list[Path],
        servers: list[str],
        *options: str,
        environment: dict[str, str] | None = None,
    ):
        self.state = state
        self.log = state.parent / f"{state.name}.log"
        self.environment = environment or {}
        named = [word for server in servers for word in ("--server", server)]
        self._command = [sys.executable, "-m", "whodid", "agent", *map(str, paths), *named, "--state", str(state)]
        self._command += ["--heartbeat-s", "0.3", *options]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> AgentProcess:
        with self.log.open("ab") as log:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        return self

    def run(self) -> int:
        """Start it and wait for its end; returns its exit code (negative: the signal that killed it)."""
        self.start()
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def status(self) -> dict[str, Any]:
        """What it told of itself last; empty before it did."""
        try:
            told: dict[str, Any] = json.loads((self.state / "status.json").read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return told

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def wait_for(
    reached: Callable[[], bool], told: Callable[[], object] = lambda: "", timeout_s: float = DEADLINE_S
) -> None:
    """Wait on a condition; fails with what is told when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def wait_for_events(server: ServerProcess, count: int, where: str = "format = 'dss-log4j'") -> None:
    """Until so many events are stored, each once."""

    def stored() -> int:
        try:
            return int(server.scalar(f"SELECT count(*) FROM events WHERE {where}"))
        except (OSError, AssertionError):
            return -1

    wait_for(lambda: stored() >= count, lambda: f"{stored():,} of {count:,} events")
    rows = server.query(f"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events WHERE {where}")
    assert (rows[0]["n"], rows[0]["ids"]) == (count, count)
