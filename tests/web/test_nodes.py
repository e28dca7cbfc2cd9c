"""Nodes over HTTP: listed, shown in status and metrics, retired by administrators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.web import WebServer
from whodid.directory.nodes import NodeSeen


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    server = WebServer(tmp_path / "data")
    now = datetime.now(UTC)
    server.engine.directory.note_nodes([
        NodeSeen(node='de"sign/1', node_type="design", at=now, events=3, heartbeat_at=now, clock_ahead_ms=-3_600_000),
        NodeSeen(node="gone", at=now - timedelta(days=2), events=7),
    ])  # fmt: skip
    server.engine.directory.tell_silent(60, 3600)
    yield server
    server.close()


def test_nodes_are_listed_with_what_follows(web: WebServer) -> None:
    design, gone = web.client.get("/v1/nodes").json()["nodes"]
    assert (design["node"], design["state"], design["has_agent"], design["clock_off"]) == (
        'de"sign/1', "sending", True, True,
    )  # fmt: skip
    assert (gone["state"], gone["has_agent"], gone["events"]) == ("silent", False, 7)
    assert web.client.get("/v1/nodes/de%22sign%2F1").json()["node_type"] == "design"
    assert web.client.get("/v1/nodes/none").status_code == 404


def test_status_and_metrics_show_who_is_silent(web: WebServer) -> None:
    assert web.client.get("/v1/status").json()["nodes"] == {
        "nodes": 2, "silent": ["gone"], "clock_off": ['de"sign/1'],
    }  # fmt: skip
    lines = web.client.get("/metrics").text.splitlines()
    assert 'whodid_node_silent{node="gone",node_type=""} 1' in lines
    assert r'whodid_node_clock_ahead_seconds{node="de\"sign/1",node_type="design"} -3600.0' in lines
    assert 'whodid_node_events_total{node="gone",node_type=""} 7' in lines


def test_a_node_is_retired_and_its_events_stay(web: WebServer) -> None:
    assert web.client.delete("/v1/nodes/gone").json()["state"] == "retired"
    assert [node["node"] for node in web.client.get("/v1/nodes").json()["nodes"]] == ['de"sign/1']
    assert len(web.client.get("/v1/nodes?retired=true").json()["nodes"]) == 2
    assert web.client.get("/v1/status").json()["nodes"]["silent"] == []
    (told,) = web.recorded("node-retired")
    assert (told["entity_id"], told["user"]) == ("gone", "api:owner of the data folder")


def test_only_administrators_retire(web: WebServer) -> None:
    _, secret = web.engine.directory.create_key("reader", ["read"])
    reader = web.as_caller(secret)
    assert reader.get("/v1/nodes").status_code == 200
    assert reader.delete("/v1/nodes/gone").status_code == 403
