"""The outbox: what was read and has to reach the collector, on disk, in two lanes.

    OUTBOX/live/000000000007-8000-2.gz       what is being written to the files
    OUTBOX/backlog/000000000008-8000-0.gz    what lay there from before
    OUTBOX/dead/…                            what the collector refused for good

A name tells the number in the order, how many events are in it and how many rejections. The content is the end of a
request's body, packed already (`wire.py`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import crash

Lane = Literal["live", "backlog"]
LANES: Final[tuple[Lane, ...]] = get_args(Lane)
_DEAD: Final = "dead"
_SUFFIX: Final = ".gz"

crash.register(
    {
        "agent.before-keep": "a batch was read; the outbox does not have it",
        "agent.mid-keep": "a batch is in the outbox under its working name",
        "agent.after-keep": "a batch is in the outbox; how far the file was read is not written down",
        "agent.before-send": "a batch is about to be sent",
        "agent.after-answer": "the collector has a batch; the outbox still holds it",
        "agent.after-remove": "a batch is gone from the outbox",
    }
)


class Parcel(NamedTuple):
    """A batch in the outbox."""

    path: Path
    lane: Lane
    number: int
    events: int
    rejects: int
    size_bytes: int


class Waiting(NamedTuple):
    """What a lane holds; `oldest_at` is when its first batch was written (epoch seconds)."""

    batches: int
    events: int
    size_bytes: int
    oldest_at: float | None


class Outbox:
    """Batches in order. Safe to use from several threads; one process has it.

    bytes_max  what it may hold; each lane has half of it, so that neither stands in the other's way.
    """

    def __init__(self, folder: Path, bytes_max: int):
        self._folder = folder
        self._lane_bytes_max = max(1, bytes_max // len(LANES))
        self._changed = threading.Condition()
        self._woken = False
        self._waiting: dict[Lane, deque[Parcel]] = {}
        for lane in LANES:
            (folder / lane).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._waiting[lane] = deque(_found(folder / lane, lane))
        last = [parcels[-1].number for parcels in self._waiting.values() if parcels]
        self._number = max(last, default=0)
        self._held = {lane: sum(each.size_bytes for each in self._waiting[lane]) for lane in LANES}

    def put(self, lane: Lane, body: bytes, events: int, rejects: int) -> Parcel:
        """Keep a batch; it is on disk when this returns.

        Raises
        ------
        WhodidError("full")
            Temporary: the lane holds as much as it may, or the disk is full.
        """
        with self._changed:
            # A batch larger than the limit has to go, too: alone.
            if self._waiting[lane] and self._held[lane] + len(body) > self._lane_bytes_max:
                raise WhodidError(
                    "full",
                    f"The outbox {self._folder} holds {self._held[lane]:,} of {self._lane_bytes_max:,} bytes ({lane}).",
                    "It empties when the collector takes them; --outbox-bytes-max lets it hold more.",
                )
            self._number += 1
            number = self._number
        path = self._folder / lane / f"{number:012d}-{events}-{rejects}{_SUFFIX}"
        crash.point("agent.before-keep")
        _write_whole(path, body)
        crash.point("agent.after-keep")
        parcel = Parcel(path, lane, number, events, rejects, len(body))
        with self._changed:
            self._waiting[lane].append(parcel)
            self._held[lane] += len(body)
            self._changed.notify_all()
        return parcel

    def first(self, lanes: tuple[Lane, ...] = LANES) -> Parcel | None:
        """The next batch to send of these lanes; what is live goes before what is old."""
        with self._changed:
            return next((self._waiting[lane][0] for lane in lanes if self._waiting[lane]), None)

    def remove(self, parcel: Parcel) -> None:
        """The first batch of its lane is done with."""
        with contextlib.suppress(FileNotFoundError):
            parcel.path.unlink()
        crash.point("agent.after-remove")
        self._forget(parcel)

    def bury(self, parcel: Parcel) -> Path:
        """Set the first batch of its lane aside: the collector refuses it for good."""
        folder = self._folder / _DEAD
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Numbers begin anew when the outbox was empty at a start.
        aside = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{parcel.path.name}"
        parcel.path.replace(aside)
        self._forget(parcel)
        return aside

    def waiting(self, lane: Lane) -> Waiting:
        with self._changed:
            parcels = self._waiting[lane]
            oldest = parcels[0].path if parcels else None
            counted = (len(parcels), sum(each.events for each in parcels), self._held[lane])
        oldest_at = None
        if oldest is not None:
            with contextlib.suppress(OSError):
                oldest_at = oldest.stat().st_mtime
        return Waiting(*counted, oldest_at)

    def dead(self) -> int:
        """How many batches were set aside."""
        return len(list((self._folder / _DEAD).glob(f"*{_SUFFIX}")))

    def wait(self, lanes: tuple[Lane, ...], timeout_s: float) -> None:
        """Return when one of the lanes holds something, after `wake`, or after `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._woken or any(self._waiting[lane] for lane in lanes), max(0.0, timeout_s)
            )
            self._woken = False

    def wake(self) -> None:
        """Let whoever is in `wait`, or comes to it next, go on at once."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _forget(self, parcel: Parcel) -> None:
        with self._changed:
            self._waiting[parcel.lane].popleft()
            self._held[parcel.lane] -= parcel.size_bytes
            self._changed.notify_all()


def _found(folder: Path, lane: Lane) -> list[Parcel]:
    for half in folder.glob("*.half"):
        half.unlink()
    parcels = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        number, events, rejects = path.name.removesuffix(_SUFFIX).split("-")
        parcels.append(Parcel(path, lane, int(number), int(events), int(rejects), path.stat().st_size))
    return parcels


def _write_whole(path: Path, body: bytes) -> None:
    half = path.with_suffix(".half")
    try:
        with half.open("wb") as file:
            file.write(body)
            file.flush()
            durable.sync(file.fileno())
        crash.point("agent.mid-keep")
        half.replace(path)
        durable.sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise WhodidError(
            "full",
            f"The outbox {path.parent} cannot be written: {error.strerror}.",
            "Free some space there; the files are read on from where they stand.",
        ) from error


def age_s(at: float | None) -> float:
    """How long ago a time (epoch seconds) was."""
    return max(0.0, time.time() - at) if at is not None else 0.0
