"""PostHog's own libraries against the server."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from posthog import Posthog

from support.clients import ClientServer, example, run_example, run_node
from whodid.stack_trace import error_hash

NOON = datetime(2026, 5, 1, 12, 0, 0, 250_123, tzinfo=UTC)


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def client(server: ClientServer, failures: list[Any]) -> Iterator[Posthog]:
    made = Posthog(
        server.key, host=server.url, gzip=True, flush_interval=0.05, max_retries=3,
        on_error=lambda error, items: failures.append(error),
    )  # fmt: skip
    yield made
    made.shutdown()


def test_what_the_python_library_captures(server: ClientServer, client: Posthog) -> None:
    client.capture("Report Opened", distinct_id="ada", timestamp=NOON, uuid="11111111-2222-4333-8444-555555555555",
                   properties={"report": 7, "uuid": "mine", "$session_id": "s-1", "big": 2**60})  # fmt: skip
    client.capture("seen")
    client.flush()
    opened, seen = server.stored("posthog")
    assert opened["id"] == "11111111-2222-4333-8444-555555555555"
    assert (opened["type"], opened["level"], opened["user"], opened["source"]) == (
        "Report Opened", "usage", "ada", "server",
    )  # fmt: skip
    assert opened["time"] == "2026-05-01T12:00:00.250123Z"
    assert opened["parameters"]["report"] == 7
    assert opened["parameters"]["big"] == 2**60
    assert opened["parameters"]["$lib"] == "posthog-python"
    assert opened["parameters"]["foreign_session"] == "s-1"
    assert seen["user"] is None
    assert seen["parameters"]["distinct_id"]
    assert server.key not in json.dumps([opened, seen])


def test_an_exception_becomes_an_error_with_its_stack(server: ClientServer, client: Posthog) -> None:
    try:
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError as cause:
            raise ValueError("no report") from cause
    except ValueError as error:
        client.capture_exception(error, distinct_id="ada")
    client.flush()
    (event,) = server.stored("posthog")
    assert (event["type"], event["level"], event["user"]) == ("error", "error", "ada")
    assert event["error_message"] == "ValueError: no report"
    trace = event["error_stack_trace"]
    assert trace.index("ZeroDivisionError: division by zero") < trace.index("ValueError: no report")
    assert "test_posthog.py" in trace
    assert event["error_hash"] == error_hash(trace)
    assert event["parameters"]["$exception_list"][0]["stacktrace"]["frames"]


def test_persons_and_groups(server: ClientServer, client: Posthog) -> None:
    client.set(distinct_id="grace", properties={"email": "grace@navy.mil", "plan": "gold"})
    client.group_identify("company", "acme", {"name": "Acme"})
    client.alias("anon-1", "grace")
    client.flush()
    events = {event["type"]: event for event in server.stored("posthog")}
    assert set(events) == {"$set", "$groupidentify", "$create_alias"}
    assert events["$set"]["parameters"]["$set"]["plan"] == "gold"
    assert server.directory.user("grace").email == "grace@navy.mil"
    assert events["$groupidentify"]["entities"] == [{"type": "company", "id": "acme", "name": "Acme"}]
    assert events["$groupidentify"]["user"] is None
    assert events["$create_alias"]["parameters"]["alias"] == "grace"


def test_the_library_waits_while_the_server_is_busy(server: ClientServer, client: Posthog, failures: list[Any]) -> None:
    with server.busy():
        client.capture("patient", distinct_id="ada")
        time.sleep(0.4)
    client.flush()
    assert [event["type"] for event in server.stored("posthog")] == ["patient"]
    assert failures == []


def test_the_library_gives_up_what_can_never_succeed(server: ClientServer, failures: list[Any]) -> None:
    client = Posthog(
        "phc_wrong", host=server.url, flush_interval=0.05, on_error=lambda error, items: failures.append(error)
    )
    client.capture("refused", distinct_id="ada")
    client.flush()
    client.shutdown()
    assert [error.status for error in failures] == [401]
    assert "unknown" in str(failures[0])
    assert server.stored("posthog") == []


@pytest.mark.parametrize("path", ["/batch/", "/capture/", "/e/", "/i/v0/e/"])
def test_events_come_in_every_shape(server: ClientServer, path: str) -> None:
    event = {"event": "saved", "distinct_id": "ada", "properties": {"n": 1}}
    key = server.key
    bodies = [
        {"api_key": key, "batch": [event]},
        {"api_key": key, **event},
        {"token": key, **event},
        [{**event, "properties": {"token": key, "n": 1}}],
        {**event, "properties": {"token": key, "n": 1}},
    ]
    for body in bodies:
        packed = gzip.compress(json.dumps(body).encode())
        answer = httpx.post(f"{server.url}{path}", content=packed, headers={"content-encoding": "gzip"})
        assert (answer.status_code, answer.json()) == (200, {"status": 1}), answer.text
    events = server.stored("posthog")
    assert [event["parameters"] for event in events] == [{"n": 1}] * len(bodies)


@pytest.mark.parametrize("body", [b"", b"{", b"[", b"7", b'{"batch": 1}', b"\xff", b"[" * 100_000])
def test_without_a_key_nothing_is_read(server: ClientServer, body: bytes) -> None:
    answer = httpx.post(f"{server.url}/batch/", content=body)
    assert answer.status_code == 401
    answer = server.http.post("/batch/", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


def test_odd_events_lose_nothing_and_spoil_nothing(server: ClientServer) -> None:
    batch = [
        {"event": {"a": 1}, "distinct_id": 5, "properties": "none", "timestamp": "noon"},
        "text",
        {"event": "$exception", "distinct_id": "ada", "properties": {"$exception_list": 5, "$exception_message": "m"}},
        {
            "event": "$exception",
            "properties": {"$exception_list": [{"stacktrace": 1}, 2], "$exception_level": "warning"},
        },
    ]
    assert server.http.post("/batch/", json={"batch": batch}).status_code == 200
    odd, failed, warned = server.stored("posthog")
    assert (odd["type"], odd["user"]) == ("event", "5")
    assert odd["parameters"] == {"event": {"a": 1}, "properties": "none", "timestamp": "noon"}
    assert (failed["error_message"], failed["parameters"]["$exception_list"]) == ("m", 5)
    assert (warned["level"], warned["type"]) == ("warning", "error")
    assert server.rejects()[0]["code"] == "not_an_event"


def test_the_node_library(server: ClientServer, packages: Path) -> None:
    script = """
        import { PostHog } from 'posthog-node'
        const posthog = new PostHog(key, { host: url, flushInterval: 50 })
        posthog.capture({ distinctId: 'ada', event: 'saved', properties: { n: 1 } })
        posthog.identify({ distinctId: 'lin', properties: { email: 'lin@example.com' } })
        posthog.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { name: 'Acme' } })
        try { null.report } catch (error) { posthog.captureException(error, 'ada') }
        await posthog.shutdown()
    """
    run_node(script, packages, key=server.key, url=server.url)
    events = {event["type"]: event for event in server.stored("posthog")}
    assert set(events) == {"saved", "$identify", "$groupidentify", "error"}
    assert (events["saved"]["user"], events["saved"]["parameters"]["n"]) == ("ada", 1)
    assert server.directory.user("lin").email == "lin@example.com"
    error = events["error"]
    assert error["error_message"].startswith("TypeError: Cannot read properties of null")
    assert error["error_stack_trace"].splitlines()[1].startswith("    at ")


def test_the_node_library_waits_while_the_server_is_busy(server: ClientServer, packages: Path) -> None:
    script = """
        import { PostHog } from 'posthog-node'
        const posthog = new PostHog(key, { host: url, flushInterval: 50, fetchRetryDelay: 300, fetchRetryCount: 10 })
        posthog.capture({ distinctId: 'ada', event: 'patient' })
        await posthog.shutdown()
    """
    values = {"key": server.key, "url": server.url}
    with server.busy():
        running = threading.Thread(target=run_node, args=(script, packages), kwargs=values)
        running.start()
        time.sleep(1.5)
    running.join(60)
    assert [event["type"] for event in server.stored("posthog")] == ["patient"]


def test_the_examples_of_the_docs(server: ClientServer, packages: Path) -> None:
    run_example("posthog-python", server)
    opened, failed = server.stored("posthog")
    assert (opened["type"], opened["user"], failed["error_message"]) == ("report-opened", "ada", "KeyError: 'report'")
    server.begin()
    script = example("posthog-node").replace("YOUR_KEY", server.key).replace("http://127.0.0.1:8400", server.url)
    run_node(script, packages)
    (event,) = server.stored("posthog")
    assert (event["type"], event["user"], event["parameters"]["report"]) == ("report-opened", "ada", 7)
