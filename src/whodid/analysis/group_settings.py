"""What people decided about groups of errors: state, merges and splits. Each is a setting of the directory.

A setting is named `error-group:ID`; all its versions are kept, and every change is an event with before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.typed import convert

PREFIX: Final = "error-group:"
MERGES_MAX: Final = 20
SPLITS_MAX: Final = 20
TEXT_MAX: Final = 200

State = Literal["open", "muted", "resolved"]
SplitBy = Literal["message", "type", "hash", "contains"]


class Split(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a group is split: by message, type or hash each value is a group; `contains` takes out what has a text."""

    by: SplitBy
    text: str | None = None


class Decision(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What was decided about a group. `at` is when its state was set, `until` when muting ends (UTC)."""

    state: State = "open"
    until: datetime | None = None
    version: str | None = None
    into: str | None = None
    splits: list[Split] = []
    at: datetime | None = None
    by: str | None = None


class Decisions:
    """The decisions about all groups, as they are in a directory at this moment."""

    def __init__(self, found: Mapping[str, Decision]):
        self._found = found

    def of(self, group: str) -> Decision:
        return self._found.get(group, Decision())

    def target(self, group: str) -> str:
        """The group that this one was merged into, through merges of merges; itself without any."""
        seen = {group}
        while (into := self.of(group).into) is not None and into not in seen and len(seen) <= MERGES_MAX:
            seen.add(into)
            group = into
        return group

    def merged_into(self, group: str) -> list[str]:
        """The groups that were merged into this one."""
        return sorted(name for name in self._found if name != group and self.target(name) == group)


def decisions(directory: Any) -> Decisions:
    """All decisions; none without a directory that keeps settings."""
    if not hasattr(directory, "settings"):
        return Decisions({})
    found = {
        setting.name.removeprefix(PREFIX): decision
        for setting in directory.settings()
        if setting.name.startswith(PREFIX) and (decision := _decision(setting.value)) is not None
    }
    return Decisions(found)


def _decision(value: Any) -> Decision | None:
    try:
        return None if value is None else convert(value, Decision)
    except msgspec.ValidationError:
        # A setting can be written by hand; one that is no decision decides nothing.
        return None


def set_state(
    directory: Any, group: str, state: str, *, by: str | None, until: datetime | None = None, version: str | None = None
) -> Decision:
    """Open, mute (until a time) or resolve (in a version) a group.

    Raises
    ------
    WhodidError("invalid")
        There is no such state, or `until` or `version` do not belong to it.
    """
    if state not in ("open", "muted", "resolved"):
        raise WhodidError("invalid", f"state is {state[:50]!r}.", "It is open, muted or resolved.")
    if until is not None and (state != "muted" or until.tzinfo is None or until <= datetime.now(UTC)):
        raise WhodidError("invalid", "until is when muting ends: a time to come, with a zone.")
    if version is not None and (state != "resolved" or not 1 <= len(version) <= TEXT_MAX):
        raise WhodidError("invalid", f"version is the one that resolves it: 1 to {TEXT_MAX} characters.")
    told = {"state": state, "until": until, "version": version, "at": datetime.now(UTC), "by": by}
    return _change(directory, group, lambda before: msgspec.structs.replace(before, **told), by)


def merge(directory: Any, groups: list[str], into: str, *, by: str | None) -> None:
    """From now on count these groups as one. Raises WhodidError("invalid") when they would merge in a circle."""
    known = decisions(directory)
    for group in groups:
        if group == into or known.target(into) == group:
            raise WhodidError("invalid", f"{group} cannot be merged into {into}: that would be a circle.")
    for group in groups:
        _change(directory, group, lambda before: msgspec.structs.replace(before, into=into, by=by), by)


def unmerge(directory: Any, group: str, *, by: str | None) -> Decision:
    """Take a group out of the one it was merged into."""
    return _change(directory, group, lambda before: msgspec.structs.replace(before, into=None, by=by), by)


def split(directory: Any, group: str, rule: Split | None, *, by: str | None) -> Decision:
    """Add a rule that splits a group; None takes all its rules away. Raises WhodidError("invalid")."""
    if rule is not None and (rule.by == "contains") != bool(rule.text and len(rule.text) <= TEXT_MAX):
        raise WhodidError(
            "invalid", "A split by `contains` needs a text, any other has none.", f"1 to {TEXT_MAX} characters."
        )

    def with_rule(before: Decision) -> Decision:
        if rule is not None and rule in before.splits:
            return before
        splits = [] if rule is None else [*before.splits, rule]
        if len(splits) > SPLITS_MAX:
            raise WhodidError("invalid", f"A group has at most {SPLITS_MAX} rules that split it.")
        return msgspec.structs.replace(before, splits=splits, by=by)

    return _change(directory, group, with_rule, by)


def _change(directory: Any, group: str, change: Callable[[Decision], Decision], by: str | None) -> Decision:
    """Change what was decided about a group, and nothing that somebody else decides at the same moment."""
    check_id(group)
    name = PREFIX + group
    while True:
        last = next(iter(directory.setting_versions(name)), None)
        after = change((_decision(last.value) if last else None) or Decision())
        value = msgspec.to_builtins(after) or None
        try:
            directory.change_setting(name, value, by=by, expected_version=last.version if last else 0)
        except WhodidError as error:
            # Each time somebody else's change came first, so that this one's turn comes.
            if error.code != "conflict":
                raise
        else:
            return after


def check_id(group: str) -> None:
    """Raises WhodidError("invalid") for what cannot be a group's id."""
    version, colon, digits = group.partition(":")
    if not (colon and version[:1] == "v" and version[1:].isdigit() and len(digits) == 16 and digits.isalnum()):
        raise WhodidError("invalid", f"{group[:100]!r} is no group of errors.", "Groups look like v1:1f2e3d4c5b6a7980.")
