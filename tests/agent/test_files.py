"""Which files are being written, and which were rotated away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from whodid.agent.files import live_files, old_files


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    names = ["audit.log.2.gz", "audit.log.1", "audit.log-20261119", "other.log", "audit.log"]
    for age, name in enumerate(names):
        path = tmp_path / name
        path.write_text(f"{name}\n")
        os.utime(path, (1_000_000 + age, 1_000_000 + age))
    return tmp_path


def names(paths: list[str]) -> list[str]:
    return [Path(path).name for path in paths]


def test_a_named_file_has_its_rotated_ones(audit: Path) -> None:
    log = str(audit / "audit.log")
    assert live_files([log]) == [log]
    assert names([str(each.path) for each in old_files([log])]) == [
        "audit.log.2.gz",
        "audit.log.1",
        "audit.log-20261119",
    ]


@pytest.mark.parametrize("path", ["", "*"])
def test_a_folder_or_a_pattern_has_live_and_old_files(audit: Path, path: str) -> None:
    given = [str(audit / path)]
    assert sorted(names(live_files(given))) == ["audit.log", "other.log"]
    assert len(old_files(given)) == 3


def test_a_file_need_not_be_there_yet(tmp_path: Path) -> None:
    log = str(tmp_path / "audit.log")
    assert live_files([log]) == [log]
    assert old_files([log]) == []
