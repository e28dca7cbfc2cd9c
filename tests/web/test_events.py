"""Events over HTTP: filters, formats, pages, panes; whoever reads leaves an event."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.reading import event
from support.web import WebServer
from whodid.reading import read

MINE = {"type": ["query-*"]}


def test_events_come_newest_first_with_parameters_as_objects(server: WebServer) -> None:
    found = server.client.get("/v1/events", params={"type": "query-*"}).json()
    assert [one["type"] for one in found["events"]] == ["query-failed", "query-start"]
    assert found["events"][1]["parameters"] == {"big": 2**60}
    assert found["events"][1]["time"].endswith("Z")
    assert found["next_cursor"] is None


def test_pages_lead_on_by_their_cursor(server: WebServer) -> None:
    first = server.client.get("/v1/events", params={**MINE, "limit": 1}).json()
    second = server.client.get("/v1/events", params={**MINE, "limit": 1, "cursor": first["next_cursor"]}).json()
    assert [first["events"][0]["type"], second["events"][0]["type"]] == ["query-failed", "query-start"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("application/x-ndjson", "ndjson"),
        ("text/csv", "csv"),
        ("text/csv;q=0.5, application/x-ndjson;q=0.9", "ndjson"),
        ("text/csv;q=0, application/json", "json"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        (",;q=x,", "json"),
    ],
)
def test_the_accept_header_chooses_the_format(server: WebServer, accept: str, form: str) -> None:
    answer = server.client.get("/v1/events", params=MINE, headers={"accept": accept})
    asked = server.client.get("/v1/events", params={**MINE, "format": form})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == asked.headers["content-type"]
    assert answer.content == asked.content


def test_each_format_holds_the_same_events(server: WebServer) -> None:
    def get(form: str) -> bytes:
        return server.client.get("/v1/events", params={**MINE, "format": form}).content

    ids = [one["id"] for one in json.loads(get("json"))["events"]]
    assert len(ids) == 2
    assert [json.loads(line)["id"] for line in get("ndjson").splitlines()] == ids
    assert [row["id"] for row in csv.DictReader(io.StringIO(get("csv").decode(), newline=""))] == ids
    assert pq.read_table(io.BytesIO(get("parquet")))["id"].to_pylist() == ids
    assert pa.ipc.open_stream(get("arrow")).read_all()["id"].to_pylist() == ids


def test_an_export_to_a_spreadsheet_holds_no_formula(server: WebServer) -> None:
    text = server.client.get("/v1/events", params={**MINE, "format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows[0]["user"] == "'=cmd|'/c calc'!A1"


def test_an_export_beyond_a_page_is_whole(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "PAGE_ROWS", 7)
    past = datetime.now(UTC) - timedelta(days=400)
    stored = [event("bulk", at=past + timedelta(seconds=i)) for i in range(40)]
    server.store(stored)
    answer = server.client.get("/v1/events", params={"type": "bulk", "limit": 1_000, "format": "ndjson"})
    assert [json.loads(line)["id"] for line in answer.text.splitlines()] == [one.id for one in reversed(stored)]
    assert 'filename="events.ndjson"' in answer.headers["content-disposition"]


def test_one_event_by_its_id(server: WebServer) -> None:
    wanted = server.client.get("/v1/events", params=MINE).json()["events"][0]
    found = server.client.get(f"/v1/events/{wanted['id']}").json()
    assert {name: found[name] for name in wanted} == wanted
    assert (found["entity_name_now"], found["clock_skew_s"]) == (wanted["entity_name"], None)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("query", "a/b c", ["query-start"]),
        ("connection", "Zürich/db", ["query-start"]),
        ("query", "...", []),
        ("query", "a", []),
        ("query", "' OR 1=1 --", []),
        ("query", "...", []),
        ("qu/ery", "x", []),
    ],
)
def test_an_id_may_hold_anything(server: WebServer, kind: str, name: str, expected: list[str]) -> None:
    path = f"/v1/entities/{quote(kind, safe='')}/{quote(name, safe='')}"
    activity = server.client.get(f"{path}/activity")
    assert activity.status_code == 200
    assert [one["type"] for one in activity.json()["events"]] == expected
    assert server.client.get(f"{path}/usage").status_code == 200


def test_usage_of_an_entity_and_of_a_user(server: WebServer) -> None:
    entity: dict[str, Any] = server.client.get("/v1/entities/query/%2F%2F/usage").json()
    assert (entity["numbers"]["events"], entity["numbers"]["errors"]) == (1, 1)
    user = server.client.get("/v1/users/erika/usage", params={"since": "1h"}).json()
    assert user["numbers"]["runs"] == 1
    assert user["top_entities"][0]["entity_id"] == "a/b c"
    part = server.client.get("/v1/users/erika/usage", params={"part": "by_type", "format": "csv"}).text
    assert part.splitlines()[1].startswith("query-start,1,1,0")


def test_a_reading_that_is_refused_is_recorded_as_tried(server: WebServer) -> None:
    _, secret = server.engine.directory.create_key("max", ["read"], user="max", by="test")
    with server.as_caller(secret) as max_:
        max_.get("/v1/events")
        assert max_.get("/v1/events", params={"group": "nobody"}).status_code == 404
        assert max_.get("/v1/events", params={"since": "now", "until": "1d", "limit": 20_000, "format": "csv"}).is_error
        assert max_.post("/v1/query", json={"sql": "SELECT nothing FROM events"}).status_code == 400
    kinds = ("audit-read", "audit-exported", "query-run")
    tried = {kind: [one for one in server.recorded(kind) if one["user"] == "max"] for kind in kinds}
    assert {kind: [one["status"] for one in some] for kind, some in tried.items()} == {
        "audit-read": [None, "failed"], "audit-exported": ["failed"], "query-run": ["failed"],
    }  # fmt: skip
    refused = json.loads(tried["audit-read"][1]["parameters"])["refused"]
    assert refused["code"] == "not_found" and "nobody" in refused["message"]
    assert tried["query-run"][0]["error_message"] is None, "it belongs to no group of errors"
    told = server.client.get("/v1/reports/audit-readers", params={"since": "1d"}).json()["rows"]
    assert {(row["type"], row["what"]): row["refused"] for row in told if row["person"] == "max"} == {
        ("audit-read", "events"): 1, ("audit-exported", "events"): 1, ("query-run", "query"): 1,
    }  # fmt: skip


def test_reading_the_audit_is_itself_audited(server: WebServer) -> None:
    _, secret = server.engine.directory.create_key("auditor", ["read"], user="mia", by="test")
    with server.as_caller(secret) as mia:
        mia.get("/v1/events", params={"user": "erika"})
        mia.get("/v1/events", params={"format": "csv"})
        mia.post("/v1/query", json={"sql": "SELECT count(*) FROM events"})
        mia.get("/v1/users/erika/activity")
        mia.get("/healthz")
    read_events = [one for one in server.recorded("audit-read") if one["user"] == "mia"]
    assert [json.loads(one["parameters"]) for one in read_events] == [
        {"what": "events", "format": "json", "filter": {"user": ["erika"]}},
        {"what": "activity", "format": "json", "filter": {"user": ["erika"]}},
    ]
    assert {one["level"] for one in read_events} == {"audit"}
    exported = [one for one in server.recorded("audit-exported") if one["user"] == "mia"]
    assert json.loads(exported[0]["parameters"])["format"] == "csv"
    asked = [one for one in server.recorded("query-run") if one["user"] == "mia"]
    assert json.loads(asked[0]["parameters"])["filter"] == {"sql": "SELECT count(*) FROM events"}


def test_what_cannot_be_recorded_is_not_read(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from whodid.errors import WhodidError

    def full(_: object) -> None:
        raise WhodidError("full", "The disk is full.")

    monkeypatch.setattr(server.services, "record", full)
    answer = server.client.get("/v1/events")
    assert answer.status_code == 507
    assert "events" not in answer.json()
