"""What is decided about groups of errors, by several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from whodid.analysis import group_settings
from whodid.analysis.group_settings import PREFIX, Split
from whodid.directory import Directory
from whodid.errors import WhodidError

GROUP = "v1:1f2e3d4c5b6a7980"


class Interrupted:
    """A directory in which somebody else does something right after a setting was looked at, once."""

    def __init__(self, directory: Directory, meanwhile: Callable[[], object]):
        self._directory = directory
        self._meanwhile = [meanwhile]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)

    def setting_versions(self, name: str) -> Any:
        found = self._directory.setting_versions(name)
        if self._meanwhile:
            self._meanwhile.pop()()
        return found


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    directory = Directory.open(f"sqlite:///{tmp_path}/settings.db")
    yield directory
    directory.close()


def test_what_two_decide_at_the_same_moment_both_holds(directory: Directory) -> None:
    def split() -> None:
        group_settings.split(directory, GROUP, Split(by="message"), by="bob")

    group_settings.set_state(Interrupted(directory, split), GROUP, "resolved", by="ann")
    decision = group_settings.decisions(directory).of(GROUP)
    assert (decision.state, decision.splits, decision.by) == ("resolved", [Split(by="message")], "ann")
    assert [setting.changed_by for setting in directory.setting_versions(PREFIX + GROUP)] == ["ann", "bob"]


def test_a_limit_holds_for_what_others_decide_meanwhile(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_settings, "SPLITS_MAX", 1)

    def split() -> None:
        group_settings.split(directory, GROUP, Split(by="message"), by="bob")

    with pytest.raises(WhodidError, match="at most 1 rules"):
        group_settings.split(Interrupted(directory, split), GROUP, Split(by="type"), by="ann")


def test_a_decision_that_was_taken_away_and_one_that_is_none_begin_anew(directory: Directory) -> None:
    group_settings.set_state(directory, GROUP, "muted", by="ann")
    directory.change_setting(PREFIX + GROUP, None, by="ann")
    assert group_settings.split(directory, GROUP, Split(by="hash"), by="ann").state == "open"
    directory.change_setting(PREFIX + GROUP, {"state": "no such"}, by="ann")
    assert group_settings.decisions(directory).of(GROUP).state == "open"
    assert group_settings.set_state(directory, GROUP, "resolved", by="ann").splits == []
