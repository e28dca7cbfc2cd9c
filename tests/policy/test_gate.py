"""What the gate keeps, leaves out and hides; that nothing of security is ever lost; and that it counts."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from support.dss import line, log4j, one
from support.policies import compile_rules, event, events, rule, rules, sift
from whodid.client.message import Message
from whodid.client.policy import Policy, sampled
from whodid.event import Event, parameters_of
from whodid.policy import plan as plans
from whodid.policy.capture import make_anonymous
from whodid.policy.gate import Gate, is_protected
from whodid.policy.rule import Rule, noisy_types
from whodid.policy.wire import wire_of


def kinds(found: Any) -> list[str]:
    return [each.type for each in found.kept]


def test_standard_leaves_out_the_noisy_types_of_the_interface() -> None:
    assert {"viewer-rendered", "rows-selected", "click", "dialog show"} <= set(noisy_types())
    found = sift(compile_rules(rule()), [event("viewer-rendered"), event("query-start"), event("never seen")])
    assert kinds(found) == ["query-start", "never seen"]
    assert [dropped.rule_id for dropped in found.dropped]


def test_verbose_logs_everything_and_custom_what_it_lists() -> None:
    sent = [event("viewer-rendered"), event("query-start"), event("user-logged-in"), event("query-edited")]
    assert not sift(compile_rules(rule(level="verbose")), sent).changed
    assert kinds(sift(compile_rules(rule(level="custom", types=["*-start"])), sent)) == [
        "query-start",
        "user-logged-in",
    ]


def test_the_first_rule_that_means_a_user_wins() -> None:
    current = compile_rules(
        rule("one", user="ada", level="verbose"),
        rule("two", group="team", switched_off=["query-*"]),
        rule("three", level="custom", types=["error"]),
        team=["ada", "bob"],
    )
    sent = [event("query-start", user=user) for user in ("ada", "bob", "eve", None)]
    found = sift(current, sent)
    assert [each.user for each in found.kept] == ["ada"]
    assert [each.user for each in sift(current, [event("error", user="eve"), event("error", user="bob")]).kept] == [
        "eve", "bob",
    ]  # fmt: skip


def test_an_event_without_user_is_its_keys() -> None:
    current = compile_rules(rule(user="ada", switched_off=["query-start"]))
    assert not kinds(sift(current, [event("query-start", user=None)], user="ada"))
    assert kinds(sift(current, [event("query-start", user="bob")], user="ada")) == ["query-start"]


def test_a_draft_does_nothing() -> None:
    from support.policies import NoGroups
    from whodid.policy.compiling import Members, compiled

    assert compiled([rule(enabled=False)], [], Members(NoGroups())) is None


def test_parameters_are_left_out_hashed_and_cut() -> None:
    current = compile_rules(rule(left_out=["secret"], hashed=["email"], truncated={"text": 3, "list": 4}), key=b"k")
    given_ = {"secret": 1, "email": "ada@x.org", "text": "abcdef", "list": [1, 2, 3], "other": {"secret": 1}}
    (kept,) = sift(current, [event("query-start", parameters=given_)]).kept
    expected: dict[str, Any] = {
        "email": plans.hashed("ada@x.org", b"k"),
        "text": "abc…",
        "list": "[1, …",
        "other": {"secret": 1},
    }
    assert parameters_of(kept) == expected
    assert expected["email"].startswith("hmac-sha256:")
    assert plans.hashed("ada@x.org", b"k") != plans.hashed("ada@x.org", b"other")


@pytest.mark.parametrize("text", ['{"\\u0073ecret": 1}', '{"secret": 1, "secret": 2}', '{"s\\u0065cret":1}'])
def test_a_parameter_is_found_however_its_name_is_written(text: str) -> None:
    sent = event("query-start")
    sent.parameters = msgspec.Raw(text.encode())
    (kept,) = sift(compile_rules(rule(left_out=["secret"])), [sent]).kept
    assert parameters_of(kept) == {}


def test_what_hides_nothing_stays_as_the_sender_wrote_it() -> None:
    sent = event("query-start")
    sent.parameters = msgspec.Raw(b'{"a":  1.50, "b": "\\u00e4"}')
    assert not sift(compile_rules(rule(left_out=["secret"])), [sent]).changed


def of_dss(**message: Any) -> Event:
    """An event of DSS in which a webapp acts for grace, with ada's login."""
    told = {
        "msgType": "dataset-read-data",
        "authUser": "ada",
        "authVia": ["ticket:Standard webapp backend: SALES.x1,grace"],
        "clientIP": "10.9.8.7",
        "datasetName": "orders",
        **message,
    }
    return one(log4j(told, mdc={"apiCall": "/api/datasets", "user": "ada"}, origAddress="10.9.8.7"))


def test_what_a_dss_message_repeats_goes_the_way_of_the_parameter_that_says_it() -> None:
    current = compile_rules(rule(hashed=["authUser"], left_out=["clientIP"]), key=b"k")
    (kept,) = sift(current, [of_dss()], format="dss-log4j").kept
    ada, grace, parameters = plans.hashed("ada", b"k"), plans.hashed("grace", b"k"), parameters_of(kept)
    assert (parameters["authUser"], parameters["dss"]["mdc"]["user"]) == (ada, ada)
    assert parameters["authVia"] == [f"ticket:Standard webapp backend: SALES.x1,{grace}"]
    assert "clientIP" not in parameters and "origAddress" not in parameters["dss"]
    assert parameters["dss"]["mdc"]["apiCall"] == "/api/datasets"
    current = compile_rules(rule(truncated={"authUser": 1, "login": 2}))
    (kept,) = sift(current, [of_dss()], format="dss-log4j").kept
    assert parameters_of(kept)["dss"]["mdc"]["user"] == "a…"


