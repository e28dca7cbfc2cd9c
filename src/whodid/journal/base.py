"""The contract of a journal: frames in, durable when `append` returns; batches of them out, in order.

A **frame** is one request's worth of events with their provenance; it is one line of JSON:

    {"sum":"<16 hex>","seq":41,"count":2,"rejected":1,"received_at":"…Z","receiver":"…","format":"native",
     "key_id":"…","orig_address":"…","events":[{…},{…}],"rejects":[{…}]}

`sum` is the XXH3-64 of everything behind it, up to the line's end. `seq` is the running number of the frame's first
event at this receiver; gaps are visible. `events` are the sender's bytes after full validation (see `receive`), so
that an engine which reads JSON can load a segment as it is. `rejects` are `whodid.event.Rejection`s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from whodid.errors import WhodidError
from whodid.event import Event, Provenance, Rejection


class Position(NamedTuple):
    """A place in a receiver's journal: everything before it is durable."""

    segment: int
    offset_bytes: int


Outcome = Position | WhodidError


class Draft(Struct, kw_only=True):
    """A frame before the journal numbers it.

    `events` is the compact JSON array of `count` valid events, without line breaks: strictly what
    `msgspec.json.decode(events, type=list[Event])` accepts, UTF-8, ids canonical and distinct, times in UTC ("Z").
    """

    received_at: datetime
    events: bytes = b"[]"
    count: int = 0
    format: str = "native"
    key_id: str | None = None
    orig_address: str | None = None
    rejects: Sequence[Rejection] = ()


class Frame(Struct, kw_only=True):
    """A frame read back and verified."""

    provenance: Provenance
    seq: int
    events: list[Event]
    rejects: list[Rejection] = []


class Run(NamedTuple):
    """Events of one provenance that follow each other, in an array: behind the element at `place` (from 0) that says
    `{"run": n}` with the number of the run, and with running numbers from `seq` on."""

    place: int
    seq: int
    provenance: Provenance


class Array(NamedTuple):
    """A file with one JSON array of events and of the elements that begin their runs."""

    path: Path
    runs: Sequence[Run]
    events_count: int


class Batch(Protocol):
    """A sealed part of one receiver's journal, taken as a whole: for the files on disk, a segment."""

    @property
    def receiver(self) -> str: ...
    @property
    def number(self) -> int:
        """Position in the receiver's order; batches of one receiver have ascending numbers."""

    @property
    def count(self) -> int:
        """Number of events in it."""

    @property
    def rejects_count(self) -> int:
        """Number of rejections in it."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def path(self) -> Path | None:
        """A verified local file of frames, one a line, for engines that read it themselves; None if there is none."""

    def frames(self) -> Iterator[Frame]:
        """The frames in order, each verified."""

    def array(self) -> Array | None:
        """The events, verified and in order, in a file beside `path`, made for the caller, who removes it.

        None when they come a few in a frame, something is damaged, or there is no room.
        """


@runtime_checkable
class Divisible(Protocol):
    """A batch of which a store may have a part: its bounds are not the same for everybody who takes it."""

    def behind(self, number: int) -> Batch:
        """What of it lies behind `number`, which lies before its end: itself where that is all."""


def behind(batches: Sequence[Batch], number: int) -> list[Batch]:
    """What of batches a store does not have whose position is `number`: for stores, within a write's transaction."""
    return [
        batch.behind(number) if isinstance(batch, Divisible) else batch for batch in batches if batch.number > number
    ]


