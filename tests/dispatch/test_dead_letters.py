"""What was refused is kept once, whole, until it is taken or thrown away."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from support.targets import event
from whodid import durable
from whodid.dispatch import dead_letters
from whodid.dispatch.dead_letters import DeadLetters
from whodid.errors import WhodidError
from whodid.event import Provenance
from whodid.targets.base import Offered, Refusal


def refused(*seqs: int) -> tuple[list[Refusal], list[Offered]]:
    at = event().time
    provenance = Provenance(received_at=at, receiver="r")
    return [Refusal(seq, "invalid", f"no {seq}") for seq in seqs], [Offered(seq, event(), provenance) for seq in seqs]


def seqs(letters: DeadLetters) -> list[int]:
    return [letter.seq for letter in letters.read()]


def test_they_are_kept_with_their_reason_and_survive_a_restart(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add(*refused(1, 2))
    letters.add(*refused(5))
    again = DeadLetters(tmp_path)
    assert (seqs(again), again.count) == ([1, 2, 5], 3)
    assert [letter.message for letter in again.read(2)] == ["no 1", "no 2"]
    assert (tmp_path / dead_letters.NAME).stat().st_mode & 0o777 == 0o600


def test_what_is_refused_again_after_a_crash_is_kept_once(tmp_path: Path) -> None:
    DeadLetters(tmp_path).add(*refused(1, 2))
    letters = DeadLetters(tmp_path)
    letters.add(*refused(1, 2, 3))
    assert (seqs(letters), letters.count) == ([1, 2, 3], 3)


def test_a_torn_end_is_no_letter(tmp_path: Path) -> None:
    DeadLetters(tmp_path).add(*refused(1, 2))
    path = tmp_path / dead_letters.NAME
    path.write_bytes(path.read_bytes()[:-20])
    letters = DeadLetters(tmp_path)
    assert (seqs(letters), letters.count) == ([1], 1)


def test_what_came_behind_a_torn_end_is_whole(tmp_path: Path) -> None:
    DeadLetters(tmp_path).add(*refused(1, 2))
    path = tmp_path / dead_letters.NAME
    path.write_bytes(path.read_bytes()[:-20])
    DeadLetters(tmp_path).add(*refused(2, 3))
    assert seqs(DeadLetters(tmp_path)) == [1, 2, 3]


def test_taken_ones_go_and_later_ones_stay(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add(*refused(1, 2, 3))
    chosen = [letter.key for letter in letters.read(2)]
    letters.add(*refused(4))
    letters.remove(chosen)
    assert (seqs(letters), letters.count) == ([3, 4], 2)
    letters.add(*refused(1))
    assert seqs(letters) == [3, 4, 1]
    letters.remove([letter.key for letter in letters.read()])
    assert not (tmp_path / dead_letters.NAME).exists()


def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "BYTES_MAX", 100)
    letters = DeadLetters(tmp_path)
    letters.add(*refused(1))
    with pytest.raises(WhodidError, match="has reached 100 bytes") as caught:
        letters.add(*refused(2))
    assert not caught.value.kind.temporary


def test_what_could_not_be_kept_is_kept_when_it_is_refused_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    letters = DeadLetters(tmp_path)
    letters.add(*refused(1))
    with monkeypatch.context() as patch:
        patch.setattr(durable, "sync", full)
        with pytest.raises(OSError, match="No space"):
            letters.add(*refused(2, 3))
    assert (seqs(letters), letters.count) == ([1], 1)
    letters.add(*refused(1, 2, 3))
    assert (seqs(letters), letters.count) == ([1, 2, 3], 3)
