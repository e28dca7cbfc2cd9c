"""Following live files: every line once, through rotation by renaming, by copying and truncating, and restarts."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.imports import KeptSink, dss_lines, native_line, native_lines
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.follow import Follower
from whodid.datasets.importer import Importer
from whodid.datasets.summary import Summary

DEADLINE_S = 20.0


class Following:
    """A follower at work in a thread."""

    def __init__(self, sink: KeptSink, checkpoints: Checkpoints, *paths: Path):
        self.sink = sink
        self.importer = Importer(sink, checkpoints, patient=True)
        self._stop = threading.Event()
        self.follower = Follower(self.importer, checkpoints, [str(path) for path in paths])
        self._thread = threading.Thread(target=self.follower.run, args=(self._stop,), kwargs={"look_every_s": 0.01})
        self._thread.start()

    def wait_for(self, *ranges: range) -> None:
        """Until exactly the events of these numbers are kept."""
        wanted = sorted(number for numbers in ranges for number in numbers)
        wait_until(lambda: self.sink.numbers == wanted, lambda: f"{len(self.sink.events)} of {len(wanted)} events")

    def stop(self) -> Summary:
        if self._thread.is_alive():
            self._stop.set()
            self._thread.join()
        summary = self.importer.finish()
        self.importer.__exit__()
        return summary


def wait_until(reached: Callable[[], bool], state: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline, state()
        time.sleep(0.005)


@pytest.fixture
def follow(checkpoints: Checkpoints) -> Iterator[Callable[..., Following]]:
    started: list[Following] = []

    def begin(sink: KeptSink, *paths: Path) -> Following:
        started.append(Following(sink, checkpoints, *paths))
        return started[-1]

    yield begin
    for each in started:
        each.stop()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "audit.log"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


Follow = Callable[..., Following]


def test_what_is_there_and_what_is_appended_comes_in(follow: Follow, live: Path) -> None:
    append(live, dss_lines(range(10)))
    following = follow(KeptSink(), live)
    following.wait_for(range(10))
    append(live, dss_lines(range(10, 15)))
    following.wait_for(range(15))
    assert following.sink.sent == 15


def test_a_file_that_does_not_exist_yet_is_followed_once_it_does(follow: Follow, live: Path) -> None:
    following = follow(KeptSink(), live)
    append(live, native_lines(range(5)))
    following.wait_for(range(5))


def test_a_line_waits_until_it_is_whole(follow: Follow, live: Path) -> None:
    line = native_line(1)
    append(live, native_line(0) + line[:30])
    following = follow(KeptSink(), live)
    following.wait_for(range(1))
    append(live, line[30:] + native_line(2))
    following.wait_for(range(3))
    assert following.sink.rejects == []


def test_rotation_by_renaming_finishes_the_old_file_first(follow: Follow, live: Path) -> None:
    append(live, dss_lines(range(100)))
    following = follow(KeptSink(), live)
    following.wait_for(range(100))
    live.rename(live.with_name("audit.log.1"))
    append(live.with_name("audit.log.1"), dss_lines(range(100, 120)))
    append(live, dss_lines(range(120, 130)))
    following.wait_for(range(130))
    assert following.sink.sent == 130


def test_a_file_moved_out_of_sight_is_finished_by_its_open_descriptor(
    follow: Follow, live: Path, tmp_path: Path
) -> None:
    append(live, dss_lines(range(10)))
    following = follow(KeptSink(), live)
    following.wait_for(range(10))
    with live.open("ab") as writer:
        live.rename(tmp_path / "elsewhere")
        writer.write(dss_lines(range(10, 20)))
    following.wait_for(range(20))
    append(live, dss_lines(range(20, 30)))
    following.wait_for(range(30))


def test_rotation_by_copying_and_truncating(follow: Follow, live: Path) -> None:
    append(live, dss_lines(range(100)))
    following = follow(KeptSink(), live)
    following.wait_for(range(100))
    append(live, dss_lines(range(100, 130)))
    shutil.copy2(live, live.with_name("audit.log.1"))
    with live.open("r+b") as file:
        file.truncate()
    append(live, dss_lines(range(130, 135)))
    following.wait_for(range(135))


def test_two_rotations_between_two_looks_lose_nothing(follow: Follow, live: Path, checkpoints: Checkpoints) -> None:
    append(live, dss_lines(range(50)))
    first = follow(KeptSink(), live)
    first.wait_for(range(50))
    first.stop()
    # Nobody looks: the file grows, is rotated, the next one too, and the older one is compressed.
    append(live, dss_lines(range(50, 60)))
    live.with_name("audit.log.2.gz").write_bytes(gzip.compress(live.read_bytes()))
    live.unlink()
    live.with_name("audit.log.1").write_bytes(dss_lines(range(60, 90)))
    append(live, dss_lines(range(90, 95)))
    second = follow(first.sink, live)
    second.wait_for(range(95))
    assert second.sink.sent == 95


def test_rotated_files_from_before_following_began_are_left_alone(follow: Follow, live: Path) -> None:
    before = live.with_name("audit.log.1")
    before.write_bytes(dss_lines(range(100, 110)))
    os.utime(before, (time.time() - 3600, time.time() - 3600))
    append(live, dss_lines(range(10)))
    following = follow(KeptSink(), live)
    following.wait_for(range(10))
    assert following.stop().events == 10


def test_a_whole_folder_is_followed_with_files_that_appear_later(follow: Follow, live: Path) -> None:
    append(live, dss_lines(range(10)))
    following = follow(KeptSink(), live.parent)
    following.wait_for(range(10))
    append(live.with_name("other.log"), dss_lines(range(10, 20)))
    append(live, dss_lines(range(20, 30)))
    following.wait_for(range(30))


def test_files_that_are_deleted_are_looked_for_no_longer(follow: Follow, live: Path) -> None:
    following = follow(KeptSink(), live.parent)
    for day in range(3):
        append(live.with_name(f"audit-{day}.log"), dss_lines(range(10 * day, 10 * day + 10)))
    following.wait_for(range(30))
    for day in range(2):
        live.with_name(f"audit-{day}.log").unlink()
    looked_for = following.follower._followed
    wait_until(lambda: [path.name for path in looked_for] == ["audit-2.log"], lambda: str(list(looked_for)))
    append(live.with_name("audit-0.log"), dss_lines(range(30, 40)))
    following.wait_for(range(40))


def test_a_writer_that_rotates_all_the_time_loses_and_doubles_nothing(follow: Follow, live: Path) -> None:
    following = follow(KeptSink(), live)
    for turn in range(30):
        append(live, dss_lines(range(turn * 20, turn * 20 + 10)))
        append(live, dss_lines(range(turn * 20 + 10, turn * 20 + 20)))
        for number in range(turn, 0, -1):
            source = live.with_name(f"audit.log.{number}")
            if source.exists():
                source.rename(live.with_name(f"audit.log.{number + 1}"))
        live.rename(live.with_name("audit.log.1"))
    append(live, dss_lines(range(600, 610)))
    following.wait_for(range(610))
