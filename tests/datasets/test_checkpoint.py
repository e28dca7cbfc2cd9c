"""Checkpoints: a file is known again by its content, under any name, however long it has grown."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from whodid.datasets.blocks import TAIL_BYTES, digest
from whodid.datasets.checkpoint import Checkpoints, Mark
from whodid.errors import WhodidError


def mark_of(data: bytes, read_bytes: int, head_bytes: int = 1024, name: str = "audit.log") -> Mark:
    head = data[:head_bytes]
    return Mark(
        format="native",
        name=name,
        head_bytes=len(head),
        head_digest=digest(head),
        offset_bytes=read_bytes,
        lines=data[:read_bytes].count(b"\n"),
        tail_digest=digest(data[:read_bytes][-TAIL_BYTES:]),
        state=b"\x00state",
    )


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "imports" / "files.db")


DATA = b"".join(b"line %d\n" % number for number in range(1000))


def test_a_saved_mark_comes_back_as_it_was(checkpoints: Checkpoints) -> None:
    mark = mark_of(DATA, 4000)
    checkpoints.save(mark)
    assert mark.id is not None
    assert checkpoints.candidates(DATA[:1024]) == [mark]
    assert checkpoints.of_name("audit.log") == [mark]


def test_saving_again_moves_the_same_mark(checkpoints: Checkpoints) -> None:
    mark = mark_of(DATA, 4000)
    checkpoints.save(mark)
    mark.offset_bytes = 5000
    checkpoints.save(mark)
    assert [found.offset_bytes for found in checkpoints.candidates(DATA)] == [5000]


def test_a_file_that_grew_past_its_head_is_known_by_the_shorter_head(checkpoints: Checkpoints) -> None:
    checkpoints.save(mark_of(DATA[:40], 40))
    assert checkpoints.candidates(DATA[:1024])[0].offset_bytes == 40
    assert checkpoints.candidates(DATA[:30]) == []
    assert checkpoints.candidates(b"other" * 300) == []


def test_a_mark_fits_the_file_it_was_made_of_and_passes_over_what_was_read() -> None:
    stream = io.BytesIO(DATA + b"more\n")
    place = mark_of(DATA, len(DATA)).fits(stream)
    assert place is not None
    assert (place.offset_bytes, place.lines, stream.read()) == (len(DATA), 1000, b"more\n")


@pytest.mark.parametrize("other", [DATA[:3000], DATA[:2500] + b"changed" + DATA[2507:], b""])
def test_a_mark_does_not_fit_a_file_that_is_shorter_or_was_rewritten(other: bytes) -> None:
    assert mark_of(DATA, 3200).fits(io.BytesIO(other)) is None


def test_a_file_is_complete_only_in_the_version_that_was_read(checkpoints: Checkpoints) -> None:
    mark = mark_of(DATA, len(DATA))
    mark.version, mark.complete = "100:1", True
    checkpoints.save(mark)
    assert checkpoints.completed("audit.log", "100:1") is not None
    assert checkpoints.completed("audit.log", "100:2") is None
    assert checkpoints.completed("other.log", "100:1") is None


def test_marks_of_before_formats_were_named_are_of_the_format_that_the_file_told(tmp_path: Path) -> None:
    path = tmp_path / "files.db"
    opened = Checkpoints(path)
    mark = mark_of(DATA, len(DATA))
    mark.version, mark.complete = "100:1", True
    opened.save(mark)
    opened.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE files DROP COLUMN named")
    opened = Checkpoints(path)
    assert opened.completed("audit.log", "100:1") is not None
    assert opened.completed("audit.log", "100:1", "other") is None
    opened.close()


def test_a_broken_checkpoint_file_says_that_it_may_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "files.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(WhodidError, match="delete it"):
        Checkpoints(path)
