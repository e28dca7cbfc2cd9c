"""From the previous version to this one without a pause: on one PostgreSQL, one server after the other is replaced."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.posting import Sender, assert_exactly_once, wait_until_stored
from support.previous import unpacked
from support.serving import ServerProcess
from whodid.stores import migrate

pytestmark = pytest.mark.postgresql
PAUSE_S_MAX = 10.0
TOGETHER_S = 1.5


class Balancer:
    """Asks one server after the other until one answers, as what stands before several does."""

    def __init__(self, *servers: ServerProcess):
        self.servers = servers
        self.answered_at_s = time.monotonic()
        self.pause_s = 0.0

    def request(self, *asked: Any, **how: Any) -> tuple[int, Any]:
        for server in self.servers:
            try:
                status, answer = server.request(*asked, **how)
            except OSError:
                continue
            if status == 200:
                self.pause_s = max(self.pause_s, time.monotonic() - self.answered_at_s)
                self.answered_at_s = time.monotonic()
                return status, answer
        raise ConnectionError("no server takes it")


def test_old_and_new_run_side_by_side(tmp_path: Path, empty_postgresql_url: str) -> None:
    previous = unpacked(tmp_path / "previous")
    store = ("--store", empty_postgresql_url)
    old = [ServerProcess(tmp_path / name, *store, environment=previous).start() for name in ("a", "b")]
    new = [ServerProcess(server.data, *store) for server in old]
    running = [*old]
    try:
        assert _version(empty_postgresql_url) < migrate.migrations("postgresql")[-1].number, "the schemas differ"
        # Each begins with another server, so that both always have something to do.
        balancers = [Balancer(*running), Balancer(*reversed(running))]
        senders = [Sender(balancer, f"sender-{at}", at) for at, balancer in enumerate(balancers)]  # type: ignore[arg-type]
        for sender in senders:
            sender.start()
        time.sleep(TOGETHER_S)
        for place in range(2):
            assert running[place].stop() == 0
            running[place] = new[place].start()
            balancers[0].servers, balancers[1].servers = tuple(running), tuple(reversed(running))
            time.sleep(TOGETHER_S)
            if place == 0:
                _both_work(running[0], running[1], empty_postgresql_url)
        for sender in senders:
            sender.finish()
        for server in running:
            wait_until_stored(server)
        assert_exactly_once(running[0], senders)
        assert max(balancer.pause_s for balancer in balancers) < PAUSE_S_MAX
        told = running[0].request("GET", "/v1/receivers")[1]["receivers"]
        assert [one["state"] for one in told] == ["serving", "serving"]
    finally:
        for server in (*old, *new):
            server.kill()


def _both_work(new: ServerProcess, old: ServerProcess, url: str) -> None:
    """The old one stores, keeps rejections, finds events and sees settings of the new one, on the new one's schema.

    Its reports may refuse: what is counted by the hour can be laid out anew.
    """
    assert _version(url) == migrate.migrations("postgresql")[-1].number
    rejected = [{"type": "query-start", "time": "yesterday"}, {"type": "x" * 500}]
    for server in (old, new):
        before = server.request("GET", "/v1/rejects")[1]["rows"]
        assert len(server.request("POST", "/v1/events", rejected)[1]["rejected"]) == 2
        wait_until_stored(server)
        assert len(server.request("GET", "/v1/rejects")[1]["rows"]) == len(before) + 2
        assert server.request("GET", "/readyz")[0] == 200
        assert server.request("GET", "/v1/events?limit=10")[0] == 200
        assert server.scalar("SELECT count(*) FROM events WHERE type = 'query-start'") > 0
    assert new.request("GET", "/v1/reports/users?since=7d")[0] == 200
    assert new.request("POST", "/v1/users", {"login": "made-on-new"})[0] == 201
    assert old.request("POST", "/v1/users", {"login": "made-on-old"})[0] == 201
    for server in (old, new):
        logins = {user["login"] for user in server.request("GET", "/v1/users")[1]["users"]}
        assert {"made-on-new", "made-on-old"} <= logins


def test_an_old_one_that_starts_too_late_says_so(tmp_path: Path, postgresql_url: str) -> None:
    new = ServerProcess(tmp_path / "new", "--store", postgresql_url).start()
    try:
        command = [sys.executable, "-m", "whodid", "serve", "--port", "0", "--data", str(tmp_path / "old")]
        late = subprocess.run(
            [*command, "--store", postgresql_url],
            env=unpacked(tmp_path / "previous"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert late.returncode == 1
        assert "Upgrade whodid" in late.stderr
        assert new.request("GET", "/readyz")[0] == 200
    finally:
        new.kill()


def _version(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT max(number) FROM whodid.migrations").fetchone()
        assert row is not None
        return int(row[0])
