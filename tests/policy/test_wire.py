"""What clients are told."""

from __future__ import annotations

import pytest

from support.policies import NOON, compile_rules, rule
from whodid.policy.capture import Capture
from whodid.policy.pattern import matches, protected
from whodid.policy.rule import Rule
from whodid.policy.wire import wire_of


def told(mine: Rule, *captures: Capture) -> dict[str, object]:
    return wire_of(compile_rules(mine).everyone, captures)


def capture(**fields: object) -> Capture:
    return Capture(id="c", name="c", number=1, reason="why", started_at=NOON, ends_at=NOON, **fields)  # type: ignore[arg-type]


def test_without_a_rule_everything_is_logged() -> None:
    wire = wire_of(None)
    assert wire.pop("version")
    assert wire == {
        "max_age_s": 5,
        "switched_off": [],
        "only": None,
        "parameters": {"left_out": [], "hashed": [], "truncated": {}},
        "sampling": {},
        "flush_interval_ms": None,
        "request_timeout_ms": None,
        "session_idle_ms": None,
    }


def test_the_version_is_that_of_what_is_told() -> None:
    first, again = told(rule("a")), told(rule("b"))
    assert first["version"] == again["version"], "another rule that says the same changes nothing for a client"
    assert told(rule(switched_off=["error"]))["version"] != first["version"]


@pytest.mark.parametrize("pattern", ["*", "user-*", "*-*", "log*"])
def test_no_security_type_is_switched_off(pattern: str) -> None:
    wire = told(rule(level="verbose", switched_off=[pattern]))
    off, only = wire["switched_off"], wire["only"]
    assert isinstance(off, list) and len(off) <= 500
    assert not any(matches(one, name) for one in off for name in protected())
    assert only is None or (isinstance(only, list) and protected() <= set(only))


def test_custom_always_has_the_security_types() -> None:
    only = told(rule(level="custom", types=["query-*"]))["only"]
    assert only == ["query-*", *sorted(protected())]


def test_clients_learn_where_parameters_stay_whole() -> None:
    assert told(rule(left_out=["secret"]))["parameters"] == {
        "left_out": ["secret"], "hashed": [], "truncated": {}, "whole_in": sorted(protected()),
    }  # fmt: skip


def test_a_capture_opens_what_it_wants() -> None:
    mine = rule(switched_off=["script-*"], sampling={"query-start": 0.5})
    assert told(mine, capture(topics=["generic"]))["switched_off"] == []
    by_type = told(mine, capture(types=["script-start"]))
    assert "script-*" not in by_type["switched_off"] and "click" in by_type["switched_off"]  # type: ignore[operator]
    assert by_type["sampling"] == {"query-start": 0.5}
    custom = told(rule(level="custom", types=["error"]), capture(types=["click"]))
    assert custom["only"][:2] == ["error", "click"]  # type: ignore[index]
