"""Policies for tests: rules and events as hypothesis makes them, and a directory that rules live in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from whodid.errors import WhodidError
from whodid.event import Event, new_id
from whodid.policy.compiling import Members, compiled
from whodid.policy.gate import Compiled, Gate, Sifted
from whodid.policy.pattern import protected
from whodid.policy.rule import Rule, RuleFields, check, new_rule

TYPES = (
    "click",
    "query-start",
    "viewer-rendered",
    "user-invited",
    "user-logged-in",
    "login-failure",
    "made up",
    "error",
)
PATTERNS = (*TYPES, "*", "user-*", "*-*", "query-*", "viewer-*", "*r*", "made*")
NAMES = ("secret", "email", "text", "ä")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(kind: str = "click", *, user: str | None = "ada", **fields: Any) -> Event:
    """An event, its parameters given as values."""
    parameters = Raw(json.dumps(fields.pop("parameters", {})).encode())
    return Event(id=new_id(), time=NOON, type=kind, user=user, parameters=parameters, **fields)


def rule(name: str = "mine", **fields: Any) -> Rule:
    return new_rule(name, RuleFields(**fields))


class NoGroups:
    """Groups by name, each with its logins."""

    def __init__(self, **groups: Sequence[str]):
        self._groups = groups

    def group_logins(self, group: str) -> Sequence[str]:
        if group not in self._groups:
            raise WhodidError("not_found", "There is no such group.")
        return self._groups[group]


def compile_rules(*rules: Rule, captures: Sequence[Any] = (), key: bytes = b"key", **groups: Sequence[str]) -> Compiled:
    """What rules come to."""
    found = compiled(rules, captures, Members(NoGroups(**groups)), key)
    assert found is not None
    return found


def sift(
    current: Compiled,
    events: list[Event],
    user: str | None = None,
    gate: Gate | None = None,
    format: str = "native",
) -> Sifted:
    """What a gate makes of events; everything as it is where it does nothing."""
    return (gate or Gate()).sift(current, events, user, format) or Sifted(events, False)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Rules that make sense."""
    names = draw(st.permutations(NAMES))
    fields: dict[str, Any] = {
        "level": draw(st.sampled_from(["standard", "verbose", "custom"])),
        "switched_off": draw(st.lists(st.sampled_from(PATTERNS), max_size=3, unique=True)),
        "sampling": draw(st.dictionaries(st.sampled_from(PATTERNS), st.sampled_from([0.1, 0.5, 0.9]), max_size=2)),
        "left_out": draw(st.sampled_from([[], [names[0]]])),
        "hashed": draw(st.sampled_from([[], [names[1]]])),
        "truncated": draw(st.sampled_from([{}, {names[2]: 3}])),
    }
    if fields["level"] == "custom":
        fields["types"] = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True))
    made = rule(**fields)
    try:
        check(made, accept_unknown=True)
    except WhodidError:
        made = rule(level="standard", left_out=fields["left_out"])
    return made


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Events of types that rules name, and of others."""
    kind = draw(st.sampled_from([*TYPES, *sorted(protected())[:10]]))
    values = st.one_of(st.text(max_size=8), st.integers(), st.none(), st.lists(st.text(max_size=3), max_size=3))
    parameters = draw(st.dictionaries(st.sampled_from([*NAMES, "other"]), values, max_size=4))
    topic = draw(st.sampled_from(["generic", "generic", "authfail"]))
    return event(kind, topic=topic, user=None, parameters=parameters)
