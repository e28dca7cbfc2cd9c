"""An open source: its head, its format, and its start, where it is read from again."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from whodid.datasets.opened import HEAD_BYTES, Opened
from whodid.datasets.sources import Source, find
from whodid.errors import WhodidError

LONG = b'{"time":"2026-05-01T10:00:00Z","description":"%b","type":"login"}\n' % (b"x" * 3 * HEAD_BYTES)
SHORT = b'{"type":"logout"}\n'
GARBAGE = b"# written by hand\n"


def file(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    return find([str(path)]).sources[0]


def pipe(data: bytes) -> Source:
    return Source("standard input", None, "", lambda: io.BufferedReader(Trickle(data)))


class Trickle(io.RawIOBase):
    """A pipe: it cannot be sought, and gives a little at a time."""

    def __init__(self, data: bytes):
        self._rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]  # the one kind it is given
        part, self._rest = self._rest[: min(len(room), 1000)], self._rest[min(len(room), 1000) :]
        room[: len(part)] = part
        return len(part)


def read_all(opened: Opened) -> bytes:
    return b"".join(iter(lambda: opened.stream.read(HEAD_BYTES), b""))


@pytest.mark.parametrize(
    ("whole", "lines"),
    [
        (LONG + SHORT, LONG + SHORT),
        (GARBAGE + LONG + SHORT, GARBAGE + LONG + SHORT),
        (LONG.strip(), LONG.strip()),
        (b"[%b,%b]" % (LONG, SHORT), LONG + SHORT),
    ],
    ids=["first", "second", "alone", "array"],
)
@pytest.mark.parametrize("kind", ["plain", "gzip", "pipe"])
def test_a_line_longer_than_the_head_tells_the_format(tmp_path: Path, whole: bytes, lines: bytes, kind: str) -> None:
    if kind == "pipe":
        source = pipe(whole)
    else:
        source = file(tmp_path / "events", whole if kind == "plain" else gzip.compress(whole))
    opened = Opened(source)
    head = opened.head
    assert opened.sniff() == "native"
    assert opened.head == head, "by which a file is known again"
    assert read_all(opened).split() == lines.split()
    opened.close()


def test_what_has_no_format_is_read_from_its_start_all_the_same(tmp_path: Path) -> None:
    opened = Opened(file(tmp_path / "noise", b"n" * 5 * HEAD_BYTES))
    with pytest.raises(WhodidError, match="looks like no format"):
        opened.sniff()
    assert len(read_all(opened)) == 5 * HEAD_BYTES
    opened.close()


def test_an_archive_is_refused_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(SHORT)
    for mode in ("w", "w:gz"):
        with tarfile.open(tmp_path / "audit.log.tar", mode) as archive:
            archive.add(tmp_path / "audit.log", "audit.log")
        with pytest.raises(WhodidError, match=r"audit.log.tar is a tar archive. Unpack it"):
            Opened(find([str(tmp_path / "audit.log.tar")]).sources[0])
