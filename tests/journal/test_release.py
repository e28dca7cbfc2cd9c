"""What DiskJournal does with segments that were stored."""

from __future__ import annotations

import contextlib
from pathlib import Path

from support.journals import draft, ids_in, ids_of, open_journal, segment_names
from whodid.journal.disk import DiskJournal


def test_released_segments_are_gone_and_releasing_again_changes_nothing(journal: DiskJournal, folder: Path) -> None:
    for _ in range(3):
        journal.append_blocking(draft())
        journal.seal()
    journal.release(2)
    journal.release(2)
    journal.release(1)
    assert segment_names(folder) == ["000000000003.sealed"]
    assert journal.backlog_bytes == (folder / "000000000003.sealed").stat().st_size
    assert [batch.number for batch in journal.sealed()] == [3]


def test_a_release_that_was_interrupted_is_finished_by_the_next_start(folder: Path) -> None:
    first = open_journal(folder)
    first.append_blocking(draft())
    first.seal()
    released = (folder / "000000000001.sealed").read_bytes()
    first.release(1)
    first.close()
    (folder / "000000000001.sealed").write_bytes(released)
    second = open_journal(folder)
    assert second.sealed() == [] and segment_names(folder) == []
    second.close()


def test_what_is_kept_waits_for_nobody_but_whoever_drops_it(journal: DiskJournal, folder: Path) -> None:
    journal.keeps = True
    sent = [draft(2) for _ in range(3)]
    for each in sent:
        journal.append_blocking(each)
        journal.seal()
    journal.release(2)
    assert [path.name for path in sorted(folder.glob("0*"))] == [
        "000000000001.stored",
        "000000000002.stored",
        "000000000003.sealed",
    ]
    kept = journal.wait_kept(1, timeout_s=5)
    assert [batch.number for batch in kept] == [2]
    assert [event.id for frame in kept[0].frames() for event in frame.events] == ids_of(sent[1:2])
    status = journal.status()
    assert (status.released, status.kept_segments, status.sealed_segments) == (2, 2, 1)
    assert status.kept_bytes == sum(path.stat().st_size for path in folder.glob("*.stored"))
    assert journal.backlog_bytes == (folder / "000000000003.sealed").stat().st_size
    journal.drop(1)
    assert [batch.number for batch in journal.kept()] == [2]
    assert not (folder / "000000000001.stored").exists()


def test_what_is_kept_is_still_there_after_a_restart(folder: Path) -> None:
    first = open_journal(folder)
    first.keeps = True
    first.append_blocking(draft(2))
    first.release(first.seal())
    first.close()
    (folder / "receiver.json").write_bytes((folder / "receiver.json").read_bytes().replace(b':1,"', b':0,"'))
    with contextlib.closing(open_journal(folder)) as again:
        assert [(batch.number, batch.count) for batch in again.kept()] == [(1, 2)]
        assert again.sealed() == []
        assert again.seq_next == 3
        assert again.append_blocking(draft()).segment == 2
        again.drop(1)
        assert again.kept() == []


def test_an_open_segment_is_never_released(journal: DiskJournal) -> None:
    sent = draft()
    journal.append_blocking(sent)
    journal.release(1_000)
    journal.seal()
    assert ids_in(journal) == ids_of([sent])
