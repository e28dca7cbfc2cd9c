"""Damage of each kind: confined to the frames it touched, kept aside, reported, and the rest goes on."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from xxhash import xxh3_64_hexdigest

from support.journals import draft, ids_in, ids_of, numbers_in, open_journal
from whodid.errors import WhodidError
from whodid.journal import frame, recovery
from whodid.journal.base import Draft
from whodid.journal.quarantine import Quarantine


def written(folder: Path, drafts: list[Draft]) -> tuple[Path, list[int]]:
    """A closed journal of one sealed segment, and where each frame ends."""
    with contextlib.closing(open_journal(folder)) as journal:
        ends = [journal.append_blocking(each).offset_bytes for each in drafts]
    return folder / "000000000001.sealed", ends


def change(path: Path, how: Callable[[bytearray], None]) -> bytes:
    data = bytearray(path.read_bytes())
    how(data)
    path.write_bytes(data)
    return bytes(data)


def flip(at: int, bit: int = 0) -> Callable[[bytearray], None]:
    def apply(data: bytearray) -> None:
        data[at] ^= 1 << bit

    return apply


def to_line_break(at: int) -> Callable[[bytearray], None]:
    def apply(data: bytearray) -> None:
        data[at] = ord("\n") if data[at] != ord("\n") else ord("J")

    return apply


@pytest.mark.parametrize("damage", [lambda at: flip(at, at % 8), to_line_break])
def test_a_flipped_bit_anywhere_costs_one_frame_at_most(
    tmp_path: Path, damage: Callable[[int], Callable[[bytearray], None]]
) -> None:
    drafts = [draft() for _ in range(3)]
    path, ends = written(tmp_path / "journal", drafts)
    whole = path.read_bytes()
    for at in range(ends[0] - 40, ends[1] + 40):
        change(path, damage(at))
        pieces = list(recovery.read_pieces(path))
        kept = [piece.data + b"\n" for piece in pieces if piece.kind in ("frame", "salvaged")]
        lines = whole.splitlines(keepends=True)
        hit = sum(end <= at for end in ends)
        if at + 1 in ends:
            assert kept == lines, at
        else:
            assert kept == lines[:hit] + lines[hit + 1 :], at
            aside = b"".join(piece.data for piece in pieces if piece.kind == "damage")
            assert aside == path.read_bytes()[ends[hit] - len(lines[hit]) : ends[hit]]
        assert sum(piece.size_bytes for piece in pieces) == len(whole)
        path.write_bytes(whole)


def test_damage_in_a_sealed_segment_is_put_aside_when_its_events_are_wanted(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    drafts = [draft(2) for _ in range(3)]
    path, ends = written(folder, drafts)
    damaged = change(path, flip(ends[0] + 300))
    with contextlib.closing(open_journal(folder)) as journal:
        (batch,) = journal.sealed()
        assert batch.count == 4
        assert batch.path is not None
        assert batch.path.read_bytes() == damaged[: ends[0]] + damaged[ends[1] :]
        assert numbers_in(journal) == [1, 2, 5, 6]
        (kept,) = journal.status().quarantine
        assert kept.path.name == f"000000000001-{ends[0]}.corrupt"
        assert kept.path.read_bytes() == damaged[ends[0] : ends[1]]
    with contextlib.closing(open_journal(folder)) as journal:
        assert journal.status().quarantine == [kept]
        assert ids_in(journal) == ids_of([drafts[0], drafts[2]])


def test_a_zeroed_sector_costs_the_frames_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    drafts = [draft() for _ in range(10)]
    path, ends = written(folder, drafts)

    def zero(data: bytearray) -> None:
        data[ends[2] + 10 : ends[4] - 10] = bytes(ends[4] - ends[2] - 20)

    change(path, zero)
    with contextlib.closing(open_journal(folder)) as journal:
        assert ids_in(journal) == ids_of(drafts[:3] + drafts[5:])
        assert sum(item.size_bytes for item in journal.status().quarantine) == ends[4] - ends[2]


def test_a_segment_without_a_whole_frame_left_is_an_empty_batch(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    path, _ = written(folder, [draft(3)])
    change(path, flip(100))
    with contextlib.closing(open_journal(folder)) as journal:
        (batch,) = journal.sealed()
        assert (batch.count, batch.path, list(batch.frames()), batch.size_bytes) == (0, None, [], 0)
        journal.release(1)
        assert journal.backlog_bytes == 0


def test_numbers_that_damage_may_have_held_are_not_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    path, ends = written(folder, [draft(2), draft(9)])
    change(path, flip(ends[0] + 8))
    for _ in range(3):
        with contextlib.closing(open_journal(folder)) as journal:
            assert [batch.count for batch in journal.sealed()] == [2]
            assert journal.status().seq_next > 11


def test_a_torn_tail_is_cut_and_counted_and_whole_frames_before_it_stay(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    drafts = [draft() for _ in range(3)]
    path, ends = written(folder, drafts)
    torn = path.rename(path.with_suffix(".open"))
    torn.write_bytes(torn.read_bytes()[: ends[1] + 77])
    with contextlib.closing(open_journal(folder)) as journal:
        assert ids_in(journal) == ids_of(drafts[:2])
        assert (journal.status().torn_bytes, journal.status().quarantine) == (77, [])
        assert path.stat().st_size == ends[1] and not torn.exists()


def test_the_lost_end_of_a_sealed_segment_is_damage(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    path, ends = written(folder, [draft(), draft()])
    path.write_bytes(path.read_bytes()[: ends[0] + 50])
    with contextlib.closing(open_journal(folder)) as journal:
        assert numbers_in(journal) == [1]
        assert [(item.offset_bytes, item.size_bytes) for item in journal.status().quarantine] == [(ends[0], 50)]
        assert journal.status().seq_next > 2


def test_a_frame_hidden_in_parameters_never_comes_to_life(tmp_path: Path) -> None:
    """Not even one whose sum is right for all behind it on the line, when damage brings that line to be searched."""
    forged = (
        b'{"sum":"%b","seq":7,"count":1,"rejected":0,"received_at":"2025-01-01T00:00:00Z","receiver":"r","events":[]}'
    )
    carrier = draft()

    def carried(total: bytes) -> Draft:
        hidden = b'"parameters":{"x":' + forged % total + b"}"
        return msgspec.structs.replace(carrier, events=carrier.events.replace(b'"parameters":{}', hidden))

    line = b"".join(frame.number(frame.prepare(carried(b"0" * 16), b'"r"'), 1))[:-1]
    behind = line.index(b',"seq":7') + 1
    path, ends = written(tmp_path / "journal", [carried(xxh3_64_hexdigest(line[behind:]).encode()), draft()])
    hidden_line = path.read_bytes()[: ends[0] - 1][behind - 26 :]
    assert frame.verify(hidden_line[hidden_line.index(frame.START) :]) == (7, 1, 0)
    for at in (3, 100):
        change(path, flip(at))
        found = [piece.header.seq for piece in recovery.read_pieces(path) if piece.kind in ("frame", "salvaged")]
        assert found == [2]


def test_a_line_made_to_be_slow_is_given_up_in_bounded_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(frame.START * 200_000 + b"\n")
    (piece,) = recovery.read_pieces(path)
    assert piece.kind == "damage"


def test_any_bytes_are_read_without_an_error_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "file"
    dice = random.Random(5)
    for size in (0, 1, 2, 100, 3_000_000):
        data = dice.randbytes(size)
        path.write_bytes(data)
        pieces = list(recovery.read_pieces(path))
        assert b"".join(piece.data for piece in pieces) == data
        assert {piece.kind for piece in pieces} <= {"damage", "torn"}


def test_a_file_that_changes_after_it_was_checked_is_checked_anew(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    drafts = [draft() for _ in range(3)]
    path, ends = written(folder, drafts)
    with contextlib.closing(open_journal(folder)) as journal:
        (batch,) = journal.sealed()
        assert batch.count == 3
        change(path, flip(ends[0] + 99))
        with pytest.raises(WhodidError, match="changed at byte") as changed:
            list(batch.frames())
        assert changed.value.kind.temporary
        assert ids_in(journal) == ids_of([drafts[0], drafts[2]])


def test_a_frame_that_is_none_is_put_aside_and_its_neighbours_are_read(tmp_path: Path) -> None:
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        sent = [draft(), draft(events=b'[{"id":1}]'), draft(events=b"[" * 6000 + b"]" * 6000), draft()]
        for each in sent:
            journal.append_blocking(each)
        journal.seal()
        assert ids_in(journal) == ids_of([sent[0], sent[3]])
        assert [item.segment for item in journal.status().quarantine] == [1, 1]


def test_different_damage_at_the_same_place_is_kept_side_by_side(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path)
    assert quarantine.keep(1, 5, b"one") == quarantine.keep(1, 5, b"one")
    quarantine.keep(1, 5, b"two")
    assert [(item.path.name, item.size_bytes) for item in quarantine.items()] == [
        ("000000000001-5-2.corrupt", 3),
        ("000000000001-5.corrupt", 3),
    ]
