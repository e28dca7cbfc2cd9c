"""The rules in their order: making, changing, moving and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from whodid.directory import Directory
from whodid.directory.settings import Told
from whodid.errors import WhodidError
from whodid.event import Entity
from whodid.policy.compiling import Members, shadows
from whodid.policy.kept import Kept, KeptList
from whodid.policy.rule import Rule, RuleFields, Seen, changed, check, new_rule, told

SETTING: Final = "policy.rules"
RULES_MAX: Final = 500


class Place(NamedTuple):
    """Where a rule goes: before or behind another (name or id), or at a position from 1; nothing: where it suits."""

    before: str | None = None
    after: str | None = None
    position: int | None = None


ANYWHERE: Final = Place()


class RuleBook:
    """The rules of a directory. Methods block; `by` is the login of who changes."""

    def __init__(self, directory: Directory):
        self._directory = directory
        self.list = KeptList(directory, SETTING, Rule)

    def read(self) -> Kept[Rule]:
        return self.list.read()

    def create(
        self,
        name: str,
        fields: RuleFields,
        place: Place = ANYWHERE,
        *,
        by: str | None = None,
        accept_unknown: bool = False,
        seen: Seen = lambda names: (),
    ) -> Rule:
        """Make a rule; without a place it goes to the end, but before rules for everyone.

        Raises
        ------
        WhodidError("invalid")
            It makes no sense, or can never match; the message names rule and reason.
        WhodidError("not_found"), WhodidError("conflict")
            There is no such user or group; there is a rule of this name.
        """
        kept = self.read()
        if len(kept.items) >= RULES_MAX:
            raise WhodidError("invalid", f"There are {RULES_MAX} rules already.", "One rule can be for a whole group.")
        self._refuse_name(kept.items, name)
        rule = self._with_subject(new_rule(name, fields), accept_unknown)
        check(rule, accept_unknown=accept_unknown, seen=seen)
        rules = placed(kept.items, rule, place)
        self._refuse_shadows(kept.items, rules)
        self._write(kept, rules, rule, by, before=None, after=_told_at(rules, rule))
        return rule

    def change(
        self,
        which: str,
        fields: RuleFields,
        *,
        name: str | None = None,
        by: str | None = None,
        accept_unknown: bool = False,
        seen: Seen = lambda names: (),
    ) -> Rule:
        """Give a rule other fields. Raises as `create`."""
        kept = self.read()
        before = found(kept.items, which)
        if name is not None and name != before.name:
            self._refuse_name(kept.items, name)
        rule = changed(before, fields, name)
        if (rule.user, rule.group) != (before.user, before.group):
            rule = self._with_subject(rule, accept_unknown)
        check(rule, accept_unknown=accept_unknown, seen=seen)
        rules = [rule if each.id == rule.id else each for each in kept.items]
        if rule != before:
            self._refuse_shadows(kept.items, rules)
            self._write(kept, rules, rule, by, before=_told_at(kept.items, before), after=_told_at(rules, rule))
        return rule

    def move(self, which: str, place: Place, *, by: str | None = None) -> Rule:
        """Put a rule to another place in the order. Raises as `create`."""
        kept = self.read()
        rule = found(kept.items, which)
        if place == ANYWHERE:
            raise WhodidError("invalid", f"It is not said where {rule.name!r} goes.", "Say before, after or position.")
        rules = placed([each for each in kept.items if each.id != rule.id], rule, place)
        if rules != kept.items:
            self._refuse_shadows(kept.items, rules)
            order = [[each.name for each in items] for items in (kept.items, rules)]
            self._write(
                kept,
                rules,
                rule,
                by,
                before={"position": kept.items.index(rule) + 1, "order": order[0]},
                after={"position": rules.index(rule) + 1, "order": order[1]},
            )
        return rule

    def delete(self, which: str, *, by: str | None = None) -> Rule:
        """Take a rule away; what it filtered stays counted. Raises not_found."""
        kept = self.read()
        rule = found(kept.items, which)
        rules = [each for each in kept.items if each.id != rule.id]
        self._write(kept, rules, rule, by, before=_told_at(kept.items, rule), after=None)
        return rule

    def draft(
        self,
        fields: RuleFields,
        place: Place,
        *,
        which: str | None = None,
        name: str = "draft",
        accept_unknown: bool = True,
    ) -> list[Rule]:
        """The rules as they would be with a rule of these fields, or with `which` changed so; nothing is kept."""
        rules = self.read().items
        if which is not None:
            before = found(rules, which)
            rule = changed(before, fields)
            others = [each for each in rules if each is not before]
            rules = placed(others, rule, place if place != ANYWHERE else Place(position=rules.index(before) + 1))
        else:
            rule = new_rule(name, fields)
            rules = placed(rules, rule, place)
        rule = msgspec.structs.replace(self._with_subject(rule, accept_unknown), enabled=True)
        check(rule, accept_unknown=accept_unknown)
        return [rule if each.id == rule.id else each for each in rules]

    def group_name(self, group_id: str | None) -> str | None:
        """What a group is called now; None when it is gone."""
        if group_id is None:
            return None
        try:
            return self._directory.group(group_id).name
        except WhodidError as error:
            if error.code != "not_found":
                raise
            return None

    def _with_subject(self, rule: Rule, accept_unknown: bool) -> Rule:
        """The rule with its group's id for its name; refuses whom nobody knows, and groups without members."""
        user, group = subject_of(self._directory, rule.user, rule.group, accept_unknown=accept_unknown)
        return msgspec.structs.replace(rule, user=user, group=group)

    def _refuse_shadows(self, before: Sequence[Rule], after: Sequence[Rule]) -> None:
        """Refuse an order in which a rule can never match that could before."""
        members = Members(self._directory)
        known = {shadow.rule.id for shadow in shadows(before, members)}
        for rule, by in shadows(after, members):
            if by and rule.id not in known:
                first = ", ".join(repr(each.name) for each in by[:3])
                whom = "everyone" if rule.is_for_everyone else "all of its users"
                raise WhodidError(
                    "invalid",
                    f"Rule {rule.name!r} could never match: {first} before it means {whom}.",
                    f"The first rule that matches wins: put it before {by[0].name!r}.",
                )

    @staticmethod
    def _refuse_name(rules: Sequence[Rule], name: str) -> None:
        if any(each.name == name for each in rules):
            raise WhodidError(
                "conflict", f"There is a rule {name!r} already.", "Change it, or take another name.", field="name"
            )

    def _write(
        self,
        kept: Kept[Rule],
        rules: Sequence[Rule],
        rule: Rule,
        by: str | None,
        *,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
    ) -> None:
        entity = Entity(type="policy", id=rule.id, name=rule.name)
        self.list.write(rules, kept.version, Told("log-settings-changed", entity, before, after), by=by)


