"""One batch to the server: what its answers mean for the events, and which are tried again."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from whodid.client.line import Batch
from whodid.client.spool import Spool, body_of, lines_of
from whodid.client.stats import Counters
from whodid.client.transport import Answer, Transport

EVENTS_PATH: Final = "/v1/events"


class Verdict(Enum):
    """What is to be done with a batch after a try: nothing more, again soon, or again when somebody has mended it."""

    SETTLED = "settled"
    LATER = "later"
    REFUSED = "refused"


class Outcome(NamedTuple):
    """A verdict, with its reason and the wait that the server asked for."""

    verdict: Verdict
    reason: str = ""
    wait_s: float | None = None


_SETTLED: Final = Outcome(Verdict.SETTLED)

# The request itself is at fault: the same bytes will be refused again, however often they come.
_HOPELESS: Final = frozenset((400, 406, 411, 412, 413, 414, 415, 417, 422, 431))


class Delivery:
    """Posts batches, and accounts for every event of them."""

    def __init__(self, transport: Transport, spool: Spool | None, counters: Counters):
        self._transport = transport
        self._spool = spool
        self._counters = counters

    def deliver(self, batch: Batch, body: bytes) -> Outcome:
        """Try once to have all of a batch settled."""
        return self._post(body, batch.count)

    def _post(self, body: bytes, count: int) -> Outcome:
        try:
            answer = self._transport.post(EVENTS_PATH, body)
        except OSError as error:
            return Outcome(Verdict.LATER, f"{type(error).__name__}: {error}")
        if answer.is_taken or answer.rejected:
            # Events that were refused one by one are kept by the server, each with its reason.
            return self._taken(answer, count)
        if answer.is_temporary:
            return Outcome(Verdict.LATER, answer.reason(), answer.retry_after_s)
        if answer.status == 413 and count > 1:
            return self._halved(body)
        if answer.status in _HOPELESS:
            return self._bury(body, count, answer)
        return Outcome(Verdict.REFUSED, answer.reason(), answer.retry_after_s)

    def _taken(self, answer: Answer, count: int) -> Outcome:
        rejected = answer.rejected
        filtered = _number(answer, "filtered")
        duplicates = _number(answer, "duplicates")
        self._counters.add(
            sent=max(0, count - len(rejected) - filtered - duplicates),
            duplicates=duplicates,
            filtered=filtered,
            rejected=len(rejected),
        )
        if rejected:
            self._counters.report(
                "rejected",
                "The server rejected %d of %d events, and kept them with their reasons. The first: %s",
                len(rejected),
                count,
                rejected[0].get("message"),
            )
        return _SETTLED

    def _halved(self, body: bytes) -> Outcome:
        """Halves are counted as they are taken; should the second wait, both come again, and the ids tell the first."""
        lines, _ = lines_of(body)
        middle = len(lines) // 2
        for half in (lines[:middle], lines[middle:]):
            outcome = self._post(body_of(half), len(half))
            if outcome.verdict is not Verdict.SETTLED:
                return outcome
        return _SETTLED

    def _bury(self, body: bytes, count: int, answer: Answer) -> Outcome:
        path = None
        if self._spool is not None:
            try:
                path = self._spool.bury(body)
            except OSError as error:
                self._counters.report("bury", "Refused events cannot be kept on disk: %s.", error)
        if path is None:
            self._counters.add(dropped=count)
            self._counters.report("dead", "The server refused %d events for good: %s", count, answer.reason())
        else:
            self._counters.add(dead=count)
            self._counters.report(
                "dead",
                "The server refused %d events for good: %s They are kept in %s; mend them and run: whodid import %s",
                count,
                answer.reason(),
                path,
                path,
            )
        return _SETTLED


def _number(answer: Answer, name: str) -> int:
    found = answer.told.get(name)
    return found if isinstance(found, int) and found >= 0 else 0
