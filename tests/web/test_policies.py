"""The policy over HTTP: what clients are told, who may change it, drafts on stored traffic, captures, status."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.reading import event
from support.web import WebServer
from whodid.policy.pattern import protected
from whodid.policy.plan import sampled

WIRE = {
    "version", "max_age_s", "switched_off", "only", "parameters", "sampling", "flush_interval_ms",
    "request_timeout_ms", "session_idle_ms",
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    running = WebServer(tmp_path / "data")
    try:
        yield running
    finally:
        running.close()


def created(server: WebServer, name: str = "quiet", **fields: Any) -> dict[str, Any]:
    answer = server.client.post("/v1/policies", json={"name": name, "accept_unknown": True, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refused(answer: httpx.Response, code: str) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code and error["message"] and error["hint"], error
    return error


def test_a_client_is_told_with_tag_and_age(server: WebServer) -> None:
    answer = server.client.get("/v1/policy")
    assert set(answer.json()) == WIRE
    assert answer.headers["cache-control"] == "max-age=5"
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    for tag in (answer.headers["etag"], "*", f'"other", W/{answer.headers["etag"]}'):
        again = server.client.get("/v1/policy", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"] and again.headers["cache-control"] == "max-age=5"
    created(server, switched_off=["error"])
    changed = server.client.get("/v1/policy", headers={"if-none-match": answer.headers["etag"]})
    assert changed.status_code == 200 and "error" in changed.json()["switched_off"]


def test_the_subject_is_the_keys_user_or_the_one_that_is_named(server: WebServer) -> None:
    created(server, user="ada", session_idle_ms=60_000, flush_interval_ms=100, request_timeout_ms=2_000)
    server.engine.directory.create_user("ada")
    _, secret = server.engine.directory.create_key("ada's", ["write"], user="ada")
    ada = server.as_caller(secret)
    mine = ada.get("/v1/policy").json()
    assert (mine["session_idle_ms"], mine["flush_interval_ms"], mine["request_timeout_ms"]) == (60_000, 100, 2_000)
    assert ada.get("/v1/policy", params={"user": "bob"}).json()["session_idle_ms"] is None
    assert server.client.get("/v1/policy?user=ada").json() == mine
    assert server.client.get("/v1/policy").json()["session_idle_ms"] is None


def test_who_may_what(server: WebServer) -> None:
    rule = created(server)
    directory = server.engine.directory
    writer = server.as_caller(directory.create_key("w", ["write"])[1])
    reader = server.as_caller(directory.create_key("r", ["read"])[1])
    assert writer.get("/v1/policy").status_code == 200
    refused(reader.get("/v1/policy"), "forbidden")
    assert reader.get("/v1/policies").status_code == 200
    for method, path in (
        ("POST", "/v1/policies"), ("PATCH", f"/v1/policies/{rule['id']}"), ("DELETE", "/v1/policies/quiet"),
        ("POST", "/v1/policies/test"), ("POST", "/v1/policies/hash"), ("POST", "/v1/captures"),
        ("DELETE", "/v1/captures/x"), ("POST", "/v1/policies/quiet/move"),
    ):  # fmt: skip
        refused(reader.request(method, path, json={}), "forbidden")
    refused(server.stranger.get("/v1/policy"), "unauthorized")


def test_rules_are_made_changed_moved_and_deleted(server: WebServer) -> None:
    first = created(server)
    assert first["position"] == 1 and first["filtered"] == {"events": 0, "bytes": 0, "first_at": None, "last_at": None}
    created(server, "ada", user="ada", level="verbose")
    changed = server.client.patch("/v1/policies/quiet", json={"note": "why", "truncated": {"text": 3}})
    assert (changed.json()["note"], changed.json()["position"]) == ("why", 2)
    assert server.client.get(f"/v1/policies/{first['id']}").json() == changed.json()
    server.client.patch("/v1/policies/ada", json={"name": "ada's", "enabled": False})
    moved = server.client.post("/v1/policies/quiet/move", json={"before": "ada's"})
    assert [rule["name"] for rule in moved.json()["rules"]] == ["quiet", "ada's"]
    assert server.client.delete("/v1/policies/quiet").json() == {"deleted": "quiet"}
    refused(server.client.get("/v1/policies/quiet"), "not_found")
    told = server.recorded("log-settings-changed")
    assert len(told) == 6 and {row["user"] for row in told} == {"api:owner of the data folder"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"level": "custom"}, "invalid"),
        ({"level": "loud"}, "invalid"),
        ({"switched_off": ["log-settings-changed"]}, "invalid"),
        ({"switched_off": ["no such type"]}, "invalid"),
        ({"group": "nobody"}, "not_found"),
        ({"user": "nobody"}, "not_found"),
        ({"colour": "red"}, "invalid"),
        ({"position": 7}, "invalid"),
    ],
)
def test_what_makes_no_sense_is_refused(server: WebServer, body: dict[str, Any], code: str) -> None:
    refused(server.client.post("/v1/policies", json={"name": "mine", **body}), code)


def test_a_type_that_was_sent_is_known(server: WebServer) -> None:
    server.store([event("card.moved")])
    assert server.client.post("/v1/policies", json={"name": "m", "switched_off": ["card.moved"]}).status_code == 201


def test_a_rule_whose_group_went_away_is_told(server: WebServer) -> None:
    directory = server.engine.directory
    directory.create_user("ada")
    directory.create_group("team")
    directory.add_member("team", user="ada")
    created(server, group="team")
    directory.delete_group("team")
    (rule,) = server.client.get("/v1/policies").json()["rules"]
    assert rule["group"] is None and "its group is gone" in rule["warning"]


def test_a_draft_is_tried_on_stored_traffic(server: WebServer) -> None:
    now = datetime.now(UTC)
    ids: list[str] = []
    stored = []
    for number in range(300):
        one = event("click", at=now - timedelta(minutes=number), user="ada", parameters={"secret": "x" * 50})
        ids.append(one.id)
        stored.append(one)
    stored += [
        event("user-logged-in", at=now - timedelta(hours=1), user="ada", parameters={"secret": 1}) for _ in range(5)
    ]
    stored += [
        event("query-start", at=now - timedelta(hours=1), user="bob", parameters={"secret": 1}) for _ in range(7)
    ]
    stored += [event("click", at=now - timedelta(days=30), user="ada") for _ in range(9)]
    server.store(stored)
    draft = {"since": "7d", "level": "verbose", "sampling": {"click": 0.5}, "left_out": ["secret"]}
    answer = server.client.post("/v1/policies/test", json=draft).json()
    (rule,) = answer["rules"]
    dropped = sum(not sampled(one, 0.5) for one in ids)
    assert (answer["events"], answer["dropped_events"], rule["events"]) == (312, dropped, dropped)
    assert 0 < rule["bytes"] < rule["matched_bytes"] == answer["bytes"]
    assert rule["types"] == [{"type": "click", "events": dropped, "bytes": rule["bytes"], "of_events": 300}]
    assert rule["parameters"] == [{"name": "secret", "how": "left_out", "events": 307}]
    assert server.client.get("/v1/policies").json()["rules"] == [], "nothing is kept"


def test_a_draft_among_rules_and_a_rule_changed(server: WebServer) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    server.store([event(kind, at=now, user=user) for kind in ("click", "query-start") for user in ("ada", "bob")])
    created(server, "bob", user="bob", level="verbose")
    tried = server.client.post("/v1/policies/test", json={"name": "all", "switched_off": ["query-*"]}).json()
    assert [(rule["name"], rule["matched"], rule["events"]) for rule in tried["rules"]] == [
        ("bob", 2, 0),
        ("all", 2, 2),
    ]
    tried = server.client.post("/v1/policies/test", json={"which": "bob", "level": "custom", "types": ["error"]}).json()
    assert [(rule["name"], rule["events"]) for rule in tried["rules"]] == [("bob", 2)]
    as_it_is = server.client.post("/v1/policies/test", json={"since": "1d"}).json()
    assert as_it_is["events"] >= 4 and as_it_is["dropped_events"] == 0
    assert len(server.recorded("audit-read")) == 3, "who looks at traffic is audited"
    refused(server.client.post("/v1/policies/test", json={"since": "yesterday"}), "invalid")


def test_a_hashed_value_is_found_again(server: WebServer) -> None:
    refused(server.client.post("/v1/policies/hash", json={"value": "a"}), "conflict")
    created(server, hashed=["email"])
    first = server.client.post("/v1/policies/hash", json={"value": "ada@example.org"}).json()["hash"]
    assert first.startswith("hmac-sha256:") and "example" not in first
    assert server.client.post("/v1/policies/hash", json={"value": "ada@example.org"}).json()["hash"] == first


def test_captures_are_started_listed_and_stopped(server: WebServer) -> None:
    refused(server.client.post("/v1/captures", json={"user": "ada"}), "invalid")
    created(server)
    body = {"reason": "why it hangs", "user": "ada", "types": ["click"], "duration_s": 3600, "accept_unknown": True}
    started = server.client.post("/v1/captures", json=body)
    assert started.status_code == 201 and started.json()["name"] == "capture-1"
    assert "click" not in server.client.get("/v1/policy?user=ada").json()["switched_off"]
    assert "click" in server.client.get("/v1/policy?user=bob").json()["switched_off"]
    assert [each["name"] for each in server.client.get("/v1/policies").json()["captures"]] == ["capture-1"]
    ended = server.client.delete("/v1/captures/capture-1").json()
    assert (ended["ended_why"], ended["ended_by"], ended["events"]) == ("stopped", "api:owner of the data folder", 0)
    assert [each["ended_why"] for each in server.client.get("/v1/captures").json()["captures"]] == ["stopped"]
    assert len(server.recorded("capture-started")) == len(server.recorded("capture-stopped")) == 1


def test_status_and_metrics_tell_what_was_filtered(server: WebServer) -> None:
    rule = created(server, 'a "quiet" rule')
    server.services.policies.counts.add({rule["id"]: (3, 500)})
    server.services.policies.counts.add({rule["id"]: (1, 100)})
    (listed,) = server.client.get("/v1/policies").json()["rules"]
    assert (listed["filtered"]["events"], listed["filtered"]["bytes"]) == (4, 600)
    status = server.client.get("/v1/status").json()["policy"]
    assert status["filtered"]["events"] == 4 and status["rules_applied"] == 1
    metrics = server.client.get("/metrics").text
    assert 'whodid_filtered_events_total{rule="a \\"quiet\\" rule"} 4' in metrics
    assert 'whodid_filtered_bytes_total{rule="a \\"quiet\\" rule"} 600' in metrics


def test_pages_of_allowed_origins_may_ask(server: WebServer) -> None:
    page = {"origin": "https://app.example"}
    refused(server.client.get("/v1/policy", headers=page), "forbidden")
    server.engine.directory.change_setting("access.allowed_origins", ["https://app.example"])
    answer = server.client.get("/v1/policy", headers=page)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "etag" in answer.headers["access-control-expose-headers"]


def test_no_wire_reaches_security_types(server: WebServer) -> None:
    created(server, level="custom", types=["click"], switched_off=[])
    assert protected() <= set(server.client.get("/v1/policy").json()["only"])
