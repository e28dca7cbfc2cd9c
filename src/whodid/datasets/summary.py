"""What an import did, for people and for machines."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from whodid.datasets.decoding import Portion
from whodid.datasets.sinks import Outcome
from whodid.datasets.span import Gap, Span

REJECTS_SHOWN: Final = 20
GAPS_SHOWN: Final = 20


class Rejected(Struct, kw_only=True):
    """A rejection as it is shown; the store keeps it whole."""

    file: str
    line: int | None
    code: str
    message: str


class FileDone(Struct, kw_only=True, omit_defaults=True):
    """What became of one file.

    outcome  `read` from its start, `continued` where the last import ended, `skipped` because it was read already,
             `failed`: `reason` says why, and what was read before stays.
    """

    name: str
    outcome: Literal["read", "continued", "skipped", "failed"]
    format: str | None = None
    events: int = 0
    rejected: int = 0
    reason: str | None = None

    @property
    def told(self) -> str:
        """Its name and the reason, which may begin with the name already."""
        reason = self.reason or ""
        return reason if reason.startswith(self.name) else f"{self.name}: {reason}"


class Summary(Struct, kw_only=True):
    """What an import did.

    events      events read from the files.
    stored      events that were not in the store before.
    duplicates  events that were.
    new_are_told  whether these two are so; a server takes events in, and finds out later which of them it had.
    rejected    pieces of input that are no events; `rejects` are the first of them.
    rejects_kept  whether all of them are kept in the store; an older server takes none from a key that is bound.
    filtered    events that a server's policy left out.
    refused     events that a server did not take, by the reason; it keeps them as rejected.
    gaps        stretches of the span without events, longest first.
    seconds     how long it took, storing included.
    """

    events: int
    stored: int
    duplicates: int
    rejected: int
    rejects_kept: bool
    new_are_told: bool
    filtered: int
    refused: dict[str, int]
    topics: dict[str, int]
    oldest: datetime | None
    newest: datetime | None
    gaps: list[Gap]
    gaps_total: int
    rejects: list[Rejected]
    files: list[FileDone]
    bytes: int
    seconds: float


class Tally:
    """Counts while an import runs."""

    def __init__(self) -> None:
        self.events = 0
        self.rejected = 0
        self.bytes = 0
        self.rejects: list[Rejected] = []
        self._files: dict[str, FileDone] = {}
        self._topics: Counter[str] = Counter()
        self._span = Span()

    def add(self, file: FileDone, portion: Portion) -> None:
        """Count what one block of `file` became."""
        count, span, rejects = portion.count, portion.span, portion.rejects
        self.events += count
        file.events += count
        self._topics.update(span.topics)
        if span.first is not None and span.last is not None:
            self._span.add(span.first, span.last, span.hours)
        self.rejected += len(rejects)
        file.rejected += len(rejects)
        for reject in rejects[: max(0, REJECTS_SHOWN - len(self.rejects))]:
            self.rejects.append(Rejected(file=file.name, line=reject.line, code=reject.code, message=reject.message))

    def end(self, file: FileDone) -> None:
        """A file came to its end, well or badly; one that is read again and again counts once."""
        before = self._files.get(file.name)
        if before is None:
            self._files[file.name] = file
            return
        before.events += file.events
        before.rejected += file.rejected
        before.format = file.format or before.format
        before.reason = file.reason
        if file.outcome != "skipped":
            before.outcome = file.outcome

    def summary(self, outcome: Outcome, seconds: float) -> Summary:
        gaps = self._span.gaps()
        return Summary(
            events=self.events,
            stored=outcome.stored,
            duplicates=outcome.duplicates,
            rejected=self.rejected,
            rejects_kept=outcome.rejects_kept,
            new_are_told=outcome.new_are_told,
            filtered=outcome.filtered,
            refused=dict(outcome.refused),
            topics=dict(self._topics.most_common()),
            oldest=self._span.oldest,
            newest=self._span.newest,
            gaps=gaps[:GAPS_SHOWN],
            gaps_total=len(gaps),
            rejects=self.rejects,
            files=list(self._files.values()),
            bytes=self.bytes,
            seconds=seconds,
        )
