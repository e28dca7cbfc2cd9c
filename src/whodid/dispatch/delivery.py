"""What a target is handed: runs of events, cut to its size, selected and shaped, decoded no further than it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from whodid.dispatch.lines import Encode, told
from whodid.dispatch.selection import Selector, Sight
from whodid.dispatch.shaping import Shaper
from whodid.event import Event, Provenance
from whodid.targets.base import Label, Offered

DELIVERY_BYTES_MAX: Final = 16 * 1024 * 1024
_SIGHTS: Final = msgspec.json.Decoder(list[Sight])
_LABELS: Final = msgspec.json.Decoder(list[Label])
_EVENT: Final = msgspec.json.Decoder(Event)
_EVENTS: Final = msgspec.json.Decoder(list[Event])


class Part(NamedTuple):
    """Events of one frame, as their JSON texts, with their numbers."""

    provenance: Provenance
    seqs: Sequence[int]
    raws: Sequence[bytes | Raw]


class Run(NamedTuple):
    """What a source has next for a cursor: everything from `first` to `last` of a receiver that is stored.

    parts   yields the events, each time anew; may hold some that lie outside of `first` and `last`.
    path     the file that holds just these frames, when it lies wholly within; None otherwise.
    files    the journal's files that `parts` reads.
    left_out `seq` of events in it that are not stored under it: repeats of others.
    events   how many there are, left out ones included.
    """

    receiver: str
    first: int
    last: int
    parts: Callable[[], Iterator[Part]]
    path: Path | None = None
    left_out: Sequence[int] = ()
    events: int = 0
    files: Sequence[Path] = ()


def joined(runs: Sequence[Run]) -> Run:
    """Runs of one receiver, each right behind the one before, as one."""
    return Run(
        receiver=runs[0].receiver,
        first=runs[0].first,
        last=runs[-1].last,
        parts=lambda: chain.from_iterable(run.parts() for run in runs),
        left_out=[seq for run in runs for seq in run.left_out],
        events=sum(run.events for run in runs),
        files=[path for run in runs for path in run.files],
    )


class Form(NamedTuple):
    """How events leave to one target. `shaper` is None when they leave as they are."""

    selector: Selector
    shaper: Shaper | None
    encode: Encode
    native: bool

    @property
    def is_plain(self) -> bool:
        return self.shaper is None and self.native


class PartsDelivery:
    """See `whodid.targets.base.Delivery`."""

    def __init__(
        self,
        receiver: str,
        first: int,
        last: int,
        *,
        count: int,
        parts: Callable[[], Iterable[Part]],
        form: Form,
        path: Path | None = None,
        left_out: Sequence[int] = (),
    ):
        self.receiver = receiver
        self.first = first
        self.last = last
        self.count = count
        self.path = path
        self.left_out = left_out
        self._parts = parts
        self._form = form

    def lines(self) -> Iterator[bytes]:
        for part in self._parts():
            yield from self._lines(part)

    def labelled(self) -> Iterator[tuple[int, Label, bytes]]:
        for part in self._parts():
            if self._form.shaper is None:
                labels = _LABELS.decode(_array(part.raws))
            else:
                labels = [_label(offered.event) for offered in self._offered(part)]
            yield from zip(part.seqs, labels, self._lines(part), strict=True)

    def events(self) -> Iterator[Offered]:
        for part in self._parts():
            yield from self._offered(part)

    def originals(self, seqs: frozenset[int]) -> Iterator[Offered]:
        """The events of these numbers before they were shaped."""
        for part in self._parts():
            wanted = [(seq, raw) for seq, raw in zip(part.seqs, part.raws, strict=True) if seq in seqs]
            for seq, raw in wanted:
                yield Offered(seq, _EVENT.decode(raw), part.provenance)

    def _lines(self, part: Part) -> list[bytes]:
        if not self._form.is_plain:
            return self._form.encode(self._offered(part))
        end = told(part.provenance)
        return [b"%b%b%d}" % (bytes(raw)[:-1], end, seq) for seq, raw in zip(part.seqs, part.raws, strict=True)]

    def _offered(self, part: Part) -> list[Offered]:
        events = _EVENTS.decode(_array(part.raws))
        offered = [Offered(seq, event, part.provenance) for seq, event in zip(part.seqs, events, strict=True)]
        shaper = self._form.shaper
        return offered if shaper is None else [shaper.shape(one) for one in offered]


def deliveries(run: Run, form: Form, events_max: int | None) -> Iterator[PartsDelivery | int]:
    """The deliveries that a run makes, in order; a number where nothing was selected up to that `seq`."""
    if events_max is not None or run.path is None or not (form.selector.takes_all and form.is_plain):
        yield from _cut(run, form, events_max or max(run.events, 1))
        return
    count = run.events - len(run.left_out)
    if not count:
        yield run.last
        return
    yield PartsDelivery(
        run.receiver,
        run.first,
        run.last,
        count=count,
        parts=lambda: _selected(run, form.selector),
        form=form,
        path=run.path,
        left_out=run.left_out,
    )


def _cut(run: Run, form: Form, events_max: int) -> Iterator[PartsDelivery | int]:
    held: list[Part] = []
    events = size_bytes = 0
    first = run.first

    def made(last: int) -> PartsDelivery:
        parts = list(held)
        return PartsDelivery(run.receiver, first, last, count=events, parts=lambda: parts, form=form)

    for part in _selected(run, form.selector):
        start = 0
        while start < len(part.seqs):
            piece = Part(
                part.provenance,
                part.seqs[start : start + events_max - events],
                part.raws[start : start + events_max - events],
            )
            held.append(piece)
            start += len(piece.seqs)
            events += len(piece.seqs)
            size_bytes += sum(map(len, piece.raws))
            if events >= events_max or size_bytes >= DELIVERY_BYTES_MAX:
                last = piece.seqs[-1]
                yield made(last)
                held, events, size_bytes, first = [], 0, 0, last + 1
    if events:
        yield made(run.last)
    else:
        yield run.last


def _selected(run: Run, selector: Selector) -> Iterator[Part]:
    """The parts of a run without what lies outside of it, is left out, or is not wanted."""
    left_out = frozenset(run.left_out)
    for part in run.parts():
        if not part.seqs:
            continue
        inside = run.first <= part.seqs[0] and part.seqs[-1] <= run.last
        if inside and not left_out and selector.takes_all:
            yield part
            continue
        keep = [run.first <= seq <= run.last and seq not in left_out for seq in part.seqs]
        if not selector.takes_all:
            sights = _SIGHTS.decode(_array(part.raws))
            keep = [kept and selector.takes(sight) for kept, sight in zip(keep, sights, strict=True)]
        if any(keep):
            yield Part(
                part.provenance,
                [seq for seq, kept in zip(part.seqs, keep, strict=True) if kept],
                [raw for raw, kept in zip(part.raws, keep, strict=True) if kept],
            )


def _array(raws: Sequence[bytes | Raw]) -> bytes:
    return b"[" + b",".join(raws) + b"]"


def _label(event: Event) -> Label:
    return Label(**{name: getattr(event, name) for name in Label.__struct_fields__})
