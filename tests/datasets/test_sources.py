"""What paths lead to: files, folders, patterns, odd names, and paths that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from whodid.datasets import sources
from whodid.datasets.sources import find
from whodid.errors import WhodidError


def write(path: Path, age_s: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}\n")
    stamp = 1_700_000_000 - age_s
    os.utime(path, (stamp, stamp))
    return path


def names(*paths: object) -> list[str]:
    return [source.name for source in find([str(path) for path in paths]).sources]


def test_a_folder_gives_all_files_below_it_but_hidden_ones_oldest_first(tmp_path: Path) -> None:
    new, old = write(tmp_path / "a.log"), write(tmp_path / "z.log", age_s=60)
    deep = write(tmp_path / "2026" / "01" / "b.log")
    write(tmp_path / ".hidden")
    write(tmp_path / ".git" / "c.log")
    assert names(tmp_path) == [str(old), str(new), str(deep)]


def test_patterns_reach_into_folders_and_overlaps_count_once(tmp_path: Path) -> None:
    one, two = write(tmp_path / "x" / "a.log"), write(tmp_path / "x" / "y" / "a.log")
    write(tmp_path / "x" / "a.txt")
    assert names(f"{tmp_path}/**/*.log", one, tmp_path / "x" / ".." / "x" / "a.log") == [str(one), str(two)]


def test_a_name_that_looks_like_a_pattern_is_a_name_when_the_file_is_there(tmp_path: Path) -> None:
    odd = write(tmp_path / "audit[1]*.log")
    assert names(odd) == [str(odd)]


@pytest.mark.parametrize("name", ["new\nline.log", "überprüfung 日本.log", "-", " ", "'; DROP TABLE--"])
def test_odd_names_are_read_like_others(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    source = find([str(path)]).sources[0]
    with source.open() as stream:
        assert stream.read() == b"{}\n"
    assert source.name == str(path)


def test_a_name_that_is_no_utf8_is_shown_clean(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.log"
    Path(os.fsdecode(path)).write_bytes(b"{}\n")
    source = find([str(tmp_path)]).sources[0]
    assert source.name.encode().endswith(rb"caf\xe9.log")
    with source.open() as stream:
        assert stream.read() == b"{}\n"


def test_what_is_not_there_is_a_problem_and_the_rest_is_found(tmp_path: Path) -> None:
    there = write(tmp_path / "a.log")
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "gone")
    found = find([str(there), str(tmp_path / "gone"), str(tmp_path / "*.none"), str(dangling)])
    assert [source.name for source in found.sources] == [str(there)]
    assert [problem.name for problem in found.problems] == [
        str(tmp_path / "gone"),
        str(tmp_path / "*.none"),
        str(dangling),
    ]


def test_only_problems_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(WhodidError, match=r"gone.*No such file") as caught:
        sources.require_any(find([str(tmp_path / "gone")]))
    assert caught.value.code == "not_found"


def test_the_version_changes_with_the_content(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log")
    before = sources.local_file(path).version
    with path.open("ab") as file:
        file.write(b"{}\n")
    assert sources.local_file(path).version != before


def test_standard_input_cannot_be_known_again() -> None:
    source = find(["-"]).sources[0]
    assert (source.name, source.version, source.size_bytes) == ("standard input", "", None)
