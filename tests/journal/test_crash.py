"""kill -9 at every named point, and at random: nothing acknowledged is lost, nothing doubled, no number used twice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from support.journals import draft, ids_in, ids_of, numbers_in, open_journal
from whodid.journal import crash
from whodid.journal.disk import DiskJournal

TESTS = Path(__file__).parents[1]
IN_RECOVERY = {
    "journal.after-quarantine",
    "journal.after-repair",
    "journal.before-recovery-seal",
}
KEEPING = ["journal.before-release", "journal.mid-keep", "journal.after-release-state"]
IN_WORK = sorted(
    name for name in crash.POINTS if name.startswith("journal.") and name not in {*IN_RECOVERY, "journal.mid-keep"}
)
ROUNDS = int(os.environ.get("WHODID_CRASH_ROUNDS", "4"))


class Told(NamedTuple):
    """What a killed process said before."""

    tried: list[str]
    acknowledged: dict[str, int]
    """Id to the number of its segment."""
    seq_next: int
    released: int
    dropped: int


def child(
    folder: Path, *, steps: int = 40, tasks: int = 1, crash_at: str = "", keeps: bool = False
) -> subprocess.Popen[str]:
    environment: Mapping[str, str] = os.environ | {"PYTHONPATH": str(TESTS), crash.ENV: crash_at}
    program = TESTS / "support" / "journal_child.py"
    command = [sys.executable, str(program), str(folder), str(steps), str(tasks), str(int(keeps))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def told_by(process: subprocess.Popen[str]) -> Told:
    output, complaints = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, complaints
    tried: list[str] = []
    acknowledged: dict[str, int] = {}
    seq_next, released, dropped = 1, 0, 0
    for line in output.splitlines():
        word, *rest = line.split()
        if word == "try":
            tried += rest
        elif word == "ok":
            seq_next = max(seq_next, int(rest[0]))
            acknowledged |= dict.fromkeys(rest[2:], int(rest[1]))
        elif word == "released":
            released = max(released, int(rest[0]))
        else:
            dropped = max(dropped, int(rest[0]))
    return Told(tried, acknowledged, seq_next, released, dropped)


def check_recovery(folder: Path, told: Told, *, ordered: bool, keeps: bool = False) -> None:
    with contextlib.closing(open_journal(folder)) as journal:
        if keeps:
            check_kept(journal, told)
        kept = ids_in(journal)
        numbers = numbers_in(journal)
        status = journal.status()
        assert status.quarantine == []
        assert status.seq_next >= told.seq_next
        assert len(kept) == len(set(kept)) and set(kept) <= set(told.tried)
        assert numbers == sorted(set(numbers))
        assert all(told.acknowledged[event] <= told.released for event in told.acknowledged.keys() - kept)
        if ordered and kept:
            first = told.tried.index(kept[0])
            assert kept == told.tried[first : first + len(kept)]
        journal.append_blocking(draft())
        journal.seal()
        assert numbers_in(journal)[-1] >= max([told.seq_next - 1, *numbers]) + 1


def check_kept(journal: DiskJournal, told: Told) -> None:
    """What was released is kept until it is dropped; then the journal is as one that keeps nothing."""
    batches = [*journal.kept(), *journal.sealed()]
    held = {event.id for batch in batches for frame in batch.frames() for event in frame.events}
    assert all(told.acknowledged[event] <= told.dropped for event in told.acknowledged.keys() - held)
    assert all(batch.number <= told.released for batch in journal.kept())
    if journal.kept():
        journal.drop(journal.kept()[-1].number)


@pytest.mark.crash
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("name", KEEPING)
def test_killed_at_a_named_point_of_a_journal_that_keeps(tmp_path: Path, name: str, nth: int) -> None:
    folder = tmp_path / "journal"
    told = told_by(child(folder, crash_at=f"{name}:{nth}", keeps=True))
    check_recovery(folder, told, ordered=True, keeps=True)


@pytest.mark.crash
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("name", IN_WORK)
def test_killed_at_a_named_point(tmp_path: Path, name: str, nth: int) -> None:
    folder = tmp_path / "journal"
    told = told_by(child(folder, crash_at=f"{name}:{nth}"))
    check_recovery(folder, told, ordered=True)


@pytest.mark.crash
@pytest.mark.parametrize("name", sorted(IN_RECOVERY))
def test_killed_while_recovering(tmp_path: Path, name: str) -> None:
    folder, crashed = tmp_path / "journal", tmp_path / "crashed"
    sent = [draft(2) for _ in range(5)]
    journal = open_journal(folder)
    ends = [journal.append_blocking(each).offset_bytes for each in sent]
    shutil.copytree(folder, crashed)
    journal.close()
    segment = crashed / "000000000001.open"
    data = bytearray(segment.read_bytes())
    data[ends[1] + 200] ^= 4
    segment.write_bytes(data + data[: ends[0] // 2])
    told_by(child(crashed, crash_at=name))
    with contextlib.closing(open_journal(crashed)) as recovered:
        assert ids_in(recovered) == ids_of([*sent[:2], *sent[3:]])
        (damage,) = recovered.status().quarantine
        assert (damage.offset_bytes, damage.size_bytes) == (ends[1], ends[2] - ends[1])
        assert damage.path.read_bytes() == data[ends[1] : ends[2]]
        assert recovered.status().seq_next == 11


@pytest.mark.crash
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_at_any_moment_under_load(tmp_path: Path, round_: int) -> None:
    folder = tmp_path / "journal"
    process = child(folder, steps=1_000_000, tasks=8)
    assert process.stdout is not None
    killer = threading.Timer(random.Random(round_).uniform(0.3, 0.7), process.kill)
    killer.start()
    told = told_by(process)
    check_recovery(folder, told, ordered=False)


def test_an_unregistered_point_is_noticed_when_it_is_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "_armed", ("no.such-point", 1))
    with pytest.raises(ValueError, match="not registered"):
        crash.point("no.such-point")


def test_parts_add_their_points_with_one_meaning_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "POINTS", {"a": "here"})
    crash.register({"a": "here", "b": "there"})
    assert crash.POINTS == {"a": "here", "b": "there"}
    with pytest.raises(ValueError, match="Two meanings"):
        crash.register({"a": "elsewhere"})
