"""Connections and datasets over HTTP, by administrators, by whom they let in, and by others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from support.connected import put
from support.imports import dss_lines
from support.web import WebServer
from whodid.places.folder import FolderPlace

PATTERN = "/%{node_type}/%Y/%M/%D/.*"
DAYS = ("design|2026-03-01", "design|2026-03-02")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    put(tmp_path, "audit/design/2026/03/01/a.log", dss_lines(range(100)))
    put(tmp_path, "audit/design/2026/03/02/b.log", dss_lines(range(100, 150)) + b"no json\n")
    started = WebServer(tmp_path / "data")
    made = started.client.post(
        "/v1/connections", json={"name": "files", "kind": "folder", "options": {"path": str(tmp_path / "files")}}
    )
    assert made.status_code == 201
    dataset = {"name": "audit", "connection": "files", "path": "audit", "partitioning": PATTERN}
    assert started.client.post("/v1/datasets", json=dataset).status_code == 201
    yield started
    started.close()


def reader(server: WebServer, login: str) -> httpx.Client:
    server.client.post("/v1/users", json={"login": login})
    key = server.client.post("/v1/keys", json={"name": f"of {login}", "scopes": ["read"], "user": login}).json()
    return server.as_caller(key["secret"])


def imported(server: WebServer, **body: Any) -> dict[str, Any]:
    """The job of an import at its end."""
    job = server.client.post("/v1/datasets/audit/imports", json=body).json()
    deadline = time.monotonic() + 30
    while job["state"] == "running":
        assert time.monotonic() < deadline
        job = server.client.get(f"/v1/datasets/audit/imports/{job['id']}").json()
    return dict(job)


def test_partitions_preview_and_rows(server: WebServer) -> None:
    listed = server.client.get("/v1/datasets/audit/partitions").json()
    assert [(one["name"], one["files"]) for one in listed["partitions"]] == [(day, 1) for day in DAYS]
    preview = server.client.get("/v1/datasets/audit/preview").json()
    assert {"name": "message.n", "type": "whole"} in preview["columns"]
    answer = server.client.get("/v1/datasets/audit/rows", params={"partition": DAYS[1], "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all().num_rows == 50
    assert answer.headers["whodid-passed-over"] == "1"
    found = server.client.get("/v1/datasets/audit/rows", params={"partition": list(DAYS), "limit": 120}).json()
    assert (len(found["rows"]), found["truncated"]) == (120, True)


def test_a_partition_is_imported_once_however_often_it_is_asked_for(server: WebServer, tmp_path: Path) -> None:
    first = imported(server, partitions=[DAYS[0]])
    assert (first["state"], first["summary"]["stored"], first["bytes_done"]) == ("done", 100, first["size_bytes"])
    rest = imported(server)
    assert (rest["summary"]["stored"], rest["summary"]["rejected"]) == (50, 1)
    put(tmp_path, "audit/design/2026/03/01/a.log", dss_lines(range(50, 120)))
    put(tmp_path, "audit/design/2026/03/01/late.log", dss_lines(range(200, 210)))
    again = imported(server, partitions=[DAYS[0]])
    assert again["summary"]["stored"] == 10
    counted = server.client.post(
        "/v1/query",
        json={"sql": "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events WHERE format LIKE 'dss%'"},
    ).json()["rows"]
    assert counted == [{"n": 160, "ids": 160}]


def test_by_default_only_administrators_use_a_connection(server: WebServer) -> None:
    erika = reader(server, "erika")
    assert erika.get("/v1/connections").json() == {"connections": []}
    assert erika.get("/v1/datasets").json() == {"datasets": []}
    for path in (
        "/v1/connections/files",
        "/v1/connections/files/files",
        "/v1/connections/nowhere",
        "/v1/datasets/audit",
        "/v1/datasets/audit/rows",
        "/v1/datasets/audit/preview",
        "/v1/datasets/audit/sql",
    ):
        assert erika.get(path).status_code == 403, path
    server.client.patch("/v1/connections/files", json={"users": ["erika"]})
    assert [one["name"] for one in erika.get("/v1/datasets").json()["datasets"]] == ["audit"]
    assert erika.get("/v1/datasets/audit/rows", params={"limit": 1}).status_code == 200
    assert erika.post("/v1/datasets/audit/imports", json={}).status_code == 403
    assert erika.patch("/v1/connections/files", json={"users": []}).status_code == 403


def test_reading_a_dataset_is_itself_audited(server: WebServer) -> None:
    server.client.get("/v1/datasets/audit/rows", params={"format": "csv"})
    server.engine.flush()
    found = server.client.post(
        "/v1/query", json={"sql": "SELECT type FROM events WHERE CAST(parameters AS VARCHAR) LIKE '%dataset audit%'"}
    ).json()["rows"]
    assert found


def test_a_connection_with_datasets_stays(server: WebServer) -> None:
    refused = server.client.delete("/v1/connections/files")
    assert refused.status_code == 409
    assert "audit" in refused.json()["error"]["message"]
    assert server.client.delete("/v1/datasets/audit").status_code == 200
    assert server.client.delete("/v1/connections/files").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/datasets/none/rows", 404, "no dataset 'none'"),
        ("/v1/datasets/audit/rows?partition=x", 404, "no partition 'x'"),
        ("/v1/datasets/audit/rows?limit=0", 400, "limit is 0"),
        ("/v1/datasets/audit/sql?engine=oracle", 400, "no engine"),
        ("/v1/datasets/audit/imports/none", 404, "no import"),
        ("/v1/connections/files/files?path=../..", 403, "leads out"),
    ],
)
def test_wrong_questions(server: WebServer, path: str, status: int, told: str) -> None:
    answer = server.client.get(path)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "sql"), ("GET", "preview"), ("POST", "imports"), ("POST", "imports/none")]
)
def test_every_place_that_is_opened_is_closed(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    held: set[int] = set()
    init = FolderPlace.__init__

    def opened(place: FolderPlace, *given: Any) -> None:
        init(place, *given)
        held.add(id(place))

    monkeypatch.setattr(FolderPlace, "__init__", opened)
    monkeypatch.setattr(FolderPlace, "close", lambda place: held.discard(id(place)))
    body = {"partitions": ["none"] if path == "imports/none" else []}
    path = path.removesuffix("/none")
    answer = server.client.request(method, f"/v1/datasets/audit/{path}", json=body if method == "POST" else None)
    assert answer.status_code == (404 if body["partitions"] else 202 if method == "POST" else 200)
    deadline = time.monotonic() + 30
    while held and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not held