class Intake(Protocol):
    """Where events become durable before their sender hears "yes"."""

    @property
    def receiver(self) -> str:
        """This receiver's id."""

    @property
    def streams(self) -> Sequence[str]:
        """The names that its events have in the store (`receiver` there), each with running numbers of its own."""

    async def append(self, draft: Draft) -> Position:
        """Make a frame durable: it is on disk (fdatasync, shared with all who wait), or on several brokers' machines,
        when this returns.

        Raises
        ------
        WhodidError("full")
            Temporary: free disk is below the reserve, or a write failed. What of it may be kept in spite of that
            changes nothing when the same ids come again.
        WhodidError("busy")
            Temporary: what waits for the store, or for the brokers, has reached its limit.
        """

    def submit(self, draft: Draft, done: Callable[[Outcome], None]) -> None:
        """`append` without a task, from within an event loop: `done` is called in it with what `append` would return
        or raise. Raises what is clear at once; then `done` is not called."""

    def append_blocking(self, draft: Draft) -> Position:
        """`append` for a thread without an event loop (imports)."""

    def close(self) -> None:
        """Finish what was accepted and let go."""


class Stream(Protocol):
    """Durable batches of one name, in order: what a store's writer works through."""

    @property
    def receiver(self) -> str:
        """The name of its batches in the store."""

    @property
    def released(self) -> int:
        """The number up to which batches were let go of; 0 for none yet."""

    def sealed(self) -> Sequence[Batch]:
        """The batches that are complete, oldest first."""

    def wait_sealed(self, after: int, timeout_s: float) -> Sequence[Batch]:
        """The sealed batches beyond number `after`, as soon as there is one; empty when `timeout_s` has passed."""

    def wake(self) -> None:
        """Whoever is in `wait_sealed` waits no longer."""

    def seal(self) -> int:
        """Seal what is open now, whatever its age; returns the number of the last sealed batch."""

    def release(self, number: int) -> None:
        """Everything up to and including batch `number` is in the store. Its space is free again, unless the journal
        `keeps` it: then those batches are kept for whoever exports them, and count for no backlog, until `drop`."""


class KeptBatches(Protocol):
    """What dispatch sees of a journal: batches that are stored, and kept until every target has them."""

    keeps: bool

    @property
    def receiver(self) -> str:
        """This receiver's id: the first half of every event's `seq`."""

    @property
    def seq_next(self) -> int:
        """The number that the next event gets."""

    def kept(self) -> Sequence[Batch]:
        """The batches that are stored and still kept, oldest first."""

    def wait_kept(self, after: int, timeout_s: float) -> Sequence[Batch]:
        """The kept batches beyond number `after`, as soon as there is one; empty when `timeout_s` has passed."""

    def drop(self, number: int) -> None:
        """Kept batches up to and including `number` are needed no more."""

    def wake(self) -> None:
        """Whoever is in `wait_kept` waits no longer."""


class Journal(Intake, Stream, KeptBatches, Protocol):
    """A journal with one stream, its own."""


@runtime_checkable
class Shared(Intake, KeptBatches, Protocol):
    """A journal with several streams that many processes share: each stream is stored by one of them at a time."""

    def recognise(self, positions: Mapping[str, int]) -> Batch | None:
        """See whether a store with these positions is of this journal.

        Returns  what is to be written first so that the store remembers; None if it does already.
        Raises   WhodidError("conflict")  the store knows another journal, whose positions mean nothing here.
        """

    def begin(
        self, position: Callable[[str], int], took: Callable[[Stream], None], gave: Callable[[Stream], None]
    ) -> None:
        """Take part in storing, unless this process is only to receive.

        position  of a stream in the store.
        took      called with each stream that this process is to store from here on.
        gave      called when another process takes over, or the end has come; what still runs there must not matter.
        """

    def end(self) -> None:
        """Take part in storing no more; others take over at once. What is sent from here on is still made durable."""

    def look(self, positions: Mapping[str, int]) -> None:
        """Learn how far the store is, and how the journal stands."""

    @property
    def lag_s(self) -> float:
        """For how long a stream has waited for the store without any progress."""

    def horizons(self) -> Mapping[str, int]:
        """By stream the running number up to which all of it is stored, as of the last look."""

    def written(self) -> Mapping[str, int]:
        """By stream up to which number this process's own events reach."""
