"""A segment's file: being written (`000000000001.open`), complete (`.sealed`), or in the store and kept for targets
(`.stored`)."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from xxhash import xxh3_64

from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import crash, direct, frame, recovery
from whodid.journal.arrays import array_of
from whodid.journal.base import Array, Frame
from whodid.journal.quarantine import Quarantine

_log = logging.getLogger(__name__)
_NAME: Final = re.compile(r"(\d{12})\.(open|sealed|stored)")


def open_path(folder: Path, number: int) -> Path:
    return folder / f"{number:012}.open"


def sealed_path(folder: Path, number: int) -> Path:
    return folder / f"{number:012}.sealed"


def stored_path(folder: Path, number: int) -> Path:
    return folder / f"{number:012}.stored"


def numbers(folder: Path, state: str) -> list[int]:
    """The segments of a folder that are `open`, `sealed` or `stored`, ascending."""
    names = (_NAME.fullmatch(path.name) for path in folder.glob(f"*.{state}"))
    return sorted(int(name[1]) for name in names if name)


class Held(NamedTuple):
    """What a commit adds to a segment."""

    size_bytes: int
    frames: int
    events: int
    rejects: int
    seq_next: int


class OpenSegment:
    """The file that commits are appended to. Only the committer's thread uses it.

    `size_bytes` counts what is durable. After an error there may be more than that in the file; `mend` cuts it off,
    and nothing may be appended before.
    """

    def __init__(self, folder: Path, number: int, staging: direct.Staging):
        self.number = number
        self.size_bytes = 0
        self.events = 0
        self._frames = 0
        self._rejects = 0
        self._seq_next: int | None = None
        self._total = xxh3_64()
        self.began_at_s = 0.0
        """Time of the first commit (monotonic)."""
        self.dirty = False
        self.distrusted = False
        """A sync failed: what the kernel says about this file afterwards proves nothing, so no more goes into it."""
        self._folder = folder
        self._path = open_path(folder, number)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, durable.FILE_MODE)
        self._appender = direct.Appender(self._path, self._descriptor, staging)
        try:
            crash.point("journal.after-create")
            durable.sync_folder(folder)
        except OSError:
            self.discard()
            raise

    def append(self, pieces: Sequence[bytes], held: Held) -> None:
        """Make bytes durable, all or none.

        held  what all pieces together are.

        Raises
        ------
        OSError
            Nothing of them counts; see `mend`.
        """
        self.dirty = True
        crash.point("journal.before-write")
        if crash.armed("journal.mid-write"):
            data = b"".join(pieces)
            half = len(data) // 2
            self._write([data[:half]])
            crash.point("journal.mid-write")
            self._write([data[half:]])
        else:
            self._write(pieces)
        crash.point("journal.after-write")
        try:
            durable.sync(self._descriptor)
        except OSError:
            self.distrusted = True
            raise
        crash.point("journal.after-fdatasync")
        self.dirty = False
        if not self.size_bytes:
            self.began_at_s = time.monotonic()
        self.size_bytes += held.size_bytes
        self.events += held.events
        self._frames += held.frames
        self._rejects += held.rejects
        self._seq_next = held.seq_next
        for piece in pieces:
            self._total.update(piece)

    def _write(self, pieces: Sequence[bytes]) -> None:
        durable.write_pieces(self._descriptor, self._appender.append(pieces))

    def told(self) -> recovery.Sum:
        """What is durable in it."""
        survey = recovery.Survey(
            self._frames, self.events, self._rejects, self._seq_next, 0, 0, 0, self.size_bytes, intact=True
        )
        return recovery.Sum(self._total.digest(), survey)

    def mend(self) -> None:
        """Cut the file back to what is durable."""
        if self.dirty:
            os.ftruncate(self._descriptor, self.size_bytes)
            durable.sync(self._descriptor)
            self.dirty = False

    def seal(self) -> bool:
        """Complete the file; False if it held nothing and is gone. May be tried again after an OSError."""
        self.mend()
        if not self.size_bytes:
            self.discard()
            return False
        target = sealed_path(self._folder, self.number)
        crash.point("journal.before-seal-rename")
        if self._path != target:
            self._path.rename(target)
            self._path = target
        crash.point("journal.after-seal-rename")
        durable.sync_folder(self._folder)
        self._close()
        return True

    def discard(self) -> None:
        """Remove a file that holds nothing durable."""
        self._path.unlink(missing_ok=True)
        self._close()

    def abandon(self) -> None:
        """Let go of the file as it is; the next start recovers it."""
        with contextlib.suppress(OSError):
            self._close()

    def _close(self) -> None:
        self._appender.close()
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class SealedSegment:
    """A complete segment on disk: the journal's `Batch`.

    Its bytes are checked once, when somebody first wants its events; what is damaged is put aside then, and the file
    is rewritten without it.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        receiver: str,
        quarantine: Quarantine,
        *,
        size_bytes: int,
        before_repair: Callable[[], None],
        stored: bool = False,
        told: recovery.Sum | None = None,
    ):
        self.receiver = receiver
        self.number = number
        self.size_bytes = size_bytes
        self.sealed_bytes = size_bytes
        """What it took when it was sealed; damage that was taken out since makes it smaller."""
        self.sealed_at_s = time.time()
        """Epoch time since which this process knows it as sealed."""
        self._path = stored_path(folder, number) if stored else sealed_path(folder, number)
        self._quarantine = quarantine
        self._before_repair = before_repair
        self._told = told
        self._held: recovery.Survey | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"SealedSegment({self._path})"

    @property
    def count(self) -> int:
        return self._verified().events

    @property
    def rejects_count(self) -> int:
        return self._verified().rejects

    @property
    def last_seq(self) -> int | None:
        """The running number of its last event, where it was verified already and has one."""
        held = self._held
        return held.seq_next - 1 if held is not None and held.seq_next is not None else None

    @property
    def path(self) -> Path | None:
        """The verified file; None if nothing whole was left in it."""
        self._verified()
        return self._path if self.size_bytes else None

    def frames(self) -> Iterator[Frame]:
        """The frames in order, each verified.

        A frame whose bytes are right but which is none (a draft broke its contract) is put aside like damage.

        Raises
        ------
        WhodidError("internal")
            Temporary: the file was changed since it was checked; the next attempt checks it anew.
        """
        left = self._verified().events
        for piece in recovery.read_pieces(self._path):
            if piece.kind != "frame":
                raise self._changed(f"at byte {piece.offset_bytes}")
            left -= piece.header.events_count
            try:
                read = frame.decode(piece.data)
            except (msgspec.MsgspecError, RecursionError):
                self._quarantine.keep(self.number, piece.offset_bytes, piece.data)
            else:
                yield read
        if left:
            raise self._changed(f"by {left} events")

    def array(self) -> Array | None:
        """See `Batch.array`. Checks the bytes as well if nobody did yet: reading them twice costs as much again."""
        with self._lock:
            told = self._told
        written = array_of(self._path, told=told)
        if written is None:
            return None
        with self._lock:
            if self._held is None and written.survey.whole_bytes == self.size_bytes:
                self._held = written.survey
        return written.array

    def keep(self) -> None:
        """Say in the file's name that the store has it."""
        with self._lock:
            target = self._path.with_suffix(".stored")
            self._path.rename(target)
            self._path = target

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)

    def _changed(self, how: str) -> WhodidError:
        with self._lock:
            self._held = None
        return WhodidError("internal", f"{self._path} changed {how} after it was checked.", "It is checked anew.")

    def _verified(self) -> recovery.Survey:
        with self._lock:
            if self._held is None and not self._is_as_told():
                found = recovery.survey(self._path)
                if self._path.stat().st_size < self.size_bytes:
                    _log.error("%s lost its end: it had %d bytes.", self._path, self.size_bytes)
                if not found.intact:
                    self._before_repair()
                    repair(self._path, self._path, self.number, self._quarantine)
                self.size_bytes = self._path.stat().st_size
                self._held = found
            assert self._held is not None
            return self._held

    def _is_as_told(self) -> bool:
        """Whether all of the file is as this process wrote it, looked at once; else each frame has to be looked at."""
        told, self._told = self._told, None
        if told is None or not recovery.is_of(told, self._path):
            return False
        self._held = told.survey
        return True


def repair(source: Path, target: Path, number: int, quarantine: Quarantine, *, keep_torn: bool = True) -> None:
    """Write the whole frames of `source` to `target` (which may be the same) and put the rest aside.

    keep_torn  False where a torn end cannot have been acknowledged; then it is not worth keeping.
    """
    _log.warning("Rewriting %s without its damaged bytes; they are kept beside it.", target)
    partial = target.with_name(target.name + ".tmp")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, durable.FILE_MODE)
    try:
        for piece in recovery.read_pieces(source):
            if piece.kind in ("frame", "salvaged"):
                durable.write_all(descriptor, piece.data + b"\n")
            elif piece.kind == "damage" or keep_torn:
                quarantine.keep(number, piece.offset_bytes, piece.data)
        durable.sync(descriptor)
    finally:
        os.close(descriptor)
    crash.point("journal.after-quarantine")
    partial.replace(target)
    durable.sync_folder(target.parent)
    crash.point("journal.after-repair")
