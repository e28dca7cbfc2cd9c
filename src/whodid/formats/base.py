"""The contract of a format: bytes in, events out; events in, bytes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from whodid.event import Event, Rejection

_EVENTS: Final = msgspec.json.Decoder(list[Event])
_HOURS_BEFORE_1970: Final = 24 * datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class Span(Struct, kw_only=True, gc=False):
    """What events are, taken together: how many of each topic, the first and the last time (UTC), and in which hours.

    hours  whole hours since 1970 in which there are events.
    """

    topics: dict[str, int] = {}
    first: datetime | None = None
    last: datetime | None = None
    hours: set[int] = set()

    def add(self, topics: Iterable[str], times: Sequence[datetime]) -> None:
        """Take in more events; at least one."""
        first, last = min(times), max(times)
        hours = {hour_of(first), hour_of(last)}
        if max(hours) - min(hours) > 1:
            hours = set(map(hour_of, times))
        self.merge(Span(topics=dict(Counter(topics)), first=first, last=last, hours=hours))

    def merge(self, other: Span) -> None:
        """Take in what another span holds."""
        for topic, count in other.topics.items():
            self.topics[topic] = self.topics.get(topic, 0) + count
        self.hours |= other.hours
        if other.first is None or other.last is None:
            return
        self.first = other.first if self.first is None else min(self.first, other.first)
        self.last = other.last if self.last is None else max(self.last, other.last)


def hour_of(time: datetime) -> int:
    """Whole hours from 1970 to a time in UTC."""
    return 24 * time.toordinal() + time.hour - _HOURS_BEFORE_1970


class Decoded:
    """What a run of input became.

    `payload` is the JSON array of exactly `events`, in the form that `whodid.journal.base.Draft.events` asks for.
    Reading files is quick because nobody asks for `events` there: `count` and `span` are known without them, and
    `parts` are arrays that together are the payload, for who wants less at a time.

    `ids` are distinct, in any order; they may be given without the events when none of these names a node.
    """

    __slots__ = ("_count", "_events", "_ids", "_parts", "_payload", "_span", "rejects")

    def __init__(
        self,
        *,
        events: list[Event] | None = None,
        payload: bytes | None = None,
        rejects: Sequence[Rejection] = (),
        parts: Sequence[tuple[bytes, int]] | None = None,
        span: Span | None = None,
        ids: Collection[str] | None = None,
        count: int | None = None,
    ):
        if payload is None and parts is None:
            payload = b"[]" if not events else msgspec.json.encode(events)
        self._payload = payload
        self._events = [] if events is None and parts is None and payload == b"[]" else events
        self._ids = ids
        self._parts = parts
        if count is None and parts is not None:
            count = sum(count for _, count in parts)
        elif count is None and ids is not None:
            count = len(ids)
        self._count = count
        self._span = span
        self.rejects = list(rejects)

    @property
    def payload(self) -> bytes:
        if self._payload is None:
            # One copy of what may be megabytes: everything between the arrays' own brackets.
            pieces: list[bytes | memoryview] = []
            for part, count in self._parts or ():
                if count:
                    pieces += (b"," if pieces else b"[", memoryview(part)[1:-1])
            self._payload = b"".join([*pieces, b"]"]) if pieces else b"[]"
        return self._payload

    @property
    def parts(self) -> Sequence[tuple[bytes, int]]:
        """Arrays and how many events each holds, in their order."""
        return self._parts if self._parts is not None else [(self.payload, self.count)]

    @property
    def events(self) -> list[Event]:
        if self._events is None:
            self._events = _EVENTS.decode(self.payload)
        return self._events

    @property
    def ids(self) -> Collection[str]:
        return self._ids if self._ids is not None else [event.id for event in self.events]

    @property
    def may_name_nodes(self) -> bool:
        """Whether it is worth to look which nodes the events are of."""
        return self._events is not None or self._ids is None

    @property
    def count(self) -> int:
        return self._count if self._count is not None else len(self.events)

    @property
    def span(self) -> Span:
        if self._span is None:
            self._span = Span(topics={})
            if self.events:
                self._span.add([event.topic for event in self.events], [event.time for event in self.events])
        return self._span

    def __repr__(self) -> str:
        return f"Decoded(count={self.count}, rejects={len(self.rejects)})"


class Decoder(Protocol):
    """Reads one file or stream of a format, a run of whole lines at a time.

    It may remember what it needs to tell repeated lines apart; `state` and `restore` carry that over a restart.
    """

    name: str

    def decode(self, lines: bytes, *, first_line: int = 1) -> Decoded:
        """Events and rejections of whole lines (the last one may lack its line break). Never raises for bad input."""

    def state(self) -> bytes:
        """What `restore` needs to go on after the lines decoded so far; a few KB at most."""

    def restore(self, state: bytes) -> None: ...


class Encoder(Protocol):
    """Writes events as lines of a format."""

    name: str

    def encode(self, events: Sequence[Event], formats: Sequence[str] = ()) -> bytes:
        """Lines of events. `formats` are what they came in as, one for each; without them all are `native`."""
        ...
