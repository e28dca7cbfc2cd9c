"""Targets over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.endpoint import Endpoint
from support.targets import DoubleTarget, Other, event, wait_until
from support.web import WebServer
from whodid.errors import WhodidError
from whodid.plugins import TARGETS, Plugin

NEW = {"name": "siem", "kind": "double", "options": {"other": "siem", "secret": "hunter2", "count": "7"}}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setitem(TARGETS, "double", Plugin("support.targets:DoubleTarget"))
    DoubleTarget.OTHERS.clear()
    found = WebServer(tmp_path / "data", segment_age_ms_max=20)
    found.engine.dispatch.dispatcher.start()
    yield found
    found.close()
    DoubleTarget.OTHERS.clear()


def settled(server: WebServer) -> None:
    server.engine.flush()
    wait_until(lambda: server.client.get("/v1/targets/siem").json()["status"]["waiting_events"] == 0)


def test_a_target_is_made_shown_changed_and_taken_away_without_its_secret(server: WebServer) -> None:
    made = server.client.post("/v1/targets", json=NEW)
    assert made.status_code == 201
    assert made.json()["options"] == {"other": "siem", "secret": "***", "count": "7"}
    settled(server)
    shown = server.client.get("/v1/targets/siem")
    assert shown.json()["status"]["state"] == "running"
    changed = server.client.patch("/v1/targets/siem", json={"options": {"count": 9, "secret": "***"}, "deadline_s": 5})
    assert changed.json()["options"]["count"] == 9
    wait_until(lambda: len(DoubleTarget.OTHERS["siem"].secrets) == 2)
    assert set(DoubleTarget.OTHERS["siem"].secrets) == {"hunter2"}
    for text in (made.text, shown.text, changed.text, server.client.get("/v1/targets").text):
        assert "hunter2" not in text and "sealed:" not in text
    assert server.client.delete("/v1/targets/siem").json() == {"deleted": "siem"}
    assert server.client.get("/v1/targets/siem").status_code == 404


def test_a_target_for_a_user_whom_nobody_knows_is_made_with_a_warning(server: WebServer) -> None:
    made = server.client.post("/v1/targets", json={**NEW, "selection": {"users": ["adda"]}}).json()
    assert made["selection"]["users"] == ["adda"] and "'adda'" in made["warning"]
    server.engine.directory.create_user("adda")
    assert server.client.get("/v1/targets/siem").json()["warning"] is None


def test_what_the_other_side_says_is_told_without_the_targets_secrets(server: WebServer) -> None:
    other = DoubleTarget.OTHERS["siem"] = Other()
    said = "unknown token hunter2 of https://ada:pass@siem.example.com"
    server.client.post("/v1/targets", json={**NEW, "running": False})
    other.errors = [WhodidError("invalid", said, "Is hunter2 right?")]
    tested = server.client.post("/v1/targets/siem/test").json()["error"]
    assert tested["message"] == "unknown token *** of https://ada:***@siem.example.com"
    assert tested["hint"] == "Is *** right?"
    other.errors = [ValueError(said), WhodidError("invalid", said, "Is hunter2 right?")]
    server.client.post("/v1/targets/siem/resume")
    server.store([event(level="error")])
    wait_until(lambda: bool(server.recorded("target-paused")))
    told = [server.client.get(path).text for path in ("/v1/targets", "/v1/targets/siem", "/v1/status")]
    told += [row["parameters"] for row in server.recorded("target-paused")]
    told += [row["parameters"] for row in server.recorded("target-tested")]
    assert len(told) == 5 and all("unknown token ***" in text for text in told)
    assert not any("hunter2" in text or ":pass@" in text for text in told)


def test_every_change_is_an_event_with_before_and_after_and_no_secret(server: WebServer) -> None:
    server.client.post("/v1/targets", json=NEW)
    server.client.patch("/v1/targets/siem", json={"selection": {"levels": ["error"]}})
    server.client.post("/v1/targets/siem/pause")
    server.client.post("/v1/targets/siem/resume")
    server.client.delete("/v1/targets/siem")
    server.engine.flush()
    sql = "SELECT type, parameters FROM events WHERE type LIKE 'target-%' ORDER BY seq"
    rows = server.client.post("/v1/query", json={"sql": sql}).json()["rows"]
    assert [row["type"].removeprefix("target-") for row in rows] == [
        "created", "changed", "paused", "resumed", "deleted",
    ]  # fmt: skip
    change = rows[1]["parameters"]
    assert (change["before"]["selection"], change["after"]["selection"]) == ({}, {"levels": ["error"]})
    assert "hunter2" not in str(rows) and "sealed:" not in str(rows)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**NEW, "kind": "pigeon"}, "There is no kind of target 'pigeon'."),
        ({**NEW, "name": "a/b"}, "cannot be the name of a target"),
        ({**NEW, "name": "kinds"}, "cannot be the name of a target"),
        ({**NEW, "options": {}}, "The option other is missing"),
        ({**NEW, "options": {"other": "x", "colour": "red"}}, "There is no option 'colour'."),
        ({**NEW, "options": {"other": "x", "count": "many"}}, "count is 'many', which is no whole number"),
        ({**NEW, "options": {"other": "x", "secret": 5}}, "secret is ***, which is no text"),
        ({**NEW, "selection": {"levels": ["loud"]}}, "There is no level 'loud'."),
        ({**NEW, "selection": {"groups": ["nobodies"]}}, "nobodies"),
        ({**NEW, "shaping": {"hashed": ["usr"]}}, "'usr' is no field of an event."),
        ({**NEW, "shaping": {"left_out": ["id"]}}, "'id' always goes along."),
        ({**NEW, "shaping": {"hashed": ["duration_ms"]}}, "duration_ms is no text"),
        ({**NEW, "format": "xml"}, "There is no format 'xml'."),
        ({**NEW, "start": "someday"}, "start is 'someday'"),
        ({**NEW, "deadline_s": 0}, "deadline_s is 0"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:30],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    server: WebServer, body: dict[str, object], message: str
) -> None:
    answer = server.client.post("/v1/targets", json=body)
    assert answer.status_code in (400, 404)
    assert message in answer.json()["error"]["message"]
    assert server.client.get("/v1/targets").json() == {"targets": []}


def test_headers_of_requests_are_kept_like_secrets(server: WebServer) -> None:
    with Endpoint() as endpoint:
        options = {"url": endpoint.url, "headers": {"X-Api-Key": "hunter2"}}
        made = server.client.post("/v1/targets", json={"name": "hook", "kind": "http", "options": options})
        assert made.json()["options"]["headers"] == "***"
        server.engine.flush()
        wait_until(lambda: endpoint.requests)
        assert endpoint.requests[0].headers["x-api-key"] == "hunter2"


def test_a_name_is_taken_once(server: WebServer) -> None:
    server.client.post("/v1/targets", json=NEW)
    assert server.client.post("/v1/targets", json=NEW).status_code == 409


def test_kinds_tell_their_options(server: WebServer) -> None:
    kinds = {kind["kind"]: kind for kind in server.client.get("/v1/targets/kinds").json()["kinds"]}
    secret = next(option for option in kinds["double"]["options"] if option["name"] == "secret")
    assert (secret["secret"], secret["kind"], secret["optional"]) == (True, "text", True)
    assert {"http", "whodid"} <= kinds.keys()


def test_a_test_sends_one_marked_event_past_the_cursor(server: WebServer) -> None:
    server.client.post("/v1/targets", json=NEW)
    settled(server)
    place = server.client.get("/v1/targets/siem").json()["status"]["place"]
    told = server.client.post("/v1/targets/siem/test").json()
    assert (told["events"], told["answer"]) == (1, "flushed")
    assert DoubleTarget.OTHERS["siem"].ids[-1] == told["event_id"]
    assert b'"type":"target-test"' in DoubleTarget.OTHERS["siem"].lines[-1]
    settled(server)
    assert server.client.get("/v1/targets/siem").json()["status"]["place"] == place + 1


def test_a_dry_run_tells_what_would_go_and_sends_nothing(server: WebServer) -> None:
    server.store([event() for _ in range(5)])
    server.store([event(type="login", level="audit") for _ in range(2)])
    draft = {**NEW, "selection": {"types": ["login*"]}, "shaping": {"hashed": ["user"]}}
    told = server.client.post("/v1/targets/dry-run", json={"since": "1d", "target": draft}).json()
    assert (told["events"], told["types"]) == (2, {"login": 2})
    assert told["looked_at"] >= 7
    assert len(told["samples"]) == 2
    assert "hmac-sha256:" in told["samples"][0] and '"ada"' not in told["samples"][0]
    assert DoubleTarget.OTHERS["siem"].opened == 0


def test_dead_letters_are_shown_replayed_and_hold_up_a_deletion(server: WebServer) -> None:
    server.client.post("/v1/targets", json=NEW)
    settled(server)
    other = DoubleTarget.OTHERS["siem"]
    sent = [event() for _ in range(5)]
    other.refuses = {sent[1].id, sent[3].id}
    server.store(sent)
    settled(server)
    letters = server.client.get("/v1/targets/siem/dead-letters").json()["dead_letters"]
    assert [(letter["event"]["id"], letter["message"]) for letter in letters] == [
        (sent[1].id, "no"),
        (sent[3].id, "no"),
    ]
    status = server.client.get("/v1/targets/siem").json()["status"]
    assert (status["refused"], status["dead_letters"]) == (2, 2)
    assert server.client.delete("/v1/targets/siem").status_code == 409
    other.refuses = {sent[3].id}
    assert server.client.post("/v1/targets/siem/replay", json={}).json() == {"replayed": 1, "refused": 1, "left": 1}
    assert other.ids.count(sent[1].id) == 1
    dropped = server.client.post("/v1/targets/siem/replay", json={"drop": True}).json()
    assert (dropped["dropped"], dropped["left"]) == (1, 0)
    assert server.client.delete("/v1/targets/siem").status_code == 200


def test_status_and_metrics_tell_of_every_target(server: WebServer) -> None:
    server.client.post("/v1/targets", json=NEW)
    settled(server)
    (target,) = server.client.get("/v1/status").json()["targets"]
    assert (target["name"], target["state"]) == ("siem", "running")
    lines = server.client.get("/metrics").text.splitlines()
    assert 'whodid_target_state{target="siem",state="running"} 1' in lines
    assert any(line.startswith('whodid_target_sent_events_total{target="siem",kind="double"} ') for line in lines)


def test_targets_are_for_administrators_alone(server: WebServer) -> None:
    _, secret = server.engine.directory.create_key("reader", ["read"])
    reader = server.as_caller(secret)
    for path in ("/v1/targets", "/v1/targets/kinds", "/v1/targets/siem", "/v1/targets/siem/dead-letters"):
        assert reader.get(path).status_code == 403
    reader.close()
