"""Trying a target: one marked event, a dry run over what is stored, dead letters once more."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw

from whodid.dispatch import stored
from whodid.dispatch.dead_letters import DeadLetters
from whodid.dispatch.delivery import Form, Part, PartsDelivery, Run, deliveries
from whodid.dispatch.row import TargetRow
from whodid.errors import WhodidError
from whodid.event import Entity, Event, Provenance, new_id
from whodid.reading.times import instant
from whodid.stores.base import Store
from whodid.targets.base import Offered, Refusal, Target

TEST_TYPE: Final = "target-test"
SAMPLE_EVENTS_MAX: Final = 100_000
SAMPLES: Final = 3
REPLAY_MAX: Final = 1_000
T = TypeVar("T")


def test_event(row: TargetRow) -> Offered:
    """An event that says that it is none."""
    at = datetime.now(UTC)
    event = Event(
        id=new_id(),
        time=at,
        type=TEST_TYPE,
        level="info",
        source="server",
        entities=[Entity(type="target", id=row.id, name=row.name)],
        description="A test of the target @target: nothing happened.",
        parameters=Raw(msgspec.json.encode({"test": True, "target": row.name})),
    )
    return Offered(1, event, Provenance(received_at=at, receiver="test"))


def run_test(row: TargetRow, make: Callable[[], Target], form: Form) -> dict[str, Any]:
    """Send one marked event; what the other side answered.

    Raises
    ------
    WhodidError
        What the target raised; "timeout" when it did not answer within the row's deadline.
    """
    began = time.monotonic()
    receiver = f"test-{new_id()}"
    offered = [test_event(row)]
    outcome = within(row.deadline_s, lambda: _send(make, _delivery(receiver, offered, form)))
    return {
        "answer": outcome["answer"],
        "events": outcome["events"],
        "refused": [refusal._asdict() for refusal in outcome["refused"]],
        "event_id": offered[0].event.id,
        "took_ms": round((time.monotonic() - began) * 1000),
    }


def dry_run(store: Store, form: Form, since: str) -> dict[str, Any]:
    """What of the events since a time would go: how many of each type, how many bytes, a few lines."""
    at = instant(since, name="since", now=datetime.now(UTC))
    offered, truncated = stored.sample(store, at, SAMPLE_EVENTS_MAX)
    types: Counter[str] = Counter()
    samples: list[str] = []
    size_bytes = 0
    for delivery in _deliveries(offered, form):
        for _, label, line in delivery.labelled():
            types[label.type] += 1
            size_bytes += len(line)
            if len(samples) < SAMPLES:
                samples.append(line.decode())
    return {
        "since": at.isoformat() + "Z",
        "looked_at": len(offered),
        "truncated": truncated,
        "events": types.total(),
        "bytes": size_bytes,
        "types": dict(types.most_common()),
        "samples": samples,
    }


def replay(
    row: TargetRow, make: Callable[[], Target], form: Form, letters: DeadLetters, limit: int = REPLAY_MAX
) -> dict[str, Any]:
    """Send the oldest dead letters once more, as the target is set by now; those that are taken are no more.

    Raises as the target; then all stay.
    """
    chosen = list(letters.read(limit))
    if not chosen:
        return {"replayed": 0, "refused": 0, "left": 0}
    # Numbers of their own: letters of several receivers may have the same.
    offered = [Offered(number, letter.event, letter.provenance) for number, letter in enumerate(chosen, start=1)]
    receiver = f"replay-{new_id()}"
    outcome = within(row.deadline_s * (1 + len(chosen) // 1000), lambda: _send(make, *_all(receiver, offered, form)))
    refused = {refusal.seq for refusal in outcome["refused"]}
    letters.remove({letter.key for number, letter in enumerate(chosen, start=1) if number not in refused})
    return {"replayed": len(chosen) - len(refused), "refused": len(refused), "left": letters.count}


def within(timeout_s: float, work: Callable[[], T]) -> T:
    """What `work` returns, in a thread that is left to itself when it takes longer.

    Raises
    ------
    WhodidError("timeout")
        Temporary: it took longer.
    """
    outcome: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="whodid-target-trial", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if errors:
        raise errors[0]
    if not outcome:
        raise WhodidError("timeout", f"The target did not answer within {timeout_s:g} s.")
    return outcome[0]


def _send(make: Callable[[], Target], *items: PartsDelivery) -> dict[str, Any]:
    target = make()
    events, answers = 0, []
    refused: list[Refusal] = []
    try:
        target.open()
        for item in items:
            sent = target.send(item)
            events += sent.events
            refused += sent.refused
            answers.append(sent.answer)
        answers.append(target.flush())
    finally:
        target.close()
    return {"events": events, "refused": refused, "answer": next((answer for answer in answers[::-1] if answer), "")}


def _all(receiver: str, offered: Sequence[Offered], form: Form) -> list[PartsDelivery]:
    """Deliveries of a hundred events: what was refused before is best tried in small numbers."""
    return [_delivery(receiver, offered[start : start + 100], form) for start in range(0, len(offered), 100)]


def _delivery(receiver: str, offered: Sequence[Offered], form: Form) -> PartsDelivery:
    parts = _parts(offered)
    return PartsDelivery(receiver, offered[0].seq, offered[-1].seq, count=len(offered), parts=lambda: parts, form=form)


def _deliveries(offered: Sequence[Offered], form: Form) -> list[PartsDelivery]:
    """What is selected of stored events, which may be of several receivers."""
    numbered = [Offered(number, one.event, one.provenance) for number, one in enumerate(offered, start=1)]
    if not numbered:
        return []
    parts = _parts(numbered)
    run = Run(receiver="dry-run", first=1, last=len(numbered), parts=lambda: iter(parts), events=len(numbered))
    return [item for item in deliveries(run, form, 10_000) if isinstance(item, PartsDelivery)]


def _parts(offered: Sequence[Offered]) -> list[Part]:
    return [Part(one.provenance, [one.seq], [msgspec.json.encode(one.event)]) for one in offered]
