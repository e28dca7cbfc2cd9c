"""A database that stands still: how the server stands is told in time, with what is known and what is not."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from support.postgresql import PostgreSQLServer
from support.web import WebServer
from whodid.cli.status import _lines

pytestmark = pytest.mark.postgresql
# Prometheus waits for 10 s.
IN_TIME_S = 7.0


def told_in_time(running: WebServer, path: str, within_s: float = IN_TIME_S) -> httpx.Response:
    began_s = time.monotonic()
    answer = running.client.get(path)
    assert time.monotonic() - began_s < within_s, path
    return answer


@pytest.mark.parametrize("mixed", [False, True], ids=["settings there, too", "settings in a file"])
def test_it_is_told_in_time_what_is_known_and_what_is_not(
    own_postgresql_server: PostgreSQLServer, tmp_path: Path, mixed: bool
) -> None:
    settings = {"directory": f"sqlite:///{tmp_path / 'settings.db'}"} if mixed else {}
    running = WebServer(tmp_path, store=own_postgresql_server.create_database(), **settings)
    unheard = {"store", "events", "missing"} | (set() if mixed else {"directory", "nodes", "receivers", "policy"})
    try:
        assert running.client.get("/readyz").status_code == 200
        assert running.client.get("/v1/status").json()["unknown"] == []
        with own_postgresql_server.frozen():
            assert told_in_time(running, "/readyz?for=receiving", 1.0).status_code == 200
            lines = told_in_time(running, "/metrics").text.splitlines()
            assert "whodid_ready 0" in lines
            assert any(line.startswith("whodid_journal_backlog_bytes ") for line in lines)
            ready = told_in_time(running, "/readyz")
            assert ready.status_code == 503
            assert "The store does not answer: Nothing was heard for" in ready.json()["error"]["message"]
            assert ("The directory does not answer" in ready.json()["error"]["message"]) is not mixed
            told = told_in_time(running, "/v1/status").json()
            assert not told["ready"]
            assert set(told["unknown"]) == unheard
            assert told["journal"]["disk_free_bytes"] > 0
            assert (told["nodes"] is None) is not mixed
            assert any("did not answer" in text for _, text in _lines(told))
            page = told_in_time(running, "/settings/status")
            assert page.status_code == 200
            assert "The store does not answer" in page.text
            assert ("Not known at the moment: the policy, nodes, receivers." in page.text) is not mixed
            assert told_in_time(running, "/readyz?for=receiving", 1.0).status_code == 200
        deadline_s = time.monotonic() + 60
        while running.client.get("/v1/status").json()["unknown"] or running.client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline_s, "what is back is told of"
    finally:
        running.close()
