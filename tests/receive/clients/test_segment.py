"""Segment's own libraries against the server."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client  # type: ignore[import-untyped]

from support.clients import ClientServer, example, run_example, run_node
from whodid.event import foreign_id

NOON = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def client(server: ClientServer, failures: list[Any]) -> Iterator[Client]:
    made = Client(
        server.key, host=server.url, gzip=True, upload_interval=0.05, max_retries=3,
        on_error=lambda error, items: failures.append((error, items)),
    )  # fmt: skip
    yield made
    made.join()


def test_every_call_of_the_python_library(server: ClientServer, client: Client) -> None:
    client.track("ada", "Report Opened", {"report": 7, "context": "mine", "big": 2**70}, timestamp=NOON,
                 context={"ip": "10.0.0.7"}, message_id="11111111-2222-4333-8444-555555555555")  # fmt: skip
    client.page("ada", "Docs", "Home", {"url": "/"})
    client.screen(None, None, "Start", anonymous_id="anon-1")
    client.alias("anon-1", "ada")
    client.flush()
    track, page, screen, alias = server.stored("segment")
    assert track["id"] == "11111111-2222-4333-8444-555555555555"
    assert (track["type"], track["level"], track["user"]) == ("Report Opened", "usage", "ada")
    assert track["time"] == "2026-05-01T12:00:00.250000Z"
    told = track["parameters"]
    assert (told["report"], told["context"], told["big"]) == (7, "mine", 2**70)
    assert told["event.context"]["ip"] == "10.0.0.7"
    assert told["event.context"]["library"]["name"] == "analytics-python"
    assert (page["type"], page["description"], page["parameters"]["category"]) == ("page", "Home", "Docs")
    assert page["parameters"]["url"] == "/"
    assert (screen["type"], screen["user"]) == ("screen", None)
    assert screen["parameters"]["anonymousId"] == "anon-1"
    assert (alias["type"], alias["parameters"]["previousId"]) == ("alias", "anon-1")
    assert server.key not in str([track, page, screen, alias])


def test_identify_and_group_feed_the_directory(server: ClientServer, client: Client) -> None:
    client.identify("grace", {"firstName": "Grace", "name": "Grace Hopper", "email": "grace@navy.mil", "plan": "gold"})
    client.group("grace", "navy", {"name": "The Navy", "ships": 290})
    client.flush()
    identify, group = server.stored("segment")
    assert (identify["type"], identify["parameters"]["plan"]) == ("identify", "gold")
    assert group["entities"] == [{"type": "group", "id": "navy", "name": "The Navy"}]
    user = server.directory.user("grace")
    assert (user.first_name, user.friendly_name, user.email) == ("Grace", "Grace Hopper", "grace@navy.mil")
    assert server.directory.group_logins("navy") == ["grace"]
    assert server.directory.group("navy").friendly_name == "The Navy"


def test_a_writing_key_changes_nothing_that_an_administrator_made(server: ClientServer, client: Client) -> None:
    server.directory.create_user("boss", email="boss@example.com")
    server.directory.create_group("owners")
    client.identify("boss", {"email": "evil@example.com"})
    client.group("mallory", "owners")
    client.flush()
    assert len(server.stored("segment")) == 2
    assert server.directory.user("boss").email == "boss@example.com"
    assert server.directory.group_logins("owners") == []


def test_the_same_batch_again_changes_nothing(server: ClientServer) -> None:
    batch = {"batch": [{"type": "track", "event": "once", "userId": "ada", "messageId": "m-1"}]}
    for _ in range(2):
        answer = server.http.post("/v1/batch", json=batch)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    (event,) = server.stored("segment")
    assert event["id"] == foreign_id("m-1")
    assert event["parameters"]["foreign_id"] == "m-1"


@pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group", "alias"])
def test_every_kind_has_an_address_of_its_own(server: ClientServer, kind: str) -> None:
    message = {"userId": "ada", "event": "saved", "groupId": "g", "writeKey": server.key}
    assert server.http.post(f"/v1/{kind}", json=message, auth=(server.key, "")).status_code == 200
    (event,) = server.stored("segment")
    assert event["type"] == ("saved" if kind == "track" else kind)
    assert server.key not in str(event)


def test_the_library_waits_while_the_server_is_busy(server: ClientServer, client: Client, failures: list[Any]) -> None:
    with server.busy():
        client.track("ada", "patient")
        time.sleep(0.3)
    client.flush()
    assert [event["type"] for event in server.stored("segment")] == ["patient"]
    assert failures == []


def test_the_library_tries_again_when_the_disk_is_full(server: ClientServer, client: Client) -> None:
    with server.answering("full") as refused:
        client.track("ada", "stubborn")
        deadline = time.monotonic() + 10
        while not refused and time.monotonic() < deadline:
            time.sleep(0.01)
    client.flush()
    assert refused
    assert [event["type"] for event in server.stored("segment")] == ["stubborn"]


def test_the_library_gives_up_what_can_never_succeed(server: ClientServer, failures: list[Any]) -> None:
    bound = server.new_key("other-topic", "write", topics=["other"])
    client = Client(bound, host=server.url, upload_interval=0.05, on_error=lambda error, items: failures.append(error))
    client.track("ada", "refused")
    client.flush()
    client.join()
    assert [error.status for error in failures] == [403]
    assert "other" in failures[0].message
    assert server.stored("segment") == []
    assert server.rejects()[0]["code"] == "forbidden"


def test_odd_messages_lose_nothing_and_spoil_nothing(server: ClientServer) -> None:
    batch = [
        {"type": "track", "event": "e" * 500, "userId": 17, "timestamp": "whenever", "properties": [1, 2]},
        7,
        {"type": "unheard", "properties": {"lone": "\ud83d", "nul": "a\u0000b"}},
        {"type": "track", "event": "fine", "timestamp": "2026-05-01T12:00:00.123456789+02:00"},
    ]
    answer = server.http.post("/v1/batch", content=json.dumps({"batch": batch}))
    assert answer.status_code == 200
    long, odd, fine = server.stored("segment")
    assert (long["type"], long["user"]) == ("e" * 200, "17")
    assert long["parameters"]["type"] == "e" * 500
    assert long["parameters"]["timestamp"] == "whenever"
    assert long["parameters"]["properties"] == [1, 2]
    assert (odd["type"], odd["parameters"]["lone"], odd["parameters"]["nul"]) == ("unheard", "\\ud83d", "a␀b")
    assert fine["time"] == "2026-05-01T10:00:00.123456Z"
    assert fine["parameters"]["timestamp"].endswith("123456789+02:00")
    assert server.rejects()[0]["code"] == "not_an_event"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"batch": 1}', b'{"batch": [}', b"\xff"])
def test_what_is_no_batch_is_refused_for_good(server: ClientServer, body: bytes) -> None:
    answer = server.http.post("/v1/batch", content=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["error"]["hint"]


def test_limits_are_those_of_every_post(server: ClientServer) -> None:
    batch = {"batch": [{"type": "track", "event": "x"}] * 10_001}
    assert server.http.post("/v1/batch", json=batch).status_code == 413
    assert server.http.post("/v1/batch", content=b"x" * (32 * 1024 * 1024 + 1)).status_code == 413


def test_pages_of_allowed_origins_may_send(server: ClientServer) -> None:
    asked = {"origin": "https://app.example.com", "access-control-request-method": "POST"}
    assert server.http.options("/v1/track", headers=asked).status_code == 403
    server.directory.change_setting("access.allowed_origins", ["https://app.example.com"])
    answer = server.http.options("/v1/track", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    answer = server.http.post("/v1/track", json={"event": "seen", "userId": "ada"}, headers={"origin": asked["origin"]})
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    server.directory.change_setting("access.allowed_origins", None)


def test_the_node_library(server: ClientServer, packages: Path) -> None:
    script = """
        import { Analytics } from '@segment/analytics-node'
        const analytics = new Analytics({ writeKey: key, host: url, maxRetries: 3 })
        const errors = []
        analytics.on('error', (error) => errors.push(String(error.reason ?? error)))
        analytics.track({ userId: 'ada', event: 'saved', properties: { n: 1 }, timestamp: new Date('2026-05-01T12:00:00.250Z') })
        analytics.identify({ userId: 'lin', traits: { email: 'lin@example.com' } })
        analytics.page({ anonymousId: 'a-1', name: 'Home' })
        await analytics.closeAndFlush()
        console.log(JSON.stringify(errors))
    """  # noqa: E501
    assert run_node(script, packages, key=server.key, url=server.url) == []
    events = {event["type"]: event for event in server.stored("segment")}
    assert set(events) == {"saved", "identify", "page"}
    assert events["saved"]["time"] == "2026-05-01T12:00:00.250000Z"
    assert events["saved"]["parameters"]["n"] == 1
    assert events["saved"]["parameters"]["foreign_id"].startswith("node-next-")
    assert server.directory.user("lin").email == "lin@example.com"


def test_the_node_library_waits_while_the_server_is_busy(server: ClientServer, packages: Path) -> None:
    script = """
        import { Analytics } from '@segment/analytics-node'
        const analytics = new Analytics({ writeKey: key, host: url, maxRetries: 3 })
        analytics.track({ userId: 'ada', event: 'patient' })
        await analytics.closeAndFlush()
    """
    with server.busy():
        running = threading.Thread(
            target=run_node, args=(script, packages), kwargs={"key": server.key, "url": server.url}
        )
        running.start()
        time.sleep(1.5)
    running.join(60)
    assert [event["type"] for event in server.stored("segment")] == ["patient"]


def test_the_examples_of_the_docs(server: ClientServer, packages: Path) -> None:
    run_example("segment-python", server)
    assert [event["type"] for event in server.stored("segment")] == ["identify", "group", "report-opened"]
    assert "ada" in server.directory.group_logins("analysts")
    server.begin()
    script = re.sub("YOUR_KEY", server.key, example("segment-node")).replace("http://127.0.0.1:8400", server.url)
    run_node(script, packages)
    (event,) = server.stored("segment")
    assert (event["type"], event["user"], event["parameters"]["report"]) == ("report-opened", "ada", 7)
