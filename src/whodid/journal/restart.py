"""What an opening journal does with the folder of an earlier process."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final, NamedTuple

from whodid import durable
from whodid.journal import crash, receiver, recovery, segment
from whodid.journal.quarantine import Quarantine

# The shortest event is longer than this, so damaged bytes held at most this many numbers.
_EVENT_BYTES_MIN: Final = 64

_log = logging.getLogger(__name__)


class Recovered(NamedTuple):
    """Sealed and stored segments with their sizes in bytes, ascending; the next numbers; what was cut from torn
    ends."""

    sealed: dict[int, int]
    stored: dict[int, int]
    number_next: int
    seq_next: int
    torn_bytes: int


def recover(folder: Path, known: receiver.Receiver, quarantine: Quarantine) -> Recovered:
    """Finish what was interrupted. May itself be interrupted anywhere and begun again."""
    for leftover in folder.glob("*.tmp"):
        leftover.unlink()
    for state in ("open", "sealed"):
        for number in segment.numbers(folder, state):
            if number <= known.released:
                (folder / f"{number:012}.{state}").unlink()
    found_open = segment.numbers(folder, "open")
    surveys = {number: recovery.survey(segment.open_path(folder, number)) for number in found_open}
    seq_next = _seq_next(folder, known.seq_next, surveys)
    if any(found.damaged_bytes for found in surveys.values()):
        receiver.save(folder, receiver.Receiver(receiver=known.receiver, released=known.released, seq_next=seq_next))
    for number, found in surveys.items():
        _finish(folder, number, found, quarantine)
    sealed = _sizes(folder, "sealed")
    stored = _sizes(folder, "stored")
    number_next = max([known.released, *sealed, *stored, *found_open]) + 1
    return Recovered(sealed, stored, number_next, seq_next, sum(found.torn_bytes for found in surveys.values()))


def _sizes(folder: Path, state: str) -> dict[int, int]:
    return {number: (folder / f"{number:012}.{state}").stat().st_size for number in segment.numbers(folder, state)}


def _seq_next(folder: Path, seq_next: int, surveys: dict[int, recovery.Survey]) -> int:
    """What follows the highest number that may have been used: in the last readable frame, or in damage behind it."""
    lost = 0
    complete = {
        number: folder / f"{number:012}.{state}"
        for state in ("stored", "sealed")
        for number in segment.numbers(folder, state)
    }
    for number in sorted({*surveys, *complete}, reverse=True):
        found = surveys.get(number) or recovery.survey(complete[number])
        lost += found.damaged_bytes_behind
        if number not in surveys:
            lost += found.torn_bytes
        if found.seq_next is not None:
            seq_next = max(seq_next, found.seq_next)
            break
    return seq_next + -(-lost // _EVENT_BYTES_MIN)


def _finish(folder: Path, number: int, found: recovery.Survey, quarantine: Quarantine) -> None:
    """Cut a segment found open at its last whole frame, put damage aside, and seal it."""
    path = segment.open_path(folder, number)
    size = path.stat().st_size
    if found.torn_bytes:
        _log.warning("Cut %d bytes, never acknowledged, from the torn end of %s.", found.torn_bytes, path)
    if found.whole_bytes + found.torn_bytes == size:
        _cut(path, size - found.torn_bytes)
    else:
        segment.repair(path, path, number, quarantine, keep_torn=False)
    crash.point("journal.before-recovery-seal")
    if path.stat().st_size:
        path.rename(segment.sealed_path(folder, number))
    else:
        path.unlink()
    durable.sync_folder(folder)


def _cut(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(descriptor, size)
        durable.sync(descriptor)
    finally:
        os.close(descriptor)
