"""From rules and groups to the plan of each user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from whodid.errors import WhodidError
from whodid.policy.capture import Capture
from whodid.policy.gate import Active, Compiled
from whodid.policy.plan import Plan
from whodid.policy.rule import Rule


class Groups(Protocol):
    """What is asked of the directory."""

    def group_logins(self, group: str) -> Iterable[str]:
        """Logins of the group's members, through groups within it; raises not_found."""


class Members:
    """Who is in which group, asked once."""

    def __init__(self, groups: Groups):
        self._groups = groups
        self._found: dict[str, frozenset[str]] = {}

    def of(self, subject: Rule | Capture) -> frozenset[str] | None:
        """The logins that a rule or a capture is for; None for everyone. A group that is gone has none."""
        if subject.user is not None:
            return frozenset((subject.user,))
        if subject.group is None:
            return None
        found = self._found.get(subject.group)
        if found is None:
            try:
                found = frozenset(self._groups.group_logins(subject.group))
            except WhodidError as error:
                if error.code != "not_found":
                    raise
                found = frozenset()
            self._found[subject.group] = found
        return found


class Shadow(NamedTuple):
    """Why a rule can never match: the rules before it that take all of its users, or it has none."""

    rule: Rule
    by: Sequence[Rule]


def compiled(
    rules: Iterable[Rule], captures: Iterable[Capture], members: Members, hash_key: bytes = b""
) -> Compiled | None:
    """What the gate applies; None if there is nothing."""
    plans: dict[str | None, Plan] = {}
    everyone: Plan | None = None
    for rule in rules:
        if not rule.enabled or everyone is not None:
            continue
        plan = Plan(rule, hash_key)
        logins = members.of(rule)
        if logins is None:
            everyone = plan
        else:
            for login in logins:
                plans.setdefault(login, plan)
    active = [Active(capture, members.of(capture)) for capture in captures]
    if not plans and everyone is None and not active:
        return None
    return Compiled(plans, everyone, active)


def shadows(rules: Iterable[Rule], members: Members) -> Iterator[Shadow]:
    """The rules that can never match, in their order.

    Rules for single users before it do not shadow that of a group: others may join it.
    """
    taken: dict[str, Rule] = {}
    taken_by_groups: dict[str, Rule] = {}
    everyone: Rule | None = None
    for rule in rules:
        if not rule.enabled:
            continue
        logins = members.of(rule)
        if everyone is not None:
            yield Shadow(rule, [everyone])
        elif logins is not None:
            earlier = taken if rule.user is not None else taken_by_groups
            if all(login in earlier for login in logins):
                yield Shadow(rule, list({earlier[login].id: earlier[login] for login in sorted(logins)}.values()))
        if logins is None:
            everyone = everyone or rule
        else:
            for login in logins:
                taken.setdefault(login, rule)
                if rule.group is not None:
                    taken_by_groups.setdefault(login, rule)
