"""A disk that is full, and one that fails: refused in clear words, nothing half kept, and on it goes by itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.journals import draft, ids_in, ids_of, open_journal
from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import committer
from whodid.journal.base import Draft
from whodid.journal.disk import DiskJournal

TESTS = Path(__file__).parents[1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command; the limit on a file's size is tested instead")
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk ({mounted.stderr.strip()}); a file's size limit is tested instead")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def append_until_full(journal: DiskJournal) -> tuple[list[Draft], WhodidError]:
    kept: list[Draft] = []
    for _ in range(10_000):
        sent = draft(20)
        try:
            journal.append_blocking(sent)
        except WhodidError as error:
            return kept, error
        kept.append(sent)
    raise AssertionError("the disk never filled")


def test_a_full_disk_refuses_keeps_what_was_acknowledged_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    folder = small_disk / "journal"
    # Without a look at the free space before, so that the write itself fails.
    with contextlib.closing(open_journal(folder, segment_bytes_max=100_000, disk_free_bytes_min=-(2**40))) as journal:
        kept, refused = append_until_full(journal)
        assert refused.code == "full" and refused.retry_after_s
        assert "failed: No space left" in refused.message
        assert journal.status().refusal == str(refused)
        other = small_disk / "other"
        with contextlib.suppress(OSError), other.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        for _ in range(3):
            with pytest.raises(WhodidError):
                journal.append_blocking(draft(20))
        assert journal.status().disk_free_bytes == 0
        released = journal.sealed()[0]
        gone = released.count
        journal.release(released.number)
        late = draft()
        journal.append_blocking(late)
        other.unlink()
        kept.append(late)
        journal.seal()
        assert ids_in(journal) == ids_of(kept)[gone:]
        assert journal.status().refusal is None


def test_after_a_full_disk_everything_acknowledged_is_read_after_a_restart(small_disk: Path) -> None:
    folder = small_disk / "journal"
    with contextlib.closing(open_journal(folder)) as journal:
        kept, _ = append_until_full(journal)
    with contextlib.closing(open_journal(folder)) as journal:
        assert ids_in(journal) == ids_of(kept)
        assert journal.status().quarantine == []


def test_the_reserve_is_kept_free(small_disk: Path) -> None:
    reserve = 500_000
    folder = small_disk / "journal"
    with contextlib.closing(open_journal(folder, disk_free_bytes_min=reserve)) as journal:
        _, refused = append_until_full(journal)
        assert refused.code == "full" and "500,000 are kept in reserve" in refused.message
        assert journal.status().disk_free_bytes > reserve - 50_000
        journal.release(journal.seal())
        deadline = threading.Event()
        for _ in range(200):
            with contextlib.suppress(WhodidError):
                journal.append_blocking(draft())
                break
            deadline.wait(0.02)
        else:
            raise AssertionError("it did not go on by itself")


FILE_SIZE_LIMITED = """
import resource, sys
from pathlib import Path
from support.journals import draft, ids_in, ids_of, open_journal
from whodid.errors import WhodidError
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
journal = open_journal(Path(sys.argv[1]))
kept = []
while True:
    sent = draft(20)
    try:
        journal.append_blocking(sent)
    except WhodidError as error:
        print(error.code, error.message)
        break
    kept.append(sent)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(draft(20))
