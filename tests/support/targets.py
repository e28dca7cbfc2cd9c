"""A target for tests that does as it is told, and an engine whose targets can be watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from whodid.config import Config
from whodid.dispatch.delivery import Form, Part, PartsDelivery
from whodid.dispatch.lines import encode_of
from whodid.dispatch.management import NewTarget
from whodid.dispatch.row import Selection, Shaping
from whodid.dispatch.selection import Selector
from whodid.dispatch.shaping import Shaper
from whodid.dispatch.worker import TargetStatus
from whodid.engine import Engine
from whodid.event import Event, Provenance, new_id
from whodid.journal.base import Draft
from whodid.targets.base import BaseTarget, Context, Delivery, Refusal, Sent, TargetOption

WAIT_S = 20.0
ALL = Selection()
AS_IS = Shaping()


@dataclass
class Other:
    """The other side of a double: what it has, and how it behaves. It outlives the target's instances.

    errors    raised by the next sends, one each.
    refuses   ids that it will never take.
    hangs     a send waits until this is set; None: it does not.
    holds     it keeps the places itself, in one step with the events: exactly once.
    lag       that many deliveries are taken and not durable; an instance that goes forgets them.
    """

    ids: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    paths: list[Path | None] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    hangs: threading.Event | None = None
    holds: bool = False
    lag: int = 0
    slow_s: float = 0.0
    opened: int = 0
    closed: int = 0
    canceled: int = 0
    secrets: list[str | None] = field(default_factory=list)


class DoubleTarget(BaseTarget):
    """Does as its `Other` says; option `other` names it."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("other", None, "name", "the other side"),
        TargetOption("secret", None, "text", "something nobody shall see", secret=True, optional=True),
        TargetOption("count", 3, "events", "a number", kind="whole"),
    )
    EVENTS_MAX: ClassVar[int | None] = 10
    OTHERS: ClassVar[dict[str, Other]] = {}

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self.other = self.OTHERS.setdefault(options["other"], Other())
        self._taken: list[tuple[str, int, list[str], list[bytes]]] = []
        self._durable: dict[str, int] = {}

    def open(self) -> Mapping[str, int]:
        self.other.opened += 1
        self.other.secrets.append(self.options["secret"])
        return dict(self.other.places) if self.other.holds else {}

    def send(self, delivery: Delivery) -> Sent:
        other = self.other
        if other.hangs is not None:
            other.hangs.wait()
        if other.slow_s:
            time.sleep(other.slow_s)
        if other.errors:
            raise other.errors.pop(0)
        labelled = list(delivery.labelled())
        assert len(labelled) == delivery.count
        assert [line for _, _, line in labelled] == list(delivery.lines())
        refused = [Refusal(seq, "invalid", "no") for seq, label, _ in labelled if label.id in other.refuses]
        ids = [label.id for _, label, _ in labelled if label.id not in other.refuses]
        other.sizes.append(len(ids))
        other.paths.append(delivery.path)
        self._taken.append((delivery.receiver, delivery.last, ids, [line for _, _, line in labelled]))
        while len(self._taken) > other.lag:
            self._keep()
        return Sent(len(ids), sum(map(len, delivery.lines())), refused, f"took {len(ids)}")

    def durable(self) -> Mapping[str, int] | None:
        return dict(self._durable) if self.other.lag else None

    def flush(self) -> str:
        while self._taken:
            self._keep()
        return "flushed"

    def close(self) -> None:
        self.other.closed += 1

    def cancel(self) -> None:
        self.other.canceled += 1

    def _keep(self) -> None:
        receiver, last, ids, lines = self._taken.pop(0)
        self._durable[receiver] = last
        self.other.places[receiver] = last
        self.other.ids += ids
        self.other.lines += lines


class WholeTarget(DoubleTarget):
    """The same, handed whole segments."""

    EVENTS_MAX = None


class Watched:
    """An engine with its dispatch running."""

    def __init__(self, data: Path, **options: Any):
        self.data = data
        self._options = {"segment_age_ms_max": 20, "disk_free_bytes_min": 0, **options}
        self.open()

    def open(self, *, dispatch: bool = True) -> None:
        self.engine = Engine.open(Config(data=str(self.data), **self._options))
        self.dispatch = self.engine.dispatch
        if dispatch:
            self.dispatch.dispatcher.start()
        self._is_open = True

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.engine.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def create(self, name: str, *, kind: str = "double", **fields: Any) -> Other:
        """Make a target named `name` whose other side has the same name; returns the other side."""
        options = {"other": name, **fields.pop("options", {})}
        self.dispatch.book.create(NewTarget(name=name, kind=kind, options=options, **fields))
        return DoubleTarget.OTHERS.setdefault(name, Other())

    def post(self, events: int | Sequence[Event] = 1, **fields: Any) -> list[str]:
        """Make events durable as one frame; their ids."""
        made = [event(**fields) for _ in range(events)] if isinstance(events, int) else list(events)
        draft = Draft(
            received_at=datetime.now(UTC),
            events=msgspec.json.encode(made),
            count=len(made),
            key_id="key-1",
            orig_address="10.1.2.3",
        )
        self.engine.journal.append_blocking(draft)
        return [one.id for one in made]

    def status(self, name: str) -> TargetStatus:
        return self.dispatch.dispatcher.status_of(self.dispatch.book.row(name))

    def until(self, name: str, state: str) -> TargetStatus:
        wait_until(lambda: self.status(name).state == state, lambda: self.status(name))
        return self.status(name)

    def settled(self) -> None:
        """Return when everything was offered to every target that runs."""
        self.engine.flush()

        def done() -> bool:
            dispatcher = self.dispatch.dispatcher
            running = [dispatcher.status_of(row) for row in dispatcher.rows().values() if row.running]
            return all(not status.waiting_events and status.state == "running" for status in running)

        wait_until(done, self.dispatch.dispatcher.status)


def event(**fields: Any) -> Event:
    """An event of the usual kind."""
    return Event(**{"id": new_id(), "time": datetime.now(UTC), "type": "query-start", "user": "ada", **fields})


def wait_until(condition: Callable[[], object], otherwise: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.01)


@contextmanager
def watched(data: Path, **options: Any) -> Iterator[Watched]:
    found = Watched(data, **options)
    try:
        yield found
    finally:
        for other in DoubleTarget.OTHERS.values():
            if other.hangs is not None:
                other.hangs.set()
        found.close()


def delivery_of(
    events: Sequence[Event],
    *,
    receiver: str = "receiver-a",
    first: int = 1,
    form: Form | None = None,
    came_as: str = "native",
) -> PartsDelivery:
    """A delivery of these events with ascending numbers from `first`, in the native format unless said otherwise."""
    provenance = Provenance(
        received_at=datetime(2026, 5, 4, 10, tzinfo=UTC), receiver=receiver, orig_address="10.1.2.3", format=came_as
    )
    seqs = range(first, first + len(events))
    parts = [Part(provenance, seqs, [msgspec.json.encode(one) for one in events])]
    return PartsDelivery(receiver, first, seqs[-1], count=len(events), parts=lambda: parts, form=form or form_of())


def form_of(selection: Selection = ALL, shaping: Shaping = AS_IS, format: str = "native", groups: Any = None) -> Form:
    """How events leave, with a fixed key for hashes."""
    shaper = None if shaping.leaves_all else Shaper(shaping, lambda: b"key")
    return Form(Selector(selection, groups), shaper, encode_of(format), native=format == "native")
