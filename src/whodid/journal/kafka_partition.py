"""A partition that this process stores: its records gathered into batches, in files that may be lost at any time.

What is durable lies in the topic; the files are there so that memory stays flat and an engine can read them itself.
A batch's number is the offset behind its last record.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from whodid import durable
from whodid.journal import recovery, segment
from whodid.journal.kafka_frames import offset_of
from whodid.journal.quarantine import Quarantine
from whodid.journal.segment import SealedSegment
from whodid.journal.space import Reserve

BUFFER_BYTES: Final = 1024 * 1024
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""More than this is not fetched ahead of the store, for each partition."""


class KafkaBatch(SealedSegment):
    """Some records of a partition as a batch: see `journal.base.Divisible`."""

    def __init__(self, folder: Path, first: int, number: int, receiver: str, quarantine: Quarantine, size_bytes: int):
        super().__init__(folder, number, receiver, quarantine, size_bytes=size_bytes, before_repair=lambda: None)
        self._folder = folder
        self._first = first
        self._rest: Path | None = None

    def behind(self, number: int) -> KafkaBatch:
        if number <= self._first:
            return self
        folder = self._rest = self._folder / f"{self.number}-behind"
        folder.mkdir(exist_ok=True)
        path = segment.sealed_path(folder, self.number)
        with path.open("wb") as file:
            for line, header in recovery.read_frames(self._path):
                if header is not None and offset_of(line) >= number:
                    file.write(line)
                    file.write(b"\n")
        return KafkaBatch(folder, number, self.number, self.receiver, self._quarantine, path.stat().st_size)

    def delete(self) -> None:
        super().delete()
        if self._rest is not None:
            shutil.rmtree(self._rest, ignore_errors=True)


class Partition:
    """The stream of one partition: see `journal.base.Stream`. One thread adds, any thread takes.

    name        of the partition in the store.
    position    offset up to which the store has it.
    next        offset that comes next; records before it are passed over.
    """

    def __init__(
        self,
        number: int,
        name: str,
        folder: Path,
        reserve: Reserve,
        *,
        start: int,
        position: int,
        batch_bytes_max: int,
        batch_age_ms_max: int,
    ):
        self.number = number
        self.receiver = name
        self.next = start
        self.position = position
        self.released = start
        self._folder = folder
        self._reserve = reserve
        self._batch_bytes_max = batch_bytes_max
        self._batch_age_s_max = batch_age_ms_max / 1000
        self._quarantine = Quarantine(folder)
        self._sealed: list[KafkaBatch] = []
        self._sealed_number = 0
        self._lines: list[bytes] = []
        self._buffered_bytes = 0
        self._open_bytes = 0
        self._began_s = 0.0
        self._first = 0
        self._descriptor = -1
        self._changed = threading.Condition()
        self._wakes = 0
        self._closed = False
        _emptied(folder)

    @property
    def waiting_bytes(self) -> int:
        """Bytes in files that wait for the store."""
        return self._open_bytes + sum(batch.sealed_bytes for batch in self.sealed())

    def add(self, line: bytes, offset: int) -> None:
        """Gather a record's line. Raises OSError and WhodidError("full"): then what is open is to be read again."""
        if not self._open_bytes:
            self._began_s = time.monotonic()
            self._first = offset
        self._lines.append(line)
        self._buffered_bytes += len(line)
        self._open_bytes += len(line)
        self.next = offset + 1
        if self._open_bytes >= self._batch_bytes_max or self.next == self.position:
            # What the store has already is a batch of its own, which is only looked through.
            self.seal_open()
        elif self._buffered_bytes >= BUFFER_BYTES:
            self._write()

    def seal_due(self) -> None:
        """Seal what is open when it is old enough. Raises as `add`."""
        if self._open_bytes and time.monotonic() - self._began_s >= self._batch_age_s_max:
            self.seal_open()

    def seal_open(self) -> None:
        """Make a batch of what is open. Raises as `add`."""
        if not self._open_bytes:
            return
        self._write()
        os.close(self._descriptor)
        self._descriptor = -1
        number = self.next
        path = segment.sealed_path(self._folder, number)
        self._open_path.rename(path)
        batch = KafkaBatch(self._folder, self._first, number, self.receiver, self._quarantine, self._open_bytes)
        self._open_bytes = 0
        with self._changed:
            self._sealed.append(batch)
            self._sealed_number = number
            self._changed.notify_all()

    def rewind(self) -> int:
        """Let go of what is open; returns the offset from which it has to be read again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._lines.clear()
        self._buffered_bytes = self._open_bytes = 0
        self.next = max(self._sealed_number, self.released)
        return self.next

    def close(self) -> None:
        """Nobody stores it here any more."""
        self.rewind()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # For whom stores it.

    def sealed(self) -> Sequence[KafkaBatch]:
        with self._changed:
            return list(self._sealed)

    def wait_sealed(self, after: int, timeout_s: float) -> Sequence[KafkaBatch]:
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(
                lambda: self._closed or self._wakes > wakes or self._sealed_number > after, timeout_s
            )
            return [batch for batch in self._sealed if batch.number > after]

    def wake(self) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def seal(self) -> int:
        """The last batch; what is open is sealed by its age, soon."""
        with self._changed:
            return self._sealed_number

    def release(self, number: int) -> None:
        with self._changed:
            gone = [batch for batch in self._sealed if batch.number <= number]
            self._sealed = self._sealed[len(gone) :]
            self.released = max(self.released, number)
        for batch in gone:
            batch.delete()

    @property
    def _open_path(self) -> Path:
        return self._folder / "batch.open"

    def _write(self) -> None:
        if not self._lines:
            return
        data = b"".join(self._lines)
        self._reserve.claim(len(data))
        if self._descriptor < 0:
            self._descriptor = os.open(self._open_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, durable.FILE_MODE)
        durable.write_all(self._descriptor, data)
        self._lines.clear()
        self._buffered_bytes = 0


def _emptied(folder: Path) -> None:
    """Make a folder that holds nothing but what was damaged: the rest comes again out of the topic."""
    folder.mkdir(parents=True, exist_ok=True, mode=durable.FOLDER_MODE)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix not in (".corrupt", ".poison"):
            path.unlink(missing_ok=True)
