"""The policy of a real server, applied by a real Logger: a change reaches it within 5 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.logging_server import Events, wait_until
from support.serving import ServerProcess
from whodid.client import Logger
from whodid.errors import WhodidError

MakeLogger = Callable[..., Logger]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("policy") / "data").start()
    yield running
    running.kill()


@pytest.fixture
def rules(server: ServerProcess) -> Iterator[Callable[..., Any]]:
    """Makes rules, which are gone after the test."""

    def make(name: str, **fields: Any) -> Any:
        status, made = server.request("POST", "/v1/policies", {"name": name, "accept_unknown": True, **fields})
        assert status == 201, made
        return made

    yield make
    for rule in server.request("GET", "/v1/policies")[1]["rules"]:
        server.request("DELETE", f"/v1/policies/{rule['id']}")


@pytest.fixture
def events(server: ServerProcess) -> Events:
    return Events(server)


def connected(server: ServerProcess, events: Events, make_logger: MakeLogger, **options: Any) -> Logger:
    """A Logger that has asked for its policy."""
    logger = make_logger(server.url, server.key, topic=events.topic, flush_interval_ms=50, **options)
    logger.audit("start", type="started")
    assert logger.flush(10)
    wait_until(lambda: bool(logger._carrier.policies.applied), "not asked")  # type: ignore[union-attr]
    return logger


def test_a_change_reaches_a_connected_client_within_five_seconds(
    server: ServerProcess, rules: Callable[..., Any], events: Events, make_logger: MakeLogger
) -> None:
    logger = connected(server, events, make_logger)
    logger.usage("x", type="click")
    assert logger.flush(10) and logger.stats().filtered == 0
    rules("quiet")
    changed_at = time.monotonic()
    applied = logger._carrier.policies.applied  # type: ignore[union-attr]
    wait_until(lambda: "click" in applied[None].switched_off, "the change did not come", timeout_s=8)
    assert time.monotonic() - changed_at <= 5.5, "5 s, and what the answer takes"
    before = logger.stats()
    logger.usage("x", type="click")
    logger.audit("x", type="query-start")
    assert logger.flush(10)
    assert logger.stats().filtered == before.filtered + 1
    assert logger.stats().sent == before.sent + 1
    assert [row["type"] for row in events.of(logger)] == ["started", "click", "query-start"]


def test_what_the_client_does_not_filter_the_server_does_and_both_are_counted(
    server: ServerProcess, rules: Callable[..., Any], events: Events, make_logger: MakeLogger
) -> None:
    rule = rules("half", level="verbose", sampling={"click": 0.5}, left_out=["secret"], hashed=["email"])
    applying = connected(server, events, make_logger)
    leaving = make_logger(server.url, server.key, topic=events.topic, policy=False)
    for logger in (applying, leaving):
        for _ in range(100):
            logger.usage("x", {"secret": 1, "email": "ada@example.org", "n": 1}, "click")
        logger.audit("x", {"secret": 1}, type="user-logged-in")
        assert logger.flush(20)
        stats = logger.stats()
        assert 20 < stats.filtered < 80
    kept = events.of(leaving, applying.stats().sent + leaving.stats().sent)
    clicks = [row["parameters"] for row in kept if row["type"] == "click"]
    assert all(set(each) == {"email", "n"} and each["email"].startswith("hmac-sha256:") for each in clicks)
    assert [row["parameters"] for row in kept if row["type"] == "user-logged-in"] == [{"secret": 1}] * 2
    _, told = server.request("GET", f"/v1/policies/{rule['id']}")
    assert told["filtered"]["events"] == leaving.stats().filtered, "what never came the server cannot count"


def test_a_capture_makes_a_client_send_what_it_kept_back(
    server: ServerProcess, rules: Callable[..., Any], events: Events, make_logger: MakeLogger
) -> None:
    rules("quiet")
    logger = connected(server, events, make_logger)
    applied = logger._carrier.policies.applied  # type: ignore[union-attr]
    wait_until(lambda: "click" in applied[None].switched_off, "not applied", timeout_s=8)
    logger.usage("x", type="click")
    assert logger.flush(10)
    server.request("POST", "/v1/captures", {"reason": "why it hangs", "types": ["click"], "name": "all clicks"})
    wait_until(lambda: "click" not in applied[None].switched_off, "the capture did not come", timeout_s=8)
    logger.usage("x", type="click")
    kept = events.of(logger)
    assert [row["parameters"].get("capture") for row in kept if row["type"] == "click"] == ["all clicks"]
    server.request("DELETE", "/v1/captures/all%20clicks")


def test_audit_sync_says_when_the_server_does_not_keep_an_event(
    server: ServerProcess, rules: Callable[..., Any], events: Events, make_logger: MakeLogger
) -> None:
    rules("few", level="custom", types=["query-*"])
    logger = make_logger(server.url, server.key, topic=events.topic)
    with pytest.raises(WhodidError, match="policy leaves this event out"):
        logger.audit_sync("x", type="made up")
    logger.audit_sync("x", type="query-start")
    assert (logger.stats().filtered, logger.stats().sent) == (1, 1)


def test_a_user_of_a_session_has_its_own(
    server: ServerProcess, rules: Callable[..., Any], events: Events, make_logger: MakeLogger
) -> None:
    rules("ann", user="ann", level="custom", types=["query-*"])
    logger = connected(server, events, make_logger)
    for _ in range(2):
        for user in ("ann", "bob"):
            with logger.session(user=user):
                logger.audit("x", type="query-start")
                logger.usage("x", type="made up")
        assert logger.flush(10)
    found = [(row["user"], row["type"]) for row in events.of(logger) if row["type"] == "made up"]
    assert found == [("bob", "made up")] * 2
