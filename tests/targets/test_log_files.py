"""A log file that is rotated by renaming."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from support.imports import KeptSink
from support.laid_out import content, filled, killed_until_done, target_of
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.importer import Importer
from whodid.datasets.sources import find

POINTS = ("log-file.after-write", "log-file.after-place", "log-file.mid-rotation", "log-file.after-rotation")


def numbers_in(path: Path) -> list[int]:
    """The numbers of the events, oldest file first."""
    files = sorted(path.parent.glob("audit.log*"), key=lambda file: -int(file.suffix[1:] or 0) if file != path else 0)
    return [int(row["id"][-12:], 16) for file in files for row in content(file)]


def test_files_rotate_by_renaming_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    options = {"path": str(path), "file_bytes_max": 4_000, "files_max": 3}
    target = target_of("log-files", tmp_path / "work", options)
    filled(target, range(200))
    target.close()
    assert sorted(file.name for file in tmp_path.glob("audit.log*")) == [
        "audit.log",
        "audit.log.1",
        "audit.log.2",
        "audit.log.3",
    ]
    numbers = numbers_in(path)
    assert numbers == list(range(numbers[0], 200))
    assert all(4_000 <= file.stat().st_size < 8_000 for file in tmp_path.glob("audit.log.*"))


def test_it_can_be_imported_as_a_folder_of_dss(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "out" / "audit.log"), "file_bytes_max": 4_000}
    target = target_of("log-files", tmp_path / "work", options, format="dss-log4j")
    filled(target, range(100))
    target.close()
    with Importer(KeptSink(), Checkpoints(tmp_path / "files.db")) as importer:
        for source in find([str(tmp_path / "out")]).sources:
            importer.read(source)
        summary = importer.finish()
    assert (summary.events, summary.rejected) == (100, 0)


def test_a_file_that_was_there_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text('{"id":"00000000-0000-7000-8000-0000000003e7"}\n')
    target = target_of("log-files", tmp_path / "work", {"path": str(path)})
    filled(target, range(10))
    target.close()
    assert numbers_in(path) == [999, *range(10)]


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_each_event_is_there_once(tmp_path: Path, point: str) -> None:
    path = tmp_path / "out" / "audit.log"
    options = {"path": str(path), "file_bytes_max": 4_000, "files_max": 20}
    assert killed_until_done("log-files", tmp_path / "work", options, point, 100) >= 1
    assert numbers_in(path) == list(range(100))


def test_a_torn_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    target = target_of("log-files", tmp_path / "work", {"path": str(path)})
    filled(target, range(10))
    target.close()
    with path.open("ab") as file:
        file.write(random.Random(1).randbytes(100))
    target = target_of("log-files", tmp_path / "work", {"path": str(path)})
    filled(target, range(20))
    target.close()
    assert numbers_in(path) == list(range(20))
