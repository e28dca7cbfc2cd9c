"""Destinations that require keys: nobody else writes what they take, at whichever door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.serving import ServerProcess
from whodid.datasets.door import PATH
from whodid.event import new_id


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("claims")
    running = ServerProcess(folder / "data").start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def keys(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Secrets by name, once the destination `queries` requires the key `api` for what API nodes write."""
    made = {
        name: server.request("POST", "/v1/keys", {"name": name, "scopes": ["write"]})[1]["secret"]
        for name in ("api", "design")
    }
    made["admin"] = server.request("POST", "/v1/keys", {"name": "admin", "scopes": ["admin"]})[1]["secret"]
    target = {
        "name": "queries",
        "kind": "files",
        "options": {"path": str(tmp_path_factory.mktemp("queries"))},
        "selection": {"topics": ["apinode-query"], "routing_keys": ["team-a", "team-b"]},
        "format": "dss-event-server",
        "keys": ["api"],
    }
    status, told = server.request("POST", "/v1/targets", target)
    assert (status, told["keys"]) == (201, ["api"])
    return made


def event(topic: str, routing_key: str | None) -> dict[str, Any]:
    made = {"id": new_id(), "time": "2026-03-01T12:00:00Z", "type": "prediction-query", "topic": topic}
    return made | ({"routing_key": routing_key} if routing_key else {})


def post(server: ServerProcess, secret: str, *events: dict[str, Any]) -> Any:
    owner, server.key = server.key, secret
    try:
        return server.request("POST", "/v1/events", list(events))[1]
    finally:
        server.key = owner


def test_only_the_required_key_writes_what_is_claimed(server: ServerProcess, keys: dict[str, str]) -> None:
    events = [event("apinode-query", "team-a"), event("apinode-query", "team-c"), event("generic", "team-a")]
    assert post(server, keys["api"], *events)["accepted"] == 3
    for name in ("design", "admin"):
        events = [event("apinode-query", "team-a"), event("apinode-query", None), event("generic", "team-b")]
        answer = post(server, keys[name], *events)
        assert answer["accepted"] == 2
        assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(0, "forbidden")]
        assert (
            f"'queries' does not take events of topic 'apinode-query', routing key 'team-a' from the key '{name}'"
            in (answer["rejected"][0]["message"])
        )


def test_the_door_for_imports_keeps_it_too(server: ServerProcess, keys: dict[str, str]) -> None:
    forged = event("apinode-query", "team-b")
    body = b'{"format":"native"}\n' + json.dumps([forged]).encode()
    answer = httpx.post(server.url + PATH, content=body, headers={"authorization": f"Bearer {keys['design']}"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)


def test_a_destination_that_selects_nothing_cannot_require_keys(server: ServerProcess, tmp_path: Path) -> None:
    target = {"name": "all", "kind": "files", "options": {"path": str(tmp_path)}, "keys": ["api"]}
    status, told = server.request("POST", "/v1/targets", target)
    assert (status, told["error"]["code"]) == (400, "invalid")


def test_a_key_has_to_be_there(server: ServerProcess, keys: dict[str, str], tmp_path: Path) -> None:
    target = {
        "name": "typo",
        "kind": "files",
        "options": {"path": str(tmp_path)},
        "selection": {"topics": ["x"]},
        "keys": ["apii"],
    }
    assert server.request("POST", "/v1/targets", target)[0] == 404


def test_without_the_claim_everybody_writes_again(server: ServerProcess, keys: dict[str, str]) -> None:
    assert server.request("PATCH", "/v1/targets/queries", {"keys": []})[1]["keys"] == []
    assert post(server, keys["design"], event("apinode-query", "team-a"))["accepted"] == 1
