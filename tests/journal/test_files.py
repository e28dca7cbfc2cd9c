"""Writing all of what was given, whatever the kernel takes at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from whodid.journal import files


@pytest.mark.parametrize("takes_bytes", [1, 7, 100_000])
def test_pieces_arrive_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_bytes: int) -> None:
    def some(descriptor: int, pieces: Sequence[bytes]) -> int:
        return os.write(descriptor, b"".join(pieces)[:takes_bytes])

    monkeypatch.setattr(os, "writev", some)
    pieces = [bytes([number % 251]) * (number % 5) for number in range(3_000)]
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        files.write_pieces(file.fileno(), pieces)
    assert path.read_bytes() == b"".join(pieces)


def test_the_kernel_takes_more_pieces_than_it_does_at_once(tmp_path: Path) -> None:
    pieces = [b"%05d" % number for number in range(5_000)]
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        files.write_pieces(file.fileno(), pieces)
    assert path.read_bytes() == b"".join(pieces)