journal.append_blocking(kept[-1])
journal.seal()
print(ids_in(journal) == ids_of(kept), len(kept) > 5)
journal.close()
"""


def test_a_write_that_stops_half_way_leaves_nothing_of_its_commit(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", FILE_SIZE_LIMITED, str(tmp_path / "journal")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines() == [
        f"full Writing to the journal in {tmp_path / 'journal'} failed: File too large.",
        "True True",
    ], done.stderr


class FailingOnce:
    """Stands in for a system call: fails the next `failures` times with EIO, then is the real one again."""

    def __init__(self, real: Any):
        self.real = real
        self.failures = 0

    def __call__(self, *arguments: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self.real(*arguments)


def failing(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> FailingOnce:
    call = FailingOnce(getattr(module, name))
    monkeypatch.setattr(module, name, call)
    return call


def test_after_a_failed_sync_the_segment_is_given_up_at_its_last_good_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal"
    sync = failing(monkeypatch, durable, "sync")
    with contextlib.closing(open_journal(folder)) as journal:
        good = draft()
        end = journal.append_blocking(good)
        sync.failures = 1
        with pytest.raises(WhodidError, match="Input/output error") as refused:
            journal.append_blocking(draft())
        assert refused.value.code == "full"
        after = draft()
        assert journal.append_blocking(after).segment == end.segment + 1
        assert (folder / "000000000001.sealed").stat().st_size == end.offset_bytes
        journal.seal()
        assert ids_in(journal) == ids_of([good, after])
        assert journal.status().seq_next == 3


def test_all_who_wait_for_a_failed_commit_are_refused_each_with_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = failing(monkeypatch, durable, "sync")

    async def append_together(journal: DiskJournal) -> list[Any]:
        sync.failures = 100
        outcomes = await asyncio.gather(*(journal.append(draft()) for _ in range(20)), return_exceptions=True)
        sync.failures = 0
        return outcomes

    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        outcomes = asyncio.run(append_together(journal))
        assert [error.code for error in outcomes] == ["full"] * 20
        assert len({id(error) for error in outcomes}) == 20
        sent = draft()
        journal.append_blocking(sent)
        journal.seal()
        assert ids_in(journal) == ids_of([sent])


def test_while_a_failed_commit_cannot_be_cut_off_nothing_is_written_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal"
    sync, cut = failing(monkeypatch, durable, "sync"), failing(monkeypatch, os, "ftruncate")
    with contextlib.closing(open_journal(folder)) as journal:
        good = draft()
        journal.append_blocking(good)
        sync.failures, cut.failures = 1, 3
        for _ in range(3):
            with pytest.raises(WhodidError):
                journal.append_blocking(draft())
        assert cut.failures == 0
        after = draft()
        journal.append_blocking(after)
        journal.seal()
        assert ids_in(journal) == ids_of([good, after])


def test_a_segment_that_cannot_be_sealed_is_sealed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_sync = failing(monkeypatch, durable, "sync_folder")
    with contextlib.closing(open_journal(tmp_path / "journal", segment_age_ms_max=5)) as journal:
        sent = draft()
        folder_sync.failures = 0
        journal.append_blocking(sent)
        journal.wait_sealed(0, timeout_s=10)
        assert ids_in(journal) == ids_of([sent])
        journal.append_blocking(draft())
        folder_sync.failures = 2
        assert [batch.number for batch in journal.wait_sealed(1, timeout_s=10)] == [2]


def test_a_release_on_a_disk_without_any_room_makes_the_room_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal"
    with contextlib.closing(open_journal(folder)) as journal:
        for _ in range(3):
            journal.append_blocking(draft())
            journal.seal()
        replace = failing(monkeypatch, durable, "replace")
        replace.failures = 1
        journal.release(3)
        assert list(folder.glob("*.sealed")) == [] and journal.backlog_bytes == 0
        journal.append_blocking(draft())
        journal.seal()
        replace.failures = 1
        with pytest.raises(WhodidError, match="release of segment 4") as refused:
            journal.release(4)
        assert refused.value.code == "full"
        assert [batch.number for batch in journal.sealed()] == [4]
        journal.release(4)
        assert journal.sealed() == []
    with contextlib.closing(open_journal(folder)) as journal:
        assert journal.append_blocking(draft()).segment == 5


def test_when_the_disk_hangs_what_waits_in_memory_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "WAITING_BYTES_MAX", 10_000)
    go_on = threading.Event()
    real = durable.sync
    monkeypatch.setattr(durable, "sync", lambda descriptor: (go_on.wait(30), real(descriptor))[1])

    async def hang(journal: DiskJournal) -> list[Any]:
        waiting = [asyncio.ensure_future(journal.append(draft(5))) for _ in range(40)]
        await asyncio.sleep(0)
        assert journal.status().waiting_bytes <= 10_000
        go_on.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    go_on.set()
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        go_on.clear()
        outcomes = asyncio.run(hang(journal))
        refused = [outcome for outcome in outcomes if isinstance(outcome, WhodidError)]
        assert {error.code for error in refused} == {"busy"}
        assert 0 < len(refused) < 40
        journal.seal()
        assert len(ids_in(journal)) == 5 * (40 - len(refused))
