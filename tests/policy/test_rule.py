"""What a rule may say; errors name the rule and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from whodid.errors import WhodidError
from whodid.policy.rule import RuleFields, changed, check, new_rule


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"user": "ada", "group": "g"}, "user and for a group"),
        ({"level": "custom"}, "without types"),
        ({"types": ["click"]}, "the level is standard"),
        ({"switched_off": ["user-logged-in"]}, "'user-logged-in' is a security type"),
        ({"switched_off": ["user-logged-*"]}, "only security types"),
        ({"sampling": {"login": 0.5}}, "cannot be sampled"),
        ({"switched_off": ["cl?ck"]}, "one of ? [ ]"),
        ({"switched_off": [""]}, "names no type"),
        ({"sampling": {"query-start": 0}}, "More than 0 % and less than 100 %"),
        ({"sampling": {"query-start": 1.5}}, "More than 0 % and less than 100 %"),
        ({"sampling": {"click": 0.5}}, "'click' is sampled, but is not logged at all"),
        ({"level": "verbose", "switched_off": ["query-*"], "sampling": {"query-start": 0.5}}, "not logged at all"),
        ({"level": "custom", "types": ["query-*"], "switched_off": ["script-*"]}, "not among its types"),
        ({"level": "custom", "types": ["click"], "switched_off": ["cl*"]}, "among its types and switched off"),
        ({"left_out": ["a"], "hashed": ["a"]}, "is in left_out and in hashed"),
        ({"truncated": {"a": 0}}, "cut to 0 characters"),
        ({"left_out": [""]}, "name of 0 characters"),
        ({"flush_interval_ms": 1}, "flush_interval_ms is 1"),
        ({"session_idle_ms": 10**12}, "session_idle_ms"),
        ({"switched_off": ["query-strat"]}, "'query-strat' is known"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(WhodidError) as refused:
        check(new_rule("mine", RuleFields(**fields)))
    assert says in str(refused.value)
    assert refused.value.code == "invalid" and refused.value.hint


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"level": "verbose"},
        {"level": "custom", "types": ["query-*"], "switched_off": ["query-start"]},
        {"switched_off": ["user-*"]},
        {"switched_off": ["*"]},
        {"level": "verbose", "sampling": {"click": 0.01, "viewer-*": 0.5}},
        {"left_out": ["a"], "hashed": ["b"], "truncated": {"c": 3}},
        {"flush_interval_ms": 50, "request_timeout_ms": 100, "session_idle_ms": 1000},
    ],
)
def test_what_makes_sense_is_taken(fields: dict[str, Any]) -> None:
    check(new_rule("mine", RuleFields(**fields)))


def test_unknown_types_are_taken_when_they_were_seen_or_are_meant() -> None:
    rule = new_rule("mine", RuleFields(switched_off=["card.moved"]))
    with pytest.raises(WhodidError, match=r"card\.moved"):
        check(rule)
    check(rule, accept_unknown=True)
    check(rule, seen=lambda names: names)
    with pytest.raises(WhodidError) as refused:
        check(new_rule("mine", RuleFields(switched_off=["viewer-renderd"])))
    assert "viewer-rendered" in str(refused.value.hint)


def test_a_change_keeps_what_it_does_not_name() -> None:
    rule = new_rule("mine", RuleFields(user="ada", switched_off=["click"], session_idle_ms=5_000))
    after = changed(rule, RuleFields(group="g", session_idle_ms=None), "yours")
    assert (after.id, after.name, after.user, after.group) == (rule.id, "yours", None, "g")
    assert (after.switched_off, after.session_idle_ms) == (["click"], None)
