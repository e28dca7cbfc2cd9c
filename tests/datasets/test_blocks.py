"""Blocks of whole lines: nothing lost or cut, bounded, and able to go on at any place."""

from __future__ import annotations

import io
import random

import pytest

from whodid.datasets.blocks import TAIL_BYTES, Block, Place, blocks


def read(data: bytes, start: Place | None = None, block_bytes: int = 4096) -> list[Block]:
    stream = io.BytesIO(data)
    stream.seek(start.offset_bytes if start else 0)
    return list(blocks(stream, start or Place(), block_bytes=block_bytes))


def test_an_empty_stream_has_no_blocks() -> None:
    assert read(b"") == []


def test_blocks_hold_whole_lines_and_together_all_of_them() -> None:
    random.seed(7)
    data = b"".join(b"x" * random.randrange(0, 800) + b"\n" for _ in range(2000))
    found = read(data)
    assert len(found) > 10
    assert b"".join(block.data for block in found) == data
    assert all(block.data.endswith(b"\n") and block.whole for block in found)
    assert [block.first_line for block in found][1:] == [block.end.lines + 1 for block in found][:-1]
    assert found[-1].end == Place(offset_bytes=len(data), lines=2000, tail=data[-TAIL_BYTES:])


def test_the_last_line_without_line_break_is_told_apart() -> None:
    found = read(b"one\ntwo")
    assert [(block.data, block.whole, block.first_line) for block in found] == [(b"one\n", True, 1), (b"two", False, 2)]


@pytest.mark.parametrize("length", [8193, 100_000, 3_000_000])
def test_a_line_that_is_too_long_is_passed_over_and_its_neighbours_survive(length: int) -> None:
    found = read(b"before\n" + b"x" * length + b"\nafter\n")
    too_long = [block for block in found if block.too_long_bytes]
    assert [(block.first_line, block.too_long_bytes) for block in too_long] == [(2, length)]
    assert len(too_long[0].data) <= 64 * 1024
    others = b"".join(block.data for block in found if not block.too_long_bytes)
    assert others == b"before\nafter\n"
    assert found[-1].end.lines == 3
    assert [block.first_line for block in found] == [1, 2, 3]
    assert found[-1].end.offset_bytes == length + 14


def test_a_line_too_long_at_the_end_without_line_break_is_reported_too() -> None:
    found = read(b"before\n" + b"x" * 100_000)
    assert (found[-1].too_long_bytes, found[-1].whole) == (100_000, False)


def test_reading_goes_on_at_the_end_of_any_block() -> None:
    data = b"".join(b"line %d\n" % number for number in range(50_000))
    whole = read(data)
    for block in whole[:: len(whole) // 5]:
        rest = read(data, block.end)
        assert b"".join(one.data for one in rest) == data[block.end.offset_bytes :]
        assert rest[-1].end == whole[-1].end


def test_blocks_of_short_lines_keep_to_the_number_of_events_of_a_draft() -> None:
    found = list(blocks(io.BytesIO(b"x\n" * 3_000_000)))
    assert max(block.data.count(b"\n") for block in found[1:]) <= 32 * 1024 + 1
