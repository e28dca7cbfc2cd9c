"""Policies with everything in PostgreSQL: drafts on stored traffic, and captures where existing SQL looks for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.reading import event
from support.web import WebServer
from whodid.policy.plan import sampled

pytestmark = pytest.mark.postgresql


@pytest.fixture
def server(tmp_path: Path, postgresql_url: str) -> Iterator[WebServer]:
    running = WebServer(tmp_path / "data", store=postgresql_url)
    try:
        yield running
    finally:
        running.close()


def captures(server: WebServer) -> list[dict[str, Any]]:
    sql = "SELECT * FROM capture_rules ORDER BY number"
    found: list[dict[str, Any]] = server.engine.store.query(sql, trusted=True).table.to_pylist()
    return found


def test_a_draft_is_tried_on_stored_traffic(server: WebServer) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    stored = [event("click", at=at, user="ada", parameters={"secret": 1}) for _ in range(100)]
    server.store([*stored, event("query-start", at=at, user="bob")])
    draft = {"level": "verbose", "sampling": {"click": 0.3}, "hashed": ["secret"]}
    (rule,) = server.client.post("/v1/policies/test", json=draft).json()["rules"]
    assert rule["events"] == sum(not sampled(each.id, 0.3) for each in stored)
    assert 0 < rule["bytes"] < rule["matched_bytes"]
    assert rule["parameters"] == [{"name": "secret", "how": "hashed", "events": 100}]


def test_captures_show_in_the_platforms_table(server: WebServer) -> None:
    directory = server.engine.directory
    user = directory.create_user("ada")
    group = directory.create_group("team")
    directory.add_member("team", user="ada")
    for body in (
        {"user": "ada", "types": ["click"], "duration_s": 7200, "events_max": 50},
        {"group": "team", "entities": ["query:7"], "topics": ["generic"], "name": "queries"},
    ):
        answer = server.client.post("/v1/captures", json={"reason": "why it hangs", **body})
        assert answer.status_code == 201, answer.text
    first, second = captures(server)
    started = first["expires_at"] - first["created_at"]
    assert (first["status"], first["events_captured"], first["max_events"], first["window_minutes"]) == (
        "active", 0, 50, 120,
    )  # fmt: skip
    assert started == timedelta(hours=2) and first["ended_at"] is None and first["anonymous"] is False
    assert (first["subject_type"], str(first["subject_value"]), first["subject_name"]) == ("user", user.id, "ada")
    assert (first["scope_type"], first["scope_value"], first["reason"]) == ("type", "click", "why it hangs")
    assert (second["subject_type"], second["subject_value"], second["subject_name"]) == ("group", group.id, "team")
    assert (second["scope_type"], second["number"], second["name"]) == ("several", 2, "queries")
    server.client.delete("/v1/captures/queries")
    ended = captures(server)[1]
    assert ended["status"] == "ended" and ended["ended_at"] is not None
    sql = (
        "SELECT count(*) AS rules FROM capture_rules cr WHERE cr.status = 'active'"
        " AND (cr.capture ->> 'clicks')::bool AND cr.events_captured < cr.max_events AND NOT cr.anonymous"
        " AND cr.expires_at > now() at time zone 'utc'"
    )
    assert server.engine.store.query(sql, trusted=True).table.to_pylist() == [{"rules": 1}]
