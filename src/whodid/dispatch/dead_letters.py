"""What a target refused for good: kept with the reason, as lines of a file, until it is replayed or thrown away."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.event import Event, Provenance
from whodid.journal import files
from whodid.targets.base import Offered, Refusal

NAME: Final = "dead-letters.ndjson"
BYTES_MAX: Final = 1024**3

Key = tuple[str, int]


class DeadLetter(Struct, kw_only=True):
    """A refused event as it was before it was shaped, so that a replay goes by the target's options of then."""

    at: datetime
    code: str
    message: str
    seq: int
    provenance: Provenance
    event: Event

    @property
    def key(self) -> Key:
        return self.provenance.receiver, self.seq


class DeadLetters:
    """The dead letters of one target. Safe to use from several threads."""

    def __init__(self, folder: Path):
        self._path = folder / NAME
        self._lock = threading.Lock()
        self.count = sum(1 for _ in self.read())

    def add(self, refusals: Sequence[Refusal], originals: Iterable[Offered]) -> None:
        """Keep refused events; they are on disk when this returns.

        Raises
        ------
        WhodidError("too_large")
            Permanent: `BYTES_MAX` of them are here; replay or drop them.
        """
        by_seq = {one.seq: one for one in originals}
        at = datetime.now(UTC)
        letters = [
            DeadLetter(
                at=at,
                code=refusal.code,
                message=refusal.message,
                seq=refusal.seq,
                provenance=by_seq[refusal.seq].provenance,
                event=by_seq[refusal.seq].event,
            )
            for refusal in refusals
        ]
        with self._lock:
            if self._path.exists() and self._path.stat().st_size > BYTES_MAX:
                raise WhodidError(
                    "too_large",
                    f"{self._path} has reached {BYTES_MAX:,} bytes.",
                    "See: whodid target dead-letters; then whodid target replay, with --drop to throw them away.",
                )
            known = self._keys() if self.count else frozenset()
            letters = [letter for letter in letters if letter.key not in known]
            self._append(letters)
            self.count += len(letters)

    def read(self, limit: int | None = None) -> Iterator[DeadLetter]:
        """The oldest `limit` of them, each event once."""
        seen: set[Key] = set()
        for line in self._lines():
            letter = msgspec.json.decode(line, type=DeadLetter)
            if letter.key in seen:
                continue
            if limit is not None and len(seen) >= limit:
                return
            seen.add(letter.key)
            yield letter

    def remove(self, keys: Collection[Key]) -> None:
        """Take these out; what came meanwhile stays."""
        with self._lock:
            left = [letter for letter in self.read() if letter.key not in keys]
            data = b"".join(msgspec.json.encode(letter) + b"\n" for letter in left)
            if data:
                files.replace(self._path, data)
            else:
                self._path.unlink(missing_ok=True)
            self.count = len(left)

    def _keys(self) -> frozenset[Key]:
        return frozenset(letter.key for letter in self.read())

    def _append(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.FILE_MODE)
        try:
            size = os.fstat(descriptor).st_size
            try:
                files.write_all(descriptor, b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters))
                files.sync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        files.sync_folder(self._path.parent)

    def _lines(self) -> Iterator[bytes]:
        """The whole lines; a torn last one is of a process that died before it could say that it was written."""
        try:
            with self._path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
        except FileNotFoundError:
            return
