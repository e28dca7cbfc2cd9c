"""What a process remembers of the users, sessions and entities it wrote, so that most mentions need no statement."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final, Generic, NamedTuple, TypeVar

KNOWN_MAX: Final = 100_000

# First and last times are written when they move by this much: they are that much out of date at most.
STEP: Final = timedelta(seconds=60)

# The least step there is: for what has to be exact.
EXACT: Final = timedelta(microseconds=1)

Name = TypeVar("Name", bound=Hashable)


class Span(NamedTuple):
    """When something was mentioned, as it is written, and whatever else of it may change (`note`)."""

    first: datetime
    last: datetime
    note: str | None = None

    def covers(self, other: Span, step: timedelta = STEP) -> bool:
        """Whether `other` tells nothing that would be worth writing: it reaches less than `step` further."""
        return (
            self.first - other.first < step
            and other.last - self.last < step
            and (other.note is None or other.note == self.note)
        )

    def joined(self, other: Span) -> Span:
        """Both together; the note of the later one."""
        later = other.note if other.last >= self.last and other.note is not None else self.note
        return Span(min(self.first, other.first), max(self.last, other.last), later or other.note)


class Known(Generic[Name]):
    """Spans by name, bounded: when half of the limit was added, what was not asked for since is forgotten."""

    def __init__(self, count_max: int = KNOWN_MAX):
        self._half = count_max // 2
        self._young: dict[Name, Span] = {}
        self._old: dict[Name, Span] = {}

    def get(self, name: Name) -> Span | None:
        span = self._young.get(name)
        if span is None and (span := self._old.get(name)) is not None:
            self.put(name, span)
        return span

    def put(self, name: Name, span: Span) -> None:
        self._young[name] = span
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}

    def clear(self) -> None:
        self._young, self._old = {}, {}
