"""Where each imported file stands. A file is known by its content, so that a renamed or compressed one is known again.

Checkpoints only save work: events have ids of their own, so that reading a file twice stores nothing twice.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct

from whodid.datasets.blocks import TAIL_BYTES, Place, digest
from whodid.errors import WhodidError
from whodid.typed import convert

HEAD_BYTES: Final = 1024

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    head_bytes INTEGER NOT NULL,
    head_digest BLOB NOT NULL,
    offset_bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    tail_digest BLOB NOT NULL,
    format TEXT NOT NULL,
    state BLOB NOT NULL,
    complete INTEGER NOT NULL,
    named INTEGER NOT NULL DEFAULT 0,
    saved_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS files_head ON files (head_digest);
CREATE INDEX IF NOT EXISTS files_name ON files (name);
CREATE TABLE IF NOT EXISTS own (id TEXT NOT NULL);
INSERT INTO own SELECT lower(hex(randomblob(16))) WHERE NOT EXISTS (SELECT 1 FROM own);
"""
# Columns that the files of before do not have.
_ADDED: Final = {"named": "ALTER TABLE files ADD COLUMN named INTEGER NOT NULL DEFAULT 0"}
_FIELDS: Final = (
    "id, name, version, head_bytes, head_digest, offset_bytes, lines, tail_digest, format, state, complete, named"
)


class Mark(Struct, kw_only=True):
    """Where one file stands.

    `version` tells a file of the same name from its earlier self without opening it (size and time of change);
    `complete` says that this version was read to its end. Offsets count decompressed bytes. `named` says that the
    format was not told by the file itself: as another one it is unread.
    """

    format: str
    id: int | None = None
    name: str = ""
    version: str = ""
    head_bytes: int = 0
    head_digest: bytes = b""
    offset_bytes: int = 0
    lines: int = 0
    tail_digest: bytes = b""
    state: bytes = b""
    complete: bool = False
    named: bool = False

    def fits(self, stream: BinaryIO) -> Place | None:
        """Pass over what was read of `stream` (at its start); the place then, or None when it is another file."""
        tail_bytes = min(TAIL_BYTES, self.offset_bytes)
        if not pass_over(stream, self.offset_bytes - tail_bytes):
            return None
        tail = read_exactly(stream, tail_bytes)
        if len(tail) < tail_bytes or digest(tail) != self.tail_digest:
            return None
        return Place(offset_bytes=self.offset_bytes, lines=self.lines, tail=tail)


class Checkpoints:
    """The marks of all files imported into one place, in a SQLite file. Safe to use from several threads.

    id  tells these marks from those of any other place.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A checkpoint lost with the power costs a second reading, nothing else.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
            known = {row[1] for row in self._rows("PRAGMA table_info(files)", ())}
            for column in _ADDED.keys() - known:
                self._connection.execute(_ADDED[column])
            self.id: str = self._rows("SELECT id FROM own", ())[0][0]
        except sqlite3.DatabaseError as error:
            raise WhodidError(
                "internal",
                f"{path} cannot be used: {error}.",
                "It only says what was imported: delete it, and files are read again without doubling events.",
            ) from error

    def completed(self, name: str, version: str, format: str | None = None) -> Mark | None:
        """The mark of a file that has not changed since it was read to its end, in a format or in the one it told."""
        as_what = "format = ?" if format is not None else "NOT named"
        values = [name, version, *([format] if format is not None else [])]
        found = self._select(f"name = ? AND version = ? AND complete AND {as_what}", values)
        return found[0] if found else None

    def candidates(self, head: bytes) -> Sequence[Mark]:
        """The marks of files that begin as `head` does (its first `HEAD_BYTES` or all of it), farthest first."""
        lengths = [row[0] for row in self._rows("SELECT DISTINCT head_bytes FROM files", ())]
        heads = [digest(head[:length]) for length in lengths if 0 < length <= len(head)]
        marks = ", ".join("?" * len(heads))
        return self._select(f"head_digest IN ({marks}) ORDER BY offset_bytes DESC", heads)

    def of_name(self, name: str) -> Sequence[Mark]:
        """The marks of files last read under `name`, newest first; without those of which nothing was read yet."""
        return self._select("name = ? AND (complete OR offset_bytes) ORDER BY id DESC", (name,))

    def save(self, mark: Mark) -> None:
        """Keep a mark; gives it its id the first time."""
        values = [getattr(mark, field.strip()) for field in _FIELDS.split(",")]
        places = ", ".join("?" * len(values))
        with (
            self._lock,
            closing(
                self._connection.execute(f"INSERT OR REPLACE INTO files ({_FIELDS}) VALUES ({places})", values)  # noqa: S608
            ) as cursor,
        ):
            mark.id = cursor.lastrowid

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _select(self, where: str, values: Sequence[object]) -> list[Mark]:
        rows = self._rows(f"SELECT {_FIELDS} FROM files WHERE {where}", values)  # noqa: S608
        names = [field.strip() for field in _FIELDS.split(",")]
        return [convert(dict(zip(names, row, strict=True)), Mark, strict=False) for row in rows]

    def _rows(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()


def read_exactly(stream: BinaryIO, size_bytes: int) -> bytes:
    """`size_bytes` of `stream`, fewer only at its end."""
    parts = []
    while size_bytes > 0 and (part := stream.read(size_bytes)):
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def pass_over(stream: BinaryIO, size_bytes: int) -> bool:
    """Leave out the first bytes of a stream, which stands at its start; False when it ends before."""
    if stream.seekable():
        return stream.seek(size_bytes) == size_bytes
    while size_bytes > 0 and (part := stream.read(min(size_bytes, 1024 * 1024))):
        size_bytes -= len(part)
    return size_bytes == 0
