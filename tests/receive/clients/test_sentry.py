"""Sentry's own SDK against the server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import sentry_sdk
import sentry_sdk.logger
from sentry_sdk.client import Client
from sentry_sdk.scope import Scope

from support.clients import ClientServer, run_example
from whodid.receive.clients import sentry
from whodid.receive.clients.base import Request
from whodid.stack_trace import error_hash


def sdk(server: ClientServer, **options: Any) -> Client:
    return Client(f"http://{server.key}@{server.address}/42", default_integrations=False, **options)


@pytest.fixture(params=["gzip", "br"])
def scope(server: ClientServer, request: pytest.FixtureRequest) -> Iterator[Scope]:
    client = sdk(
        server, release="shop@1.2", environment="test", server_name="n1", enable_logs=True, traces_sample_rate=1.0,
        _experiments={"transport_compression_algo": request.param},
    )  # fmt: skip
    with sentry_sdk.isolation_scope(), sentry_sdk.new_scope() as made:
        made.set_client(client)
        yield made
    client.close()


def flush(scope: Scope) -> None:
    scope.client.flush(timeout=10)


def fail(number: int) -> float:
    secret_name = "visible"
    assert secret_name
    return 1 / number


def test_an_error_keeps_its_causes_frames_and_everything_else(server: ClientServer, scope: Scope) -> None:
    scope.set_user({"id": 7, "username": "ada", "email": "ada@example.com"})
    scope.set_tag("tier", "gold")
    scope.set_extra("size", 2**40)
    scope.add_breadcrumb({"message": "before", "category": "test"})
    try:
        try:
            fail(0)
        except ZeroDivisionError as cause:
            raise ValueError("no report") from cause
    except ValueError as error:
        identity = scope.capture_exception(error)
    flush(scope)
    (event,) = server.stored("sentry")
    assert identity is not None
    assert event["id"].replace("-", "") == identity
    assert (event["type"], event["level"], event["user"]) == ("error", "error", "ada")
    assert (event["node"], event["routing_key"], event["source"]) == ("n1", "42", "server")
    assert event["error_message"] == "ValueError: no report"
    trace = event["error_stack_trace"]
    assert (
        trace.index("ZeroDivisionError: division by zero")
        < trace.index("led to the following")
        < trace.index("ValueError:")
    )
    assert "return 1 / number" in trace
    assert event["error_hash"] == error_hash(trace)
    told = event["parameters"]
    innermost = told["exception"]["values"][0]["stacktrace"]["frames"][-1]
    assert (innermost["function"], innermost["vars"]["secret_name"]) == ("fail", "'visible'")
    assert (told["tags"]["tier"], told["extra"]["size"]) == ("gold", 2**40)
    assert told["breadcrumbs"]["values"][0]["message"] == "before"
    assert told["user"]["email"] == "ada@example.com"
    assert (told["release"], told["environment"]) == ("shop@1.2", "test")
    assert event["request_id"] == told["contexts"]["trace"]["trace_id"]
    assert server.key not in json.dumps(event)


def test_the_same_error_is_one_group(server: ClientServer, scope: Scope) -> None:
    for _ in range(2):
        try:
            fail(0)
        except ZeroDivisionError as error:
            scope.capture_exception(error)
    flush(scope)
    first, second = server.stored("sentry")
    assert first["id"] != second["id"]
    assert first["error_hash"] == second["error_hash"]


def test_messages_and_logs_become_log_events(server: ClientServer, scope: Scope) -> None:
    scope.set_user({"username": "ada"})
    scope.capture_message("It is late", level="warning")
    sentry_sdk.logger.error("Report {number} failed", number=7)
    flush(scope)
    events = {event["description"]: event for event in server.stored("sentry")}
    assert set(events) == {"It is late", "Report 7 failed"}
    late, failed = events["It is late"], events["Report 7 failed"]
    assert (late["type"], late["level"], late["user"]) == ("log", "warning", "ada")
    assert late["error_stack_trace"] is None
    assert (failed["type"], failed["level"], failed["node"]) == ("log", "error", "n1")
    assert failed["parameters"]["sentry.message.parameter.number"] == 7
    assert failed["request_id"]


def test_sessions_and_transactions_are_counted_and_not_stored(server: ClientServer, scope: Scope) -> None:
    before = dict(server.counts)
    with sentry_sdk.start_transaction(name="work", op="test"):
        pass
    client = sdk(server, auto_session_tracking=True, release="shop@1.2")
    with sentry_sdk.isolation_scope() as isolated:
        isolated.set_client(client)
        isolated.start_session()
        isolated.end_session()
    client.close()
    flush(scope)
    assert server.stored("sentry") == []
    grown = {kind for (name, kind), count in server.counts.items() if count > before.get((name, kind), 0)}
    assert "transaction" in grown
    assert grown & {"session", "sessions"}
    server.http.post("/api/1/envelope/", content=b'{}\n{"type":"made up"}\n{}')
    metrics = httpx.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {server.reading_key}"}).text
    assert 'whodid_client_items_total{client="sentry",kind="transaction"}' in metrics
    assert "made up" not in metrics


def test_an_attachment_may_be_any_bytes(server: ClientServer) -> None:
    event = json.dumps({"message": "with a file", "event_id": "a" * 32}).encode()
    binary = b"\xff\x00\n{\n"
    body = b'{"event_id":"%s"}\n{"type":"attachment","length":%d,"filename":"a"}\n%s\n{"type":"event"}\n%s\n' % (
        b"a" * 32, len(binary), binary, event,
    )  # fmt: skip
    answer = server.http.post("/api/42/envelope/", content=body)
    assert (answer.status_code, answer.json()) == (200, {"id": "a" * 32})
    (stored,) = server.stored("sentry")
    assert stored["description"] == "with a file"


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"x-sentry-auth": "Sentry sentry_version=7, sentry_key=KEY"}},
        {"headers": {"authorization": "Sentry sentry_key=KEY, sentry_version=7"}},
        {"params": {"sentry_key": "KEY", "sentry_version": "7"}},
    ],
)
def test_the_key_is_found_wherever_sdks_put_it(server: ClientServer, how: dict[str, Any]) -> None:
    given = json.loads(json.dumps(how).replace("KEY", server.key))
    body = {"message": "old", "platform": "javascript", "level": "fatal"}
    headers = {"authorization": "", **given.get("headers", {})}
    if not headers["authorization"]:
        del headers["authorization"]
    answer = httpx.post(f"{server.url}/api/7/store/", json=body, headers=headers, params=given.get("params"))
    assert answer.status_code == 200, answer.text
    (event,) = server.stored("sentry")
    assert (event["level"], event["source"], event["routing_key"]) == ("error", "client", "7")
    wrong = httpx.post(f"{server.url}/api/7/store/", json=body, params={"sentry_key": "wrong"})
    assert wrong.status_code == 401
    assert "unknown" in wrong.json()["detail"]


def test_a_key_can_be_bound_to_its_project(server: ClientServer) -> None:
    bound = server.new_key("project 1", "write", routing_keys=["1"])
    for project, status in (("1", 200), ("2", 403)):
        answer = server.http.post(
            f"/api/{project}/store/", json={"message": "m"}, headers={"x-sentry-auth": f"Sentry sentry_key={bound}"}
        )
        assert answer.status_code == status


def test_javascript_is_shown_as_javascript_shows_it(server: ClientServer) -> None:
    frames = [
        {"filename": "http://x/app.js", "function": "outer", "lineno": 3, "colno": 7},
        {"filename": "http://x/app.js", "lineno": 9, "colno": 1},
    ]
    exception = {"values": [{"type": "TypeError", "value": "x is null", "stacktrace": {"frames": frames}}]}
    server.http.post("/api/1/store/", json={"platform": "javascript", "exception": exception})
    (event,) = server.stored("sentry")
    assert event["error_stack_trace"].splitlines() == [
        "TypeError: x is null",
        "    at <anonymous> (http://x/app.js:9:1)",
        "    at outer (http://x/app.js:3:7)",
    ]


def test_odd_events_lose_nothing(server: ClientServer) -> None:
    odd = {"exception": [{"type": None}, "x"], "level": "shouting", "timestamp": "late", "user": "ada", "message": 5}
    server.http.post("/api/1/store/", json=odd)
    (event,) = server.stored("sentry")
    assert event["level"] == "error"
    kept = event["parameters"]
    assert (kept["level"], kept["timestamp"], kept["user"], kept["exception"]) == (
        "shouting", "late", "ada", [{"type": None}, "x"],
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"{", b"[]\n", b"{}\n{", b"{}\n[]\n{}"])
def test_what_is_no_envelope_is_refused(server: ClientServer, body: bytes) -> None:
    answer = server.http.post("/api/1/envelope/", content=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_the_sdk_holds_back_when_the_server_is_busy(server: ClientServer) -> None:
    client = sdk(server)
    with server.busy():
        client.capture_event({"message": "lost"})
        client.flush(timeout=10)
    transport: Any = client.transport
    assert transport._disabled_until, "the SDK did not take the hint to wait"
    client.close()


def test_the_example_of_the_docs(server: ClientServer) -> None:
    run_example("sentry", server)
    (event,) = server.stored("sentry")
    assert (event["type"], event["user"], event["error_message"]) == ("error", "ada", "KeyError: 'report'")


def test_an_envelope_is_read_in_a_time_that_grows_with_it() -> None:
    item = b'{"type":"attachment","length":3000}\n%b\n' % (b"\xff" * 3_000)
    body = b"{}\n" + item * 9_000 + b'{"type":"event"}\n{"message":"the last"}'
    began = time.monotonic()
    taken = sentry.read(Request("POST", "", {"project": "1"}, {}, {}, body, datetime.now(UTC)))
    assert (taken.counted["attachment"], len(taken.decoded.events)) == (9_000, 1)
    assert time.monotonic() - began < 5
