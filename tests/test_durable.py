"""What is written is written whole, whatever the kernel takes at a time, and is on the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import whodid
from whodid import durable

ROOT = Path(whodid.__file__).parent


@pytest.mark.parametrize("takes_bytes", [1, 7, 100_000])
def test_pieces_arrive_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_bytes: int) -> None:
    def some(descriptor: int, pieces: Sequence[bytes]) -> int:
        return os.write(descriptor, b"".join(pieces)[:takes_bytes])

    monkeypatch.setattr(os, "writev", some)
    pieces = [bytes([number % 251]) * (number % 5) for number in range(3_000)]
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        durable.write_pieces(file.fileno(), pieces)
    assert path.read_bytes() == b"".join(pieces)


def test_the_kernel_takes_more_pieces_than_it_does_at_once(tmp_path: Path) -> None:
    pieces = [b"%05d" % number for number in range(5_000)]
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        durable.write_pieces(file.fileno(), pieces)
    assert path.read_bytes() == b"".join(pieces)


def test_a_file_is_replaced_whole_with_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data, mode in ((b"old" * 1_000, durable.SHARED_MODE), (b"new", durable.FILE_MODE)):
        durable.replace(path, data, mode)
        umask = os.umask(0)
        os.umask(umask)
        assert path.read_bytes() == data and path.stat().st_mode & 0o777 == mode & ~umask
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_where_the_disk_is_full_the_old_content_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    durable.replace(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "sync", full)
    with pytest.raises(OSError, match="No space"):
        durable.replace(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("answer", [None, errno.ENOTSUP, errno.EIO])
def test_on_macos_the_drive_itself_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    asked: list[str] = []

    def control(_descriptor: int, command: int) -> None:
        asked.append(f"control {command}")
        if answer is not None:
            raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: asked.append("fsync"))
    there = runpy.run_path(durable.__file__)
    with (tmp_path / "file").open("wb") as file:
        if answer == errno.EIO:
            with pytest.raises(OSError, match="Input/output"):
                there["sync"](file.fileno())
        else:
            there["sync"](file.fileno())
            there["sync_folder"](tmp_path)
    once = ["control 51", "fsync"] if answer == errno.ENOTSUP else ["control 51"]
    assert asked == (once if answer == errno.EIO else once * 2)


def test_nothing_else_asks_the_system_for_it() -> None:
    """One place knows what each system needs; elsewhere `os.fsync` would stop at a drive's cache on macOS."""
    asking = [path.name for path in ROOT.rglob("*.py") if re.search(r"\bos\.f(data)?sync\b", path.read_text())]
    assert asking == ["durable.py"]
