"""The server's policy, applied before sending."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.logging_server import Scripted, wait_until
from whodid.client import Logger
from whodid.client.message import fresh_id
from whodid.client.policy import Policy, sampled

MakeLogger = Callable[..., Logger]


class Rules:
    """What the server answers, by subject."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Any]] = {}

    def __call__(self, path: str, etag: str | None) -> Any:
        return self.of.get(path.partition("?user=")[2])


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def server(rules: Rules) -> Iterator[Scripted]:
    with Scripted(policy=rules) as found:
        yield found


def started(logger: Logger, server: Scripted, count: int = 1) -> None:
    """Return when the policy was asked for and its answer was taken."""
    logger.audit("start")
    assert logger.flush(10)
    wait_until(lambda: len(server.policy_requests) >= count, "the policy was not asked for")


def test_a_server_without_policies_is_asked_once(server: Scripted, make_logger: MakeLogger) -> None:
    logger = make_logger(server.url)
    started(logger, server)
    for _ in range(5):
        logger.audit("again")
        assert logger.flush(10)
    assert len(server.policy_requests) == 1
    assert logger.stats().filtered == 0


def test_types_switched_off_parameters_left_out_and_cut(
    server: Scripted, rules: Rules, make_logger: MakeLogger
) -> None:
    rules.of[""] = {
        "version": "1",
        "max_age_s": 60,
        "switched_off": ["click", "viewer-*"],
        "only": None,
        "parameters": {"left_out": ["patient"], "hashed": ["email"], "truncated": {"text": 3}},
        "sampling": {"noisy": 0.0},
        "flush_interval_ms": 50,
        "request_timeout_ms": 2_000,
    }
    logger = make_logger(server.url)
    started(logger, server)
    for kind in ("click", "viewer-rendered", "noisy", "menu click"):
        logger.usage("x", {"patient": "p", "text": "long text", "email": "a@b"}, kind)
    wait_until(lambda: len(server.ids) == 2, "the shorter interval of the policy does not count")
    event = server.requests[-1][0]
    assert event["type"] == "menu click"
    assert event["parameters"] == {"text": "lon…", "email": "a@b"}, "hashing is the server's"
    assert logger.stats().filtered == 3


def test_a_change_reaches_a_connected_client(server: Scripted, rules: Rules, make_logger: MakeLogger) -> None:
    rules.of[""] = {"version": "1", "max_age_s": 1, "only": ["login"]}
    logger = make_logger(server.url, flush_interval_ms=20)
    started(logger, server)
    logger.audit("x", type="click")
    logger.audit("x", type="login")
    rules.of[""] = {"version": "2", "max_age_s": 1}
    wait_until(lambda: server.policy_requests[-1][1] == '"2"', "the second version was not taken", timeout_s=10)
    assert server.policy_requests[1][1] == '"1"', "it is asked with its ETag"
    logger.audit("x", type="click")
    assert logger.flush(10)
    kinds = [event["type"] for request in server.requests for event in request]
    assert kinds.count("login") == 1 and kinds.count("click") == 1


def test_users_have_policies_of_their_own(server: Scripted, rules: Rules, make_logger: MakeLogger) -> None:
    rules.of["ann"] = {"version": "a", "max_age_s": 60, "switched_off": ["click"]}
    logger = make_logger(server.url, flush_interval_ms=20)
    for user in ("ann", "bob"):
        with logger.session(user=user):
            started(logger, server)
    wait_until(lambda: {path for path, _ in server.policy_requests} >= {"/v1/policy?user=ann", "/v1/policy?user=bob"},
               "not asked for both")  # fmt: skip
    wait_until(lambda: logger._carrier.policies.applied.keys() == {"ann"}, "not applied")  # type: ignore[union-attr]
    for user in ("ann", "bob"):
        with logger.session(user=user):
            logger.usage("x", type="click")
    assert logger.flush(10)
    clicks = [event["user"] for request in server.requests for event in request if event["type"] == "click"]
    assert clicks == ["bob"]


def test_a_policy_that_cannot_be_read_is_left_to_the_server(
    server: Scripted, rules: Rules, make_logger: MakeLogger, caplog: pytest.LogCaptureFixture
) -> None:
    rules.of[""] = {"version": "1", "switched_off": "everything"}
    logger = make_logger(server.url)
    started(logger, server)
    wait_until(lambda: "cannot be read" in caplog.text, "not reported")
    logger.audit("x")
    assert logger.flush(10)
    assert logger.stats().filtered == 0


def test_what_audit_sync_promises_no_policy_of_the_client_takes_away(
    server: Scripted, rules: Rules, make_logger: MakeLogger
) -> None:
    rules.of[""] = {"version": "1", "max_age_s": 60, "switched_off": ["*"]}
    logger = make_logger(server.url)
    started(logger, server)
    wait_until(lambda: logger._carrier.policies.applied != {}, "not applied")  # type: ignore[union-attr]
    identifier = logger.audit_sync("promised")
    assert identifier in server.ids


def test_samples_are_the_same_everywhere_and_of_the_right_size() -> None:
    ids = [fresh_id() for _ in range(20_000)]
    chosen = [each for each in ids if sampled(each, 0.1)]
    assert 1_700 < len(chosen) < 2_300
    assert [each for each in chosen if sampled(each, 0.1)] == chosen
    assert set(chosen) <= {each for each in ids if sampled(each, 0.5)}
    assert Policy().sampling == {}
