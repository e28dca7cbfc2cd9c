"""The contract of a target: deliveries of events in, in order; what became durable on the other side, out.

A class named in `plugins.TARGETS` is made with the target's checked options and a `Context`, opened, given deliveries,
and closed; `BaseTarget` has usual answers for everything but `send`. It raises `WhodidError`: a temporary code makes
dispatch close it, wait (with jitter, at least `retry_after_s`) and begin again behind what was durable, with a new
instance; a permanent one pauses the target with the message as its reason.

All calls come from one thread. A call that takes longer than the target's deadline is given up: `cancel` is called
from another thread, and a new instance takes over while the old call may still run. So a kind that promises exactly
once has to fence: the place in the transaction of the rows, or names that follow from the place and are never
overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from msgspec import Struct

from whodid.event import Event, Provenance

OptionKind = Literal["text", "whole", "number", "flag", "choice", "list", "map"]


class TargetOption(NamedTuple):
    """An option of a kind. Without a default (None) it has to be given, unless it is `optional`.

    kind  text (str), whole (int), number (float), flag (bool), choice (str of `choices`), list (of str), map (str to
          str, in order). A secret is kept encrypted and never shown again.
    """

    name: str
    default: Any
    unit: str
    help: str
    secret: bool = False
    kind: OptionKind = "text"
    choices: tuple[str, ...] = ()
    optional: bool = False


class Label(Struct, kw_only=True, gc=False):
    """What folders, streams and keys are named after, read without the rest of the event."""

    id: str
    time: datetime
    type: str
    level: str = "audit"
    topic: str = "generic"
    routing_key: str | None = None
    session: str | None = None
    user: str | None = None
    status: str | None = None
    node: str | None = None
    node_type: str | None = None


class Offered(NamedTuple):
    """An event as it is to leave: selected and shaped, with what the receiver knew and its number there."""

    seq: int
    event: Event
    provenance: Provenance


class Delivery(Protocol):
    """A run of one receiver's events for one target. Each method may be called again and yields the same."""

    receiver: str
    """Opaque. Test and replayed events come under receivers of their own, so that they move no place."""
    first: int
    last: int
    """Its place: with this delivery everything of the receiver up to `last` is dealt with, selected or not."""

    @property
    def count(self) -> int:
        """Number of events it yields; not 0."""

    @property
    def path(self) -> Path | None:
        """For engines that read JSON themselves: a file of frames (see `journal.base`) that holds these events and
        besides only those of `left_out`, when all are to leave in the native form as they are; else None."""

    @property
    def left_out(self) -> Sequence[int]:
        """The `seq` of events in `path` that are not to leave, ascending."""

    def lines(self) -> Iterator[bytes]:
        """The events as JSON texts in the target's format, without line breaks. The fast way."""

    def labelled(self) -> Iterator[tuple[int, Label, bytes]]:
        """`seq`, label and line of each event; a bit slower."""

    def events(self) -> Iterator[Offered]:
        """The events as types; slower still."""


class Refusal(NamedTuple):
    """An event that the other side will never take: it goes to the dead letters."""

    seq: int
    code: str
    message: str


class Sent(NamedTuple):
    """What a `send` did: events taken over, bytes written there, events refused for good, the answer in words."""

    events: int
    size_bytes: int
    refused: Sequence[Refusal] = ()
    answer: str = ""


class Gather(NamedTuple):
    """Deliveries wait until so much is there, but no longer than that."""

    size_bytes: int
    wait_s: float


class Context(NamedTuple):
    """What a target may know of its surroundings.

    folder    of its own, for working files; made, private, outlives the process.
    receiver  of this process: part of names, so that several processes never use one twice.
    format    of the lines: native, dss-log4j, dss-event-server, ocsf or cloudevents.
    node      name of this machine, for names and headers.
    testing   made for a single marked event or a replay: it ends with `flush` and `close`.
    """

    name: str
    id: str
    folder: Path
    receiver: str
    format: str
    node: str
    testing: bool = False


class Target(Protocol):
    """One target. Its constructor takes `options` and `context`; it raises WhodidError("invalid") for options that make
    no sense, connects to nothing and writes nothing."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]]
    EVENTS_MAX: ClassVar[int | None]
    """Events a delivery has at most; None: whole segments, up to a few hundred thousand events."""
    EXACTLY_ONCE: ClassVar[bool]

    @classmethod
    def writes_alone(cls, options: Mapping[str, Any]) -> Mapping[str, str]:
        """Where no other target of its kind may write, because events would be lost or there twice: a text that is the
        same for all ways to write the place, and the place in words, without secrets."""

    def open(self) -> Mapping[str, int]:
        """Connect. Returns the places the other side holds itself, by receiver (`seq` of the last event that is
        durable there): they count more than dispatch's own; empty when it holds none."""

    def send(self, delivery: Delivery) -> Sent:
        """Take a delivery over, all or (raising) as good as none. What was taken may become durable later."""

    def durable(self) -> Mapping[str, int] | None:
        """By receiver, `last` of the deliveries that are durable on the other side; None: all that were sent."""

    def gathers(self) -> Gather | None:
        """How much shall come together before it is sent; None: what there is goes at once."""

    def tick(self) -> None:
        """Called at least once a second while nothing is sent, and between deliveries: time to close files."""

    def flush(self) -> str:
        """Make everything taken durable. Returns what the other side answered, in words."""

    def close(self) -> None:
        """Let go, without `flush`: what is not durable will be sent again."""

    def cancel(self) -> None:
        """From another thread: break off the call that runs, if that is possible. Must not block."""


class BaseTarget:
    """Usual answers: holds no place, all that was sent is durable."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = ()
    EVENTS_MAX: ClassVar[int | None] = 1_000
    EXACTLY_ONCE: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, Any], context: Context):
        self.options = options
        self.context = context

    @classmethod
    def writes_alone(cls, options: Mapping[str, Any]) -> Mapping[str, str]:
        return {}

    def open(self) -> Mapping[str, int]:
        return {}

    def durable(self) -> Mapping[str, int] | None:
        return None

    def gathers(self) -> Gather | None:
        return None

    def tick(self) -> None:
        return None

    def flush(self) -> str:
        return ""

    def close(self) -> None:
        return None

    def cancel(self) -> None:
        return None
