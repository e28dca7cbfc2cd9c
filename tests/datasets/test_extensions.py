"""Connections that come with the product: they write, are read, are administrators' only, and can be undone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.agents import wait_for
from support.serving import ServerProcess
from whodid.event import new_id

TODAY = datetime.now(UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path / "data").start()
    yield running
    running.kill()


def post(server: ServerProcess, **fields: Any) -> str:
    event = {"id": new_id(), "time": TODAY.isoformat(), "type": "prediction-query", **fields}
    status, answer = server.request("POST", "/v1/events", [event])
    assert (status, answer["accepted"]) == (200, 1)
    return str(event["id"])


def names(server: ServerProcess, what: str) -> list[str]:
    return [one["name"] for one in server.request("GET", f"/v1/{what}")[1][what]]


def events_of(server: ServerProcess, *types: str) -> list[str]:
    listed = ", ".join(f"'{name}'" for name in types)
    return [row["type"] for row in server.query(f"SELECT type FROM events WHERE type IN ({listed}) ORDER BY seq")]


def partitions(server: ServerProcess, name: str) -> list[dict[str, Any]]:
    status, told = server.request("GET", f"/v1/datasets/{name}/partitions?refresh=true")
    return list(told["partitions"]) if status == 200 else []


@pytest.mark.parametrize("fields", [{"node_type": "api"}, {"topic": "apinode-query"}], ids=["type", "topic"])
def test_the_first_api_node_makes_the_connection_of_its_queries(server: ServerProcess, fields: dict[str, str]) -> None:
    post(server, node="design-1", node_type="design", topic="generic")
    first = post(server, node="api-7", **{"topic": "apinode-query", **fields})
    name = "customer-audit-log"
    wait_for(lambda: all(name in names(server, what) for what in ("connections", "targets", "datasets")))
    assert server.request("GET", f"/v1/connections/{name}")[1]["users"] == []
    dataset = server.request("GET", f"/v1/datasets/{name}")[1]
    assert (dataset["connection"], dataset["partitioning"]) == (name, "/%Y/%M/%D/.*")
    switched = "extension-switched-on"
    wait_for(lambda: events_of(server, switched) == [switched], lambda: server.query("SELECT type FROM events"), 10)
    # What made it appear is in it.
    server.request("PATCH", f"/v1/targets/{name}", {"options": {"close_s": 0.2}})
    wait_for(lambda: [one["name"] for one in partitions(server, name)] == [f"{TODAY:%Y-%m-%d}"],
             lambda: partitions(server, name))  # fmt: skip
    rows = server.request("GET", f"/v1/datasets/{name}/rows")[1]["rows"]
    assert len(rows) == 1
    assert first in json.dumps(rows)


def test_an_instance_without_api_nodes_has_none(server: ServerProcess) -> None:
    post(server, node="design-1", node_type="design", topic="generic")
    wait_for(lambda: server.request("GET", "/v1/nodes")[1]["nodes"] != [])
    assert names(server, "connections") == []


def test_the_audit_of_the_instances_is_switched_on_and_off(server: ServerProcess, tmp_path: Path) -> None:
    name = "dku-audit-log"
    status, told = server.request("POST", f"/v1/connections/extensions/{name}", {})
    assert (status, told["on"], told["partitioning"]) == (201, True, "/%{node_type}/%Y/%M/%D/.*")
    # Switched on again nothing changes.
    assert server.request("POST", f"/v1/connections/extensions/{name}", {})[0] == 201
    server.request("PATCH", f"/v1/targets/{name}", {"options": {"close_s": 0.2}})
    for node_type in ("design", "automation"):
        post(server, node="n", node_type=node_type, topic="generic")
    post(server, node="a", node_type="api", topic="apinode-query")
    day = f"{TODAY:%Y-%m-%d}"
    wanted = [f"automation|{day}", f"design|{day}"]
    wait_for(lambda: {*wanted} <= {one["name"] for one in partitions(server, name)},
             lambda: partitions(server, name))  # fmt: skip
    assert not [one for one in partitions(server, name) if one["name"].startswith("api")]
    shown = server.request("GET", "/v1/connections/extensions")[1]["extensions"]
    assert {one["name"]: one["on"] for one in shown}[name] is True
    status, told = server.request("DELETE", f"/v1/connections/extensions/{name}")
    assert (status, told["on"]) == (200, False)
    for what in ("connections", "targets", "datasets"):
        assert name not in names(server, what)
    assert list((tmp_path / "data" / "exports" / name / "design").rglob("*.json.gz"))
    wait_for(lambda: "extension-switched-off" in events_of(server, "extension-switched-off"))


def test_what_was_switched_off_does_not_come_back_by_itself(server: ServerProcess) -> None:
    assert server.request("DELETE", "/v1/connections/extensions/customer-audit-log")[0] == 200
    post(server, node="api-7", node_type="api")
    wait_for(lambda: server.request("GET", "/v1/nodes")[1]["nodes"] != [])
    assert names(server, "connections") == []


def test_only_administrators_switch_and_see(server: ServerProcess) -> None:
    server.request("POST", "/v1/connections/extensions/dku-audit-log", {})
    secret = server.request("POST", "/v1/keys", {"name": "reader", "scopes": ["read"]})[1]["secret"]
    server.key = secret
    assert server.request("GET", "/v1/connections/extensions")[0] == 403
    assert server.request("DELETE", "/v1/connections/extensions/dku-audit-log")[0] == 403
    assert server.request("GET", "/v1/connections/dku-audit-log")[0] == 403
    assert names(server, "connections") == []


def test_below_another_connection(server: ServerProcess, tmp_path: Path) -> None:
    lake = {"name": "lake", "kind": "folder", "options": {"path": str(tmp_path / "lake")}}
    server.request("POST", "/v1/connections", lake)
    body = {"connection": "lake", "start": "beginning"}
    assert server.request("POST", "/v1/connections/extensions/dku-audit-log", body)[1]["connection"] == "lake"
    options = server.request("GET", "/v1/connections/dku-audit-log")[1]["options"]
    assert options["path"] == str(tmp_path / "lake" / "dku-audit-log")


def test_an_extension_that_is_none(server: ServerProcess) -> None:
    status, told = server.request("POST", "/v1/connections/extensions/other", {})
    assert (status, told["error"]["code"]) == (404, "not_found")