def subject_of(
    directory: Directory, user: str | None, group: str | None, *, accept_unknown: bool
) -> tuple[str | None, str | None]:
    """Login and group id of a subject that was named.

    Raises
    ------
    WhodidError("not_found")
        There is no such user or group.
    WhodidError("invalid")
        The group has no members.
    """
    if user is not None and group is not None:
        raise WhodidError(
            "invalid", "It is for a user and for a group.", "Name one of them, or neither for everyone.", field="user"
        )
    if user is not None:
        return (user if accept_unknown else _known_login(directory, user)), None
    if group is None:
        return None, None
    known = directory.group(group)
    if not accept_unknown and not directory.group_logins(known.id):
        raise WhodidError(
            "invalid",
            f"The group {known.name!r} has no members: nothing would ever match.",
            f"Add some: whodid group add {known.name} --user LOGIN; or take it as it is: --unknown (accept_unknown).",
            field="group",
        )
    return None, known.id


def _known_login(directory: Directory, user: str) -> str:
    try:
        return directory.user(user).login
    except WhodidError as error:
        if error.code != "not_found":
            raise
        raise WhodidError(
            "not_found",
            f"There is no user {user!r}: nobody made one, and no event names one.",
            "See: whodid user list. If one will come: --unknown (accept_unknown).",
            field="user",
        ) from None


def found(rules: Sequence[Rule], which: str) -> Rule:
    """The rule of this name or id. Raises not_found."""
    for rule in rules:
        if which in (rule.name, rule.id):
            return rule
    raise WhodidError("not_found", f"There is no rule {which!r}.", "See: whodid policy list")


def placed(rules: Sequence[Rule], rule: Rule, place: Place) -> list[Rule]:
    """The rules with one more at its place."""
    if sum(each is not None for each in place) > 1:
        raise WhodidError("invalid", "Several places are named.", "Say one of before, after, position.")
    if place.before is not None or place.after is not None:
        other = found(rules, place.before or place.after or "")
        at = rules.index(other) + (place.before is None)
    elif place.position is not None:
        if not 1 <= place.position <= len(rules) + 1:
            raise WhodidError(
                "invalid", f"There is no position {place.position}.", f"It goes from 1 to {len(rules) + 1}."
            )
        at = place.position - 1
    else:
        at = len(rules)
        while not rule.is_for_everyone and at and rules[at - 1].is_for_everyone:
            at -= 1
    return [*rules[:at], rule, *rules[at:]]


def _told_at(rules: Sequence[Rule], rule: Rule) -> dict[str, Any]:
    return {**told(rule), "position": [each.id for each in rules].index(rule.id) + 1}
