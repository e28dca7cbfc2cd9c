"""What DiskJournal promises while nothing goes wrong."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

from support.journals import RECEIVED_AT, draft, ids_in, ids_of, numbers_in, open_journal, segment_names
from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.journal.base import Outcome, Position
from whodid.journal.disk import DiskJournal


def test_what_is_appended_is_on_disk_when_append_returns(journal: DiskJournal, folder: Path) -> None:
    position = journal.append_blocking(draft(3))
    assert position.segment == 1
    assert position.offset_bytes == (folder / "000000000001.open").stat().st_size


def test_a_frame_is_one_line_of_json_with_its_sum(journal: DiskJournal, folder: Path) -> None:
    sent = draft(2, format="dss-log4j", key_id="k1", orig_address="10.1.2.3")
    journal.append_blocking(sent)
    line = (folder / "000000000001.open").read_bytes()
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    assert xxh3_64_hexdigest(line[26:-1]) == line[8:24].decode()
    assert json.loads(line) == {
        "sum": line[8:24].decode(),
        "seq": 1,
        "count": 2,
        "rejected": 0,
        "received_at": "2025-03-01T12:30:15.250000Z",
        "receiver": journal.receiver,
        "format": "dss-log4j",
        "key_id": "k1",
        "orig_address": "10.1.2.3",
        "events": json.loads(sent.events),
    }


def test_frames_come_back_with_their_provenance_and_rejects(journal: DiskJournal) -> None:
    reject = Rejection(index=4, code="invalid", message="type is missing", raw='{"a":"\n\x00ü"}')
    journal.append_blocking(draft(2, key_id="k1", rejects=[reject]))
    journal.append_blocking(draft(0, rejects=[reject]))
    journal.append_blocking(draft(1))
    journal.seal()
    (batch,) = journal.sealed()
    first, second, third = batch.frames()
    assert (first.seq, second.seq, third.seq) == (1, 3, 3)
    assert first.provenance.received_at == RECEIVED_AT
    assert first.provenance.key_id == "k1"
    assert first.provenance.receiver == batch.receiver == journal.receiver
    assert first.rejects == second.rejects == [reject]
    assert second.events == []
    assert batch.count == 3
    assert batch.path is not None and batch.size_bytes == batch.path.stat().st_size


def test_tasks_that_wait_together_share_commits_and_keep_their_order(journal: DiskJournal) -> None:
    sent = [draft() for _ in range(500)]

    async def all_at_once() -> list[int]:
        positions = await asyncio.gather(*(journal.append(each) for each in sent))
        return [position.offset_bytes for position in positions]

    offsets = asyncio.run(all_at_once())
    assert offsets == sorted(set(offsets))
    assert journal.status().commits < 250
    journal.seal()
    assert ids_in(journal) == ids_of(sent)


def test_threads_without_a_loop_share_the_journal(journal: DiskJournal) -> None:
    threads = [threading.Thread(target=lambda: [journal.append_blocking(draft()) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.seal()
    assert numbers_in(journal) == list(range(1, 401))


def test_a_segment_is_sealed_by_age_without_another_append(folder: Path) -> None:
    journal = open_journal(folder, segment_age_ms_max=20)
    sent = draft()
    journal.append_blocking(sent)
    (batch,) = journal.wait_sealed(0, timeout_s=10)
    assert batch.number == 1 and ids_in(journal) == ids_of([sent])
    assert segment_names(folder, "*.open") == []
    journal.close()


def test_a_segment_is_sealed_by_size(folder: Path) -> None:
    journal = open_journal(folder, segment_bytes_max=2_000)
    for _ in range(20):
        journal.append_blocking(draft())
    journal.seal()
    sizes = [batch.size_bytes for batch in journal.sealed()]
    assert len(sizes) > 2 and all(2_000 <= size < 2_500 for size in sizes[:-1])
    journal.close()


def test_an_idle_journal_makes_no_segments(folder: Path) -> None:
    journal = open_journal(folder, segment_age_ms_max=5)
    assert journal.seal() == 0
    assert journal.wait_sealed(0, timeout_s=0.05) == []
    journal.close()
    assert segment_names(folder, "0*") == []


def test_whoever_waits_for_a_batch_can_be_woken(journal: DiskJournal) -> None:
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(journal.wait_sealed(0, timeout_s=60)))
    waiting.start()
    deadline = time.monotonic() + 10
    while waiting.is_alive() and time.monotonic() < deadline:
        journal.wake()
        waiting.join(0.01)
    assert found == [[]]


def test_wait_sealed_wakes_with_the_batch_it_waits_for(journal: DiskJournal) -> None:
    journal.append_blocking(draft())
    journal.seal()
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.extend(b.number for b in journal.wait_sealed(1, timeout_s=10)))
    waiting.start()
    journal.append_blocking(draft())
    assert journal.seal() == 2
    waiting.join()
    assert found == [2]


def test_numbers_go_on_after_a_restart(folder: Path) -> None:
    first = open_journal(folder)
    first.append_blocking(draft(5))
    first.close()
    second = open_journal(folder)
    assert second.receiver == first.receiver
    second.append_blocking(draft(2))
    second.seal()
    assert numbers_in(second) == [1, 2, 3, 4, 5, 6, 7]
    assert [batch.number for batch in second.sealed()] == [1, 2]
    second.close()


def test_numbers_go_on_after_everything_was_released(folder: Path) -> None:
    first = open_journal(folder)
    first.append_blocking(draft(5))
    first.release(first.seal())
    first.close()
    second = open_journal(folder)
    assert second.append_blocking(draft()).segment == 2
    second.seal()
    assert numbers_in(second) == [6]
    second.close()


def test_close_finishes_what_was_accepted_and_then_refuses(folder: Path) -> None:
    journal = open_journal(folder)
    sent = [draft() for _ in range(100)]

    async def append_and_close() -> None:
        waiting = [asyncio.ensure_future(journal.append(each)) for each in sent]
        await asyncio.sleep(0)
        await asyncio.to_thread(journal.close)
        await asyncio.gather(*waiting)
        with pytest.raises(WhodidError, match="is closed") as refused:
            await journal.append(draft())
        assert refused.value.code == "unavailable"

    asyncio.run(append_and_close())
    journal.close()
    again = open_journal(folder)
    assert ids_in(again) == ids_of(sent)
    again.close()


def test_who_waits_without_a_task_is_called(journal: DiskJournal) -> None:
    async def submit() -> list[Outcome]:
        told: asyncio.Queue[Outcome] = asyncio.Queue()
        for _ in range(20):
            journal.submit(draft(), told.put_nowait)
        return [await told.get() for _ in range(20)]

    outcomes = asyncio.run(submit())
    assert all(isinstance(each, Position) for each in outcomes)
    assert len(set(outcomes)) == 20
    assert journal.status().commits == 1, "what a loop brings in one turn is handed over together"


def test_a_waiting_task_that_is_cancelled_disturbs_nobody(journal: DiskJournal) -> None:
    async def cancel_one() -> None:
        tasks = [asyncio.ensure_future(journal.append(draft())) for _ in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in done].count(True) == 1

    asyncio.run(cancel_one())
    journal.append_blocking(draft())


def test_the_backlog_has_a_limit_and_release_makes_room(folder: Path) -> None:
    journal = open_journal(folder, backlog_bytes_max=1_000)
    while journal.backlog_bytes < 1_000:
        journal.append_blocking(draft())
    with pytest.raises(WhodidError, match="wait for the store") as refused:
        journal.append_blocking(draft())
    assert refused.value.code == "busy" and refused.value.retry_after_s
    journal.release(journal.seal())
    journal.append_blocking(draft())
    journal.close()


@pytest.mark.parametrize(
    "broken",
    [
        {"events": b"[{}\n]"},
        {"events": b'{"id":1}'},
        {"events": b""},
        {"received_at": RECEIVED_AT.replace(tzinfo=None)},
    ],
)
def test_a_draft_that_would_break_the_line_is_refused(journal: DiskJournal, broken: dict[str, Any]) -> None:
    with pytest.raises(WhodidError) as refused:
        journal.append_blocking(draft(**broken))
    assert refused.value.code == "invalid"


def test_a_frame_larger_than_a_segment_goes_through(folder: Path) -> None:
    journal = open_journal(folder, segment_bytes_max=100_000)
    sent = [draft(parameters={"text": "x" * 20_000_000}), draft()]
    for each in sent:
        journal.append_blocking(each)
    journal.seal()
    assert ids_in(journal) == ids_of(sent)
    assert len(journal.sealed()) == 2
    journal.close()


def test_a_second_opener_learns_who_owns_the_folder(journal: DiskJournal, folder: Path) -> None:
    with pytest.raises(WhodidError) as refused:
        open_journal(folder)
    assert refused.value.code == "conflict"
    assert f"process {os.getpid()} (" in refused.value.message and "since 20" in refused.value.message
    assert f"kill {os.getpid()}" in str(refused.value.hint)


def _append_in_fork(journal: DiskJournal, answers: multiprocessing.SimpleQueue[str]) -> None:
    try:
        journal.append_blocking(draft())
    except WhodidError as error:
        answers.put(f"{error.code} {error.message}")


def test_a_fork_cannot_use_the_journal_of_its_parent(journal: DiskJournal) -> None:
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    child = fork.Process(target=_append_in_fork, args=(journal, answers))
    child.start()
    answer = answers.get()
    child.join()
    assert answer.startswith("unavailable") and f"belongs to process {os.getpid()}" in answer
    journal.append_blocking(draft())


def test_files_are_readable_by_their_owner_only(journal: DiskJournal, folder: Path) -> None:
    journal.append_blocking(draft())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_status_tells_positions_sizes_and_rates(journal: DiskJournal, folder: Path) -> None:
    journal.append_blocking(draft(10))
    journal.seal()
    journal.append_blocking(draft(5))
    status = journal.status()
    assert (status.seq_next, status.segment_sealed, status.segment_open, status.released) == (16, 1, 2, 0)
    assert (status.frames, status.events, status.sealed_segments, status.waiting_bytes) == (2, 15, 1, 0)
    assert status.backlog_bytes == status.bytes == sum(path.stat().st_size for path in folder.glob("0*"))
    assert status.disk_free_bytes > 0 and status.commit_mean_ms > 0 and status.oldest_sealed_s is not None
    assert (status.quarantine, status.torn_bytes, status.refusal) == ([], 0, None)
    deadline = time.monotonic() + 5
    while journal.status().events_per_second != 1.5 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert journal.status().events_per_second == 1.5


def test_a_journal_whose_receiver_is_lost_is_not_opened_by_guessing(folder: Path) -> None:
    first = open_journal(folder)
    first.append_blocking(draft())
    first.close()
    (folder / "receiver.json").unlink()
    with pytest.raises(WhodidError, match=r"receiver\.json is gone") as refused:
        open_journal(folder)
    assert refused.value.code == "conflict"
    (folder / "receiver.json").write_text("{}")
    with pytest.raises(WhodidError, match="is damaged"):
        open_journal(folder)
