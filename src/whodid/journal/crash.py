"""Named places at which the process can be killed on purpose, so that recovery from each is tested.

`WHODID_CRASH_AT="journal.after-write"` kills the process with SIGKILL when it first comes to that point,
`"journal.after-write:3"` when it comes there for the third time. Without the variable a point costs nothing.
"""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import Final

ENV: Final = "WHODID_CRASH_AT"

POINTS: Final[dict[str, str]] = {
    "journal.after-create": "a segment's file was made; its folder entry may not be durable",
    "journal.before-write": "frames are numbered; nothing of them is on disk",
    "journal.mid-write": "the first half of a commit's bytes is written",
    "journal.after-write": "a commit's bytes are written, not yet synced, nobody has heard yes",
    "journal.after-fdatasync": "a commit is durable, nobody has heard yes",
    "journal.before-seal-rename": "a segment is complete and still called .open",
    "journal.after-seal-rename": "a segment is called .sealed; its folder entry may not be durable",
    "journal.before-release": "the store has a batch; the journal does not know that",
    "journal.mid-keep": "the first of the released files is called .stored; the release is not written down",
    "journal.after-release-state": "the release is written down; the segment's file is still there",
    "journal.mid-release": "the first of the released files is gone",
    "journal.after-quarantine": "damaged bytes are kept aside; the segment still holds them too",
    "journal.after-repair": "a segment was rewritten without its damaged bytes",
    "journal.before-recovery-seal": "a segment found open at start was cut at its last whole frame",
}


def register(points: dict[str, str]) -> None:
    """Add points of another part: name and what is true there. A name may be told again, but only with one meaning."""
    for name, meaning in points.items():
        if POINTS.setdefault(name, meaning) != meaning:
            raise ValueError(f"Two meanings of the crash point {name!r}.")


def _armed_from(setting: str) -> tuple[str, int] | None:
    name, _, nth = setting.partition(":")
    return (name, int(nth or 1)) if name else None


_armed = _armed_from(os.environ.get(ENV, ""))
_passed = count(1)


def armed(name: str) -> bool:
    """Whether the process is to die at this point (sooner or later)."""
    return _armed is not None and _armed[0] == name


def point(name: str) -> None:
    """Die here if `WHODID_CRASH_AT` says so."""
    if _armed is None or _armed[0] != name:
        return
    if name not in POINTS:
        raise ValueError(f"The crash point {name!r} is not registered.")
    if next(_passed) == _armed[1]:
        os.kill(os.getpid(), signal.SIGKILL)
