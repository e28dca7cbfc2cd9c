"""A partition's records as batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.journals import draft
from whodid.errors import WhodidError
from whodid.journal import frame
from whodid.journal.base import Batch, behind
from whodid.journal.kafka_frames import renumbered
from whodid.journal.kafka_partition import Partition
from whodid.journal.space import Reserve

NAME = "kafka-topic-id-0"


def partition(folder: Path, *, start: int = 0, position: int = 0, free_bytes_min: int = 0, **limits: Any) -> Partition:
    usual = {"batch_bytes_max": 1_000_000, "batch_age_ms_max": 3_600_000}
    folder.mkdir(exist_ok=True)
    return Partition(0, NAME, folder, Reserve(folder, free_bytes_min), start=start, position=position, **usual | limits)


def add(stream: Partition, *offsets: int) -> None:
    for offset in offsets:
        value = b"".join(frame.number(frame.prepare(draft(2), b'"server"'), 1))[:-1]
        line = renumbered(value, offset, b'"%b"' % NAME.encode())
        assert line is not None
        stream.add(line, offset)


def offsets(batch: Batch) -> list[int]:
    return [(read.seq - 1) // 10_000 for read in batch.frames()]


def test_records_become_a_batch_whose_number_is_the_offset_behind_them(tmp_path: Path) -> None:
    stream = partition(tmp_path, start=5, position=5)
    add(stream, 5, 6, 9)
    stream.seal_open()
    (batch,) = stream.wait_sealed(5, timeout_s=1)
    assert (batch.receiver, batch.number, batch.count, offsets(batch)) == (NAME, 10, 6, [5, 6, 9])
    assert batch.path is not None and batch.path.stat().st_size == batch.size_bytes == stream.waiting_bytes
    stream.release(10)
    assert not batch.path.exists() if batch.path else True
    assert (stream.sealed(), stream.released, stream.waiting_bytes) == ([], 10, 0)


def test_batches_end_by_size_and_age(tmp_path: Path) -> None:
    stream = partition(tmp_path, batch_bytes_max=2_000, batch_age_ms_max=0)
    add(stream, *range(12))
    numbers = [batch.number for batch in stream.sealed()]
    assert len(numbers) > 1
    stream.seal_due()
    assert stream.sealed()[-1].number == 12


def test_what_the_store_has_is_a_batch_of_its_own(tmp_path: Path) -> None:
    stream = partition(tmp_path, start=3, position=5)
    add(stream, 3, 4, 5, 6)
    stream.seal_open()
    assert [offsets(batch) for batch in stream.sealed()] == [[3, 4], [5, 6]]


def test_a_store_takes_the_part_of_a_batch_that_it_does_not_have(tmp_path: Path) -> None:
    stream = partition(tmp_path)
    add(stream, 0, 1, 2, 3)
    stream.seal_open()
    (batch,) = stream.sealed()
    assert [offsets(one) for one in behind([batch], 0)] == [[0, 1, 2, 3]]
    (rest,) = behind([batch], 2)
    assert (rest.number, rest.count, offsets(rest)) == (4, 4, [2, 3])
    assert rest.array() is None or rest.path != batch.path
    assert behind([batch], 4) == []
    stream.release(4)
    assert list(tmp_path.iterdir()) == []


def test_what_is_open_is_read_again_after_a_failure(tmp_path: Path) -> None:
    stream = partition(tmp_path)
    add(stream, 0, 1)
    stream.seal_open()
    add(stream, 2, 3)
    assert stream.rewind() == 2
    add(stream, 2, 3)
    stream.seal_open()
    assert [offsets(batch) for batch in stream.sealed()] == [[0, 1], [2, 3]]


def test_no_room_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    stream = partition(tmp_path, free_bytes_min=2**60)
    add(stream, 0)
    with pytest.raises(WhodidError) as refused:
        stream.seal_open()
    assert refused.value.code == "full"
    assert stream.rewind() == 0


def test_what_an_earlier_process_left_is_removed_but_for_what_was_put_aside(tmp_path: Path) -> None:
    for name in ("000000000004.sealed", "batch.open", "000000000004-0.corrupt", "000000000009.poison"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "000000000004-behind").mkdir()
    partition(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"000000000004-0.corrupt", "000000000009.poison"}
