"""Past the kernel's cache or through it: the same bytes, in the same order, all or nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
from pathlib import Path
from typing import Any

import pytest

from support.journals import draft, ids_in, ids_of, open_journal
from whodid.errors import WhodidError
from whodid.journal import direct
from whodid.journal.base import Draft

BLOCK_BYTES = 4096


def some_drafts() -> list[Draft]:
    """Small and large ones, mixed; some are larger than what is staged at once."""
    sizes = [10, 600_000, 600_001, 20, 30, 5_000_000, 40, 700_000, 50]
    return [draft(parameters={"text": "x" * size}) for size in sizes]


@pytest.mark.parametrize(
    "sizes", [[0], [1], [BLOCK_BYTES], [BLOCK_BYTES - 1, 3], [3_000_000, 1_500_000], [5, 0, 2**21]]
)
def test_blocks_are_written_and_what_is_behind_them_is_left(tmp_path: Path, sizes: list[int]) -> None:
    pieces = [random.Random(size).randbytes(size) for size in sizes]
    path = tmp_path / "file"
    with path.open("wb") as file:
        left = direct.Staging().write(file.fileno(), 0, pieces)
    assert len(left) < BLOCK_BYTES and len(path.read_bytes()) % BLOCK_BYTES == 0
    assert path.read_bytes() + left == b"".join(pieces)


@pytest.mark.parametrize("past_end", [-1, 0, 1, BLOCK_BYTES, 700_001])
@pytest.mark.parametrize("at_once", [1_000_000, 3_000, 4 * 1024**2])
def test_a_file_is_read_to_its_last_byte(tmp_path: Path, past_end: int, at_once: int) -> None:
    path = tmp_path / "file"
    whole = random.Random(7).randbytes(direct.READ_BYTES_MIN + past_end)
    path.write_bytes(whole)
    into = memoryview(bytearray(at_once))
    read = bytearray()
    with direct.open_to_read(path) as file:
        while got := file.readinto(into):
            read += into[:got]
        assert file.readinto(into) == 0
    assert bytes(read) == whole


def test_what_large_and_small_commits_wrote_is_read_as_it_was_sent(tmp_path: Path) -> None:
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        sent = some_drafts()
        ends = [journal.append_blocking(each).offset_bytes for each in sent]
        journal.seal()
        (batch,) = journal.sealed()
        assert batch.path is not None and batch.path.stat().st_size == ends[-1]
        assert ids_in(journal) == ids_of(sent) and journal.status().quarantine == []


def is_direct(call: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a call with these arguments goes past the cache."""
    if call == "pwrite":
        return True
    flags = arguments[1] if call == "open" else fcntl.fcntl(arguments[0], fcntl.F_GETFL)
    return bool(flags & getattr(os, "O_DIRECT", 0))


@pytest.mark.parametrize("call", ["open", "pwrite", "preadv"])
def test_where_the_file_system_refuses_all_goes_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    refused = 0
    real = getattr(os, call)

    def refusing(*arguments: Any, **named: Any) -> Any:
        nonlocal refused
        if is_direct(call, arguments):
            refused += 1
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(*arguments, **named)

    monkeypatch.setattr(os, call, refusing)
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        sent = some_drafts()
        for each in sent:
            journal.append_blocking(each)
        journal.seal()
        (batch,) = journal.sealed()
        array = batch.array()
        assert array is not None and array.events_count == len(sent)
        assert ids_in(journal) == ids_of(sent)
    assert refused or not hasattr(os, "O_DIRECT")


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="nothing goes past the cache of this system")
def test_a_write_that_fails_in_the_middle_leaves_nothing_of_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.pwrite, 0

    def failing(descriptor: int, blocks: memoryview, offset_bytes: int) -> int:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, blocks[: 64 * BLOCK_BYTES], offset_bytes)

    monkeypatch.setattr(os, "pwrite", failing)
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        sent = some_drafts()
        for each in sent:
            journal.append_blocking(each)
        left = 5
        with pytest.raises(WhodidError, match="No space left"):
            journal.append_blocking(draft(parameters={"text": "y" * 5_000_000}))
        sent += some_drafts()
        for each in sent[len(sent) // 2 :]:
            journal.append_blocking(each)
        journal.seal()
        assert ids_in(journal) == ids_of(sent)
        assert all(b"yyy" not in batch.path.read_bytes() for batch in journal.sealed() if batch.path)
