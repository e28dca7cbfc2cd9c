"""What a target refused for good: kept with the reason, as lines of a file, until it is replayed or thrown away."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.errors import WhodidError
from whodid.event import Event, Provenance
from whodid.targets.base import Offered, Refusal
from whodid.typed import decode

NAME: Final = "dead-letters.ndjson"
BYTES_MAX: Final = 1024**3
RECENT_MAX: Final = 20_000

_log = logging.getLogger(__name__)

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


class _Recent:
    """The last keys: what a crash or a new attempt makes a target refuse again lies among them."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def adds(self, key: Key) -> bool:
        """Whether a key is new here."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > RECENT_MAX:
            del self._keys[next(iter(self._keys))]
        return True


class DeadLetters:
    """The dead letters of one target. Safe to use from several threads."""

    def __init__(self, folder: Path):
        self._path = folder / NAME
        self._lock = threading.Lock()
        self._is_whole = False
        self._recent = _Recent()
        self.count = sum(1 for _ in self._letters(self._recent))

    def add(self, refusals: Sequence[Refusal], originals: Iterable[Offered]) -> None:
        """Keep refused events; they are on disk when this returns.

        Raises
        ------
        WhodidError("too_large")
            Permanent: `BYTES_MAX` of them are here; replay or drop them.
        OSError
            They cannot be written; none of them is kept.
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
            fresh = {letter.key: letter for letter in letters if letter.key not in self._recent}
            self._append(list(fresh.values()))
            # Known from here on: what could not be written is refused again, and then has to be.
            for key in fresh:
                self._recent.adds(key)
            self.count += len(fresh)

    def read(self, limit: int | None = None) -> Iterator[DeadLetter]:
        """The oldest `limit` of them, each event once."""
        return islice(self._letters(_Recent()), limit)

    def remove(self, keys: Collection[Key]) -> None:
        """Take these out; what came meanwhile stays."""
        with self._lock:
            left = [letter for letter in self.read() if letter.key not in keys]
            data = b"".join(msgspec.json.encode(letter) + b"\n" for letter in left)
            if data:
                durable.replace(self._path, data)
            else:
                self._path.unlink(missing_ok=True)
            self.count = len(left)
            self._recent = _Recent()
            for letter in left[-RECENT_MAX:]:
                self._recent.adds(letter.key)

    def _letters(self, recent: _Recent) -> Iterator[DeadLetter]:
        for line in self._lines():
            try:
                letter = decode(line, DeadLetter)
            except msgspec.MsgspecError as error:
                _log.error("A line of %s is damaged and passed over: %s", self._path, error)
                continue
            if recent.adds(letter.key):
                yield letter

    def _append(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, durable.FILE_MODE)
        try:
            if not self._is_whole:
                # What stands behind the last whole line is of a process that died in the middle of it.
                os.ftruncate(descriptor, sum(map(len, self._lines())))
                self._is_whole = True
            size = os.fstat(descriptor).st_size
            try:
                durable.write_all(descriptor, b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters))
                durable.sync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        durable.sync_folder(self._path.parent)

    def _lines(self) -> Iterator[bytes]:
        """The whole lines; a torn last one is of a process that died before it could say that it was written."""
        try:
            with self._path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
        except FileNotFoundError:
            return