def test_a_dss_message_keeps_the_parameters_that_no_rule_names() -> None:
    sent = of_dss(login="eve")
    before = parameters_of(sent)
    (kept,) = sift(compile_rules(rule(left_out=["secret", "datasetName"])), [sent], format="dss-log4j").kept
    assert parameters_of(kept) == {name: value for name, value in before.items() if name != "datasetName"}
    (kept,) = sift(compile_rules(rule(left_out=["authUser"])), [of_dss(login="eve")], format="dss-log4j").kept
    assert parameters_of(kept)["login"] == "eve"


def test_an_anonymous_event_of_dss_says_nowhere_who_and_from_where() -> None:
    usage = {"id": "c", "context": {"authIdentifier": "mallory", "webappId": "x1"}}
    who = {"sessionId": "s-1", "requestId": 7, "routingKey": "team-a", "originalIP": "10.9.8.6"}
    sent = of_dss(**who, login="bob", xForwardedFor="10.9.8.5", computeResourceUsage=usage)
    make_anonymous(sent, "dss-log4j")
    told = line(parameters_of(sent))
    for word in (b"ada", b"bob", b"mallory", b"grace", b"10.9.8", b"s-1", b"team-a", b"requestId"):
        assert word not in told.replace(b"/api/datasets", b""), word
    assert parameters_of(sent)["dss"]["mdc"] == {"apiCall": "/api/datasets"}
    assert parameters_of(sent)["computeResourceUsage"]["context"] == {"webappId": "x1"}


@settings(deadline=None)
@given(rules(), events())
def test_nothing_of_security_is_ever_left_out_or_hidden(any_rule: Rule, sent: Event) -> None:
    before = bytes(sent.parameters)
    found = sift(compile_rules(any_rule), [sent])
    if is_protected(sent):
        assert found.kept == [sent] and bytes(sent.parameters) == before


def as_client(any_rule: Rule) -> Policy:
    current = compile_rules(any_rule)
    return msgspec.convert(json.loads(msgspec.json.encode(wire_of(current.everyone))), Policy)


def as_message(sent: Event) -> Message:
    message = Message(id=sent.id, time=sent.time, type=sent.type, level="audit", message="", params=parameters_of(sent))
    message.topic = sent.topic
    return message


@settings(deadline=None)
@given(rules(), events())
def test_a_client_never_keeps_back_what_the_server_would_keep(any_rule: Rule, sent: Event) -> None:
    message = as_message(sent)
    kept = bool(sift(compile_rules(any_rule), [sent]).kept)
    admitted = as_client(any_rule).admits(message)
    assert admitted or not kept
    if not any("*" in pattern for pattern in (*any_rule.switched_off, *any_rule.sampling)):
        assert admitted == kept, "without patterns that reach security types both come to the same answer"


@settings(deadline=None)
@given(rules(), events())
def test_what_a_client_hides_and_the_server_then_is_what_the_server_alone_hides(any_rule: Rule, sent: Event) -> None:
    message = as_message(sent)
    as_client(any_rule).trim(message)
    second = Event(**{name: getattr(sent, name) for name in ("id", "time", "type", "topic")})
    second.parameters = msgspec.Raw(msgspec.json.encode(message.params))
    current = compile_rules(any_rule)
    first_kept, second_kept = sift(current, [sent]).kept, sift(current, [second]).kept
    assert [parameters_of(each) for each in first_kept] == [parameters_of(each) for each in second_kept]


@settings(deadline=None)
@given(events())
def test_samples_are_those_of_the_clients(sent: Event) -> None:
    for share in (0.0, 0.1, 0.5, 0.99):
        assert plans.sampled(sent.id, share) == sampled(sent.id, share)


def test_a_whole_name_goes_before_a_pattern_in_sampling() -> None:
    current = compile_rules(rule(level="verbose", sampling={"cli*": 0.9, "click": 0.1}))
    assert current.everyone is not None
    assert current.everyone.share("click") == 0.1 and current.everyone.share("clip") == 0.9
    assert list(wire_of(current.everyone)["sampling"]) == ["click", "cli*"]


def test_what_is_left_out_is_counted_once_by_rule() -> None:
    gate, mine = Gate(), rule(switched_off=["query-start"])
    sent = event("query-start")
    size = len(msgspec.json.encode(sent))
    for _ in range(2):
        found = sift(compile_rules(mine), [sent, event("error")], gate=gate)
        gate.settle(found)
    assert gate.take_counts().filtered == {mine.id: (1, size)}
    assert gate.take_counts().filtered == {}


def test_counts_that_could_not_be_written_are_kept() -> None:
    gate, mine = Gate(), rule(switched_off=["query-start"])
    gate.settle(sift(compile_rules(mine), [event("query-start")], gate=gate))
    taken = gate.take_counts()
    gate.settle(sift(compile_rules(mine), [event("query-start")], gate=gate))
    gate.give_back(taken)
    assert gate.take_counts().filtered[mine.id][0] == 2
