"""Rules and captures in a directory: order, groups, versions, events of changes, counts; on every database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.directories import DATABASES, directory_url
from support.policies import event, sift
from support.receiving import wait_until
from whodid.directory import Directory
from whodid.directory.database import now
from whodid.errors import WhodidError
from whodid.event import Event, parameters_of
from whodid.policy.captures import NewCapture
from whodid.policy.counts import Count
from whodid.policy.live import Policies
from whodid.policy.rule import RuleFields
from whodid.policy.rules import Place


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return directory_url(request.param, tmp_path, request)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def directory(url: str, told: list[Event]) -> Iterator[Directory]:
    opened = Directory.open(url, on_change=told.append)
    opened.create_user("ada")
    opened.create_user("bob")
    opened.create_group("inner")
    opened.create_group("outer")
    opened.add_member("inner", user="ada")
    opened.add_member("outer", subgroup="inner")
    yield opened
    opened.close()


@pytest.fixture
def policies(directory: Directory) -> Iterator[Policies]:
    made = Policies(directory)
    yield made
    made.close()


def fields(**given: Any) -> RuleFields:
    return RuleFields(**given)


def order(policies: Policies) -> list[str]:
    return [rule.name for rule in policies.rules.read().items]


def filtered(policies: Policies, user: str, kind: str = "click") -> bool:
    current = policies.gate.current
    return current is not None and not sift(current, [event(kind, user=user)]).kept


def test_a_rule_counts_at_once_for_a_group_and_groups_within_it(policies: Policies) -> None:
    policies.create("quiet", fields(group="outer"))
    assert filtered(policies, "ada") and not filtered(policies, "bob")


def test_the_server_ends_no_session_earlier_than_any_rule_says(directory: Directory, policies: Policies) -> None:
    half_an_hour = 30 * 60 * 1000
    assert directory.session_idle_ms == half_an_hour
    policies.create("short for one", fields(user="ada", session_idle_ms=60_000))
    assert directory.session_idle_ms == half_an_hour
    policies.create("for all", fields(session_idle_ms=120_000))
    assert directory.session_idle_ms == 120_000
    policies.create("long for one", fields(user="bob", session_idle_ms=7_200_000))
    assert directory.session_idle_ms == 7_200_000


def test_who_joins_a_group_gets_its_rule(directory: Directory, policies: Policies) -> None:
    policies.create("quiet", fields(group="outer"))
    policies.watch()
    directory.add_member("inner", user="bob")
    wait_until(lambda: filtered(policies, "bob"))
    directory.remove_member("inner", user="ada")
    wait_until(lambda: not filtered(policies, "ada"))


def test_a_rule_follows_its_group_when_that_is_renamed(directory: Directory, policies: Policies) -> None:
    rule = policies.create("quiet", fields(group="outer"))
    directory.change_group("outer", name="renamed")
    assert policies.rules.group_name(rule.group) == "renamed"
    policies.refresh()
    assert filtered(policies, "ada")


def test_another_process_sees_a_change(directory: Directory, policies: Policies, url: str) -> None:
    other = Policies(Directory.open(url))
    try:
        other.watch()
        policies.create("quiet", fields())
        wait_until(lambda: filtered(other, "ada"))
        assert other.wire("ada") == policies.wire("ada")
        policies.delete("quiet")
        wait_until(lambda: other.gate.current is None)
    finally:
        other.close()
        other.directory.close()


def test_rules_go_where_it_is_said_and_by_default_before_those_for_everyone(policies: Policies) -> None:
    policies.create("all", fields())
    policies.create("ada", fields(user="ada"))
    policies.create("first", fields(group="inner", level="verbose", enabled=False), Place(position=1))
    policies.create("bob", fields(user="bob"), Place(after="ada"))
    assert order(policies) == ["first", "ada", "bob", "all"]
    policies.move("bob", Place(before="first"))
    assert order(policies) == ["bob", "first", "ada", "all"]
    for wrong in (Place(), Place(before="nobody"), Place(position=9), Place(before="ada", position=1)):
        with pytest.raises(WhodidError):
            policies.move("bob", wrong)


def test_a_rule_that_can_never_match_is_refused_by_name(policies: Policies) -> None:
    policies.create("team", fields(group="outer"))
    with pytest.raises(WhodidError, match="'ada only' could never match: 'team' before it") as refused:
        policies.create("ada only", fields(user="ada"))
    assert "put it before 'team'" in str(refused.value.hint)
    policies.create("ada only", fields(user="ada"), Place(before="team"))
    with pytest.raises(WhodidError, match="'team' could never match"):
        policies.create("all", fields(), Place(before="team"))
    policies.create("all", fields())
    with pytest.raises(WhodidError, match="'all again' could never match: 'all'"):
        policies.create("all again", fields())


def test_rules_of_single_users_do_not_shadow_their_group_that_others_may_join(policies: Policies) -> None:
    policies.create("ada", fields(user="ada"))
    policies.create("team", fields(group="inner"))
    with pytest.raises(WhodidError, match="'wider' could never match: 'team' before it means all of its users"):
        policies.create("wider", fields(group="outer"))


def test_a_draft_shadows_nothing_until_it_is_switched_on(policies: Policies) -> None:
    policies.create("all", fields(enabled=False))
    policies.create("ada", fields(user="ada"), Place(after="all"))
    with pytest.raises(WhodidError, match="'ada' could never match"):
        policies.change("all", fields(enabled=True))


@pytest.mark.parametrize(
    ("given", "code", "names"),
    [
        ({"user": "eve"}, "not_found", "eve"),
        ({"group": "nobody"}, "not_found", "nobody"),
        ({"group": "empty"}, "invalid", "empty"),
        ({"user": "ada", "group": "inner"}, "invalid", "user and for a group"),
    ],
)
def test_whom_nobody_knows_is_refused_by_name(
    directory: Directory, policies: Policies, given: dict[str, str], code: str, names: str
) -> None:
    directory.create_group("empty")
    with pytest.raises(WhodidError, match=names) as refused:
        policies.create("mine", fields(**given))
    assert refused.value.code == code


def test_who_will_come_may_be_meant(directory: Directory, policies: Policies) -> None:
    directory.create_group("empty")
    policies.create("eve", fields(user="eve", switched_off=["made up"]), accept_unknown=True)
    policies.create("empty", fields(group="empty"), accept_unknown=True)
    assert filtered(policies, "eve", "made up")


def test_names_are_their_own(policies: Policies) -> None:
    policies.create("one", fields(user="ada"))
    policies.create("two", fields(user="bob"))
    changes: list[Callable[[], object]] = [
        lambda: policies.create("one", fields()),
        lambda: policies.change("two", fields(), name="one"),
    ]
    for change in changes:
        with pytest.raises(WhodidError) as refused:
            change()
        assert refused.value.code == "conflict"
    with pytest.raises(WhodidError, match="no rule 'three'"):
        policies.delete("three")


def test_every_change_is_a_version_and_an_event_with_before_and_after(
    directory: Directory, policies: Policies, told: list[Event]
) -> None:
    del told[:]
    policies.create("quiet", fields(switched_off=["error"]), by="root")
    policies.change("quiet", fields(switched_off=[], truncated={"token": 5}), by="root")
    policies.change("quiet", fields(truncated={"token": 5}))
    policies.create("ada", fields(user="ada"))
    policies.delete("quiet", by="root")
    assert [each.type for each in told] == ["log-settings-changed"] * 4
    created, changed_, _, deleted = map(parameters_of, told)
    assert "before" not in created and created["after"]["switched_off"] == ["error"]
    assert changed_["before"]["switched_off"] == ["error"] and changed_["after"]["switched_off"] == []
    assert changed_["after"]["truncated"] == {"token": 5}, "a name is no secret"
    assert "after" not in deleted and deleted["before"]["name"] == "quiet"
    assert told[0].user == "root" and told[0].entities[0].name == "quiet"
    assert [each.version for each in directory.setting_versions("policy.rules")] == [4, 3, 2, 1]


def test_what_cannot_be_audited_does_not_happen(directory: Directory, policies: Policies) -> None:
    def fail(event: Event) -> None:
        raise WhodidError("full", "No space.")

    directory.on_change = fail
    with pytest.raises(WhodidError, match="No space"):
        policies.create("quiet", fields())
    assert order(policies) == [] and policies.gate.current is None


def test_two_who_change_at_once_do_not_undo_each_other(policies: Policies) -> None:
    kept = policies.rules.read()
    policies.create("one", fields(user="ada"))
    with pytest.raises(WhodidError) as refused:
        policies.rules._write(kept, [], kept.items[0] if kept.items else policies.rules.read().items[0], None,
                              before=None, after=None)  # fmt: skip
    assert refused.value.code == "conflict"


def test_counts_outlive_the_process_and_the_rule(directory: Directory, policies: Policies) -> None:
    rule = policies.create("quiet", fields())
    for _ in range(2):
        current = policies.gate.current
        assert current is not None
        policies.gate.settle(sift(current, [event(), event()], gate=policies.gate))
        policies.write_counts()
    policies.delete("quiet")
    again = Policies(directory).count(rule.id)
    assert again.events == 4 and again.bytes > 400
    assert again.first_at is not None and again.last_at is not None


def test_who_asks_while_counts_are_written_down_misses_none(
    policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = policies.create("quiet", fields())
    current = policies.gate.current
    assert current is not None
    policies.gate.settle(sift(current, [event()], gate=policies.gate))
    told: list[Count] = []

    def asks() -> None:
        policies.write_counts()
        told.append(policies.count(rule.id))

    asker, write = threading.Thread(target=asks), policies.counts.add

    def writes_slowly(more: Mapping[str, tuple[int, int]]) -> None:
        if not asker.ident:
            asker.start()
            asker.join(0.2)
        write(more)

    monkeypatch.setattr(policies.counts, "add", writes_slowly)
    policies.write_counts()
    asker.join(10)
    assert [count.events for count in told] == [1]


def test_hashes_are_the_same_after_a_restart(directory: Directory, policies: Policies) -> None:
    with pytest.raises(WhodidError, match="No parameter was ever hashed"):
        policies.hash("ada@example.org")
    policies.create("hash", fields(hashed=["email"]))
    policies.delete("hash")
    assert Policies(directory).hash("ada@example.org") == policies.hash("ada@example.org")
    assert policies.hash(1) == policies.hash(1) != policies.hash("1a")


def test_a_capture_starts_and_ends_with_events(policies: Policies, told: list[Event]) -> None:
    del told[:]
    capture = policies.start(NewCapture(reason="why it hangs", group="outer", topics=["generic"]), by="root")
    assert policies.wire("ada")["switched_off"] == []
    with pytest.raises(WhodidError, match="'capture-1' runs already"):
        policies.start(NewCapture(reason="again", name="capture-1"))
    ended = policies.stop("capture-1", by="ada")
    assert (ended.ended_why, ended.ended_by) == ("stopped", "ada")
    with pytest.raises(WhodidError, match="ended at"):
        policies.stop("capture-1")
    with pytest.raises(WhodidError, match="no capture 'x'"):
        policies.stop("x")
    assert [(each.type, each.user) for each in told] == [("capture-started", "root"), ("capture-stopped", "ada")]
    assert parameters_of(told[0])["after"]["reason"] == "why it hangs"
    assert told[0].entities[0].id == capture.id


def test_a_capture_ends_by_itself(policies: Policies, told: list[Event]) -> None:
    policies.start(NewCapture(reason="for a second", duration_s=1))
    policies.watch()
    wait_until(lambda: told[-1].type == "capture-stopped")
    ended = parameters_of(told[-1])["after"]
    assert (ended["ended_why"], ended["ended_at"]) == ("time", ended["ends_at"])
    assert told[-1].user is None


def test_a_capture_whose_time_is_over_takes_nothing_even_before_its_end_is_written(policies: Policies) -> None:
    policies.create("quiet", fields())
    policies.start(NewCapture(reason="for a second", duration_s=1))
    current = policies.gate.current
    assert current is not None
    late = now() + timedelta(seconds=2)
    assert policies.gate._capture_for(current, event(), "ada", True, late, {}) is None
    assert policies.gate._capture_for(current, event(), "ada", True, now(), {}) is current.captures[0].capture


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"reason": "x"}, "of 3 letters at least"),
        ({"duration_s": 7 * 24 * 3600 + 1}, "It would last"),
        ({"duration_s": 0}, "It would last"),
        ({"events_max": 0}, "At most 0 events"),
        ({"types": ["clik"]}, "'clik' is known"),
        ({"types": ["cl?ck"]}, "one of"),
        ({"entities": ["query"]}, "names no entity"),
        ({"user": "eve"}, "no user 'eve'"),
        ({"group": "nobody"}, "no group 'nobody'"),
        ({"user": "ada", "group": "inner"}, "Name one"),
    ],
)
def test_a_capture_that_makes_no_sense_is_refused(policies: Policies, given: dict[str, Any], says: str) -> None:
    with pytest.raises(WhodidError) as refused:
        policies.start(NewCapture(**{"reason": "why it hangs", **given}))
    assert says in str(refused.value)
