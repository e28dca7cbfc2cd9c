"""The step at the door: which events of a request are kept, and how. Called in the event loop; never waits.

While there is neither a rule nor a capture `Gate.current` is None, and that is all that is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from whodid.event import Event
from whodid.policy.capture import Capture, make_anonymous, mark
from whodid.policy.pattern import PROTECTED_TOPIC, protected
from whodid.policy.plan import Plan, sampled
from whodid.receive.recent import RecentIds

COUNTED_IDS_MAX: Final = 50_000


class Active(NamedTuple):
    """A capture that runs, and the logins it is of; None for everyone."""

    capture: Capture
    logins: frozenset[str] | None

    def is_of(self, user: str | None) -> bool:
        return self.logins is None or user in self.logins


class Compiled(NamedTuple):
    """What counts at this moment: the plan of each user who has one, that of everybody else, and the captures."""

    plans: Mapping[str | None, Plan]
    everyone: Plan | None
    captures: Sequence[Active] = ()

    def plan_of(self, user: str | None) -> Plan | None:
        return self.plans.get(user, self.everyone)


class Dropped(NamedTuple):
    """An event that is not kept, by which rule, and how long it is as JSON."""

    rule_id: str
    event_id: str
    size_bytes: int


class Sifted(NamedTuple):
    """What the gate made of a request.

    kept       events as they are to be kept; `changed` if these are not simply all of them.
    anonymous  events that must not lie beside the sender's key and address.
    captured   how many events each capture took, by its id: taken from what it may have.
    """

    kept: list[Event]
    changed: bool
    dropped: Sequence[Dropped] = ()
    anonymous: Sequence[Event] = ()
    captured: Mapping[str, int] = {}


class Counts(NamedTuple):
    """What was counted since it was asked last: by rule events and bytes, by capture events."""

    filtered: dict[str, tuple[int, int]]
    captured: dict[str, int]


class Gate:
    """Applies what is `current`, and counts."""

    def __init__(self) -> None:
        self.current: Compiled | None = None
        self._counted = RecentIds(COUNTED_IDS_MAX)
        self._lock = threading.Lock()
        self._filtered: dict[str, tuple[int, int]] = {}
        self._captured: dict[str, int] = {}
        self._limits: Mapping[str, int] = {}
        self._taken: dict[str, int] = {}

    def sift(
        self, current: Compiled, events: Sequence[Event], user: str | None, format: str = "native"
    ) -> Sifted | None:
        """What is to be kept of the events of a request; None for all of them as they are.

        user    the login that events without one belong to: that of the key.
        format  what the events came in as.
        """
        if current.captures:
            return self._sift_captured(current, events, user, format)
        plans, everyone = current.plans, current.everyone
        kept: list[Event] = []
        dropped: list[Dropped] = []
        changed = False
        for event in events:
            plan = plans.get(event.user or user, everyone)
            if plan is not None:
                share = plan.shares.get(event.type)
                if share is None:
                    share = plan.share(event.type)
                if share < 1.0 and _is_left_out(event, share):
                    dropped.append(_dropped(plan, event))
                    continue
                if plan.hides and _trim(plan, event, format):
                    changed = True
            kept.append(event)
        if not dropped and not changed:
            return None
        return Sifted(kept, True, dropped)

    def _sift_captured(
        self, current: Compiled, events: Sequence[Event], user: str | None, format: str
    ) -> Sifted | None:
        """The same while captures run."""
        kept: list[Event] = []
        anonymous: list[Event] = []
        dropped: list[Dropped] = []
        captured: dict[str, int] = {}
        changed = False
        at = datetime.now(UTC)
        for event in events:
            who = event.user or user
            plan = current.plan_of(who)
            left_out = plan is not None and (share := plan.share(event.type)) < 1.0 and _is_left_out(event, share)
            capture = self._capture_for(current, event, who, left_out, at, captured)
            if plan is not None and left_out and capture is None:
                dropped.append(_dropped(plan, event))
                continue
            if plan is not None and plan.hides and _trim(plan, event, format):
                changed = True
            if capture is not None:
                captured[capture.id] = captured.get(capture.id, 0) + 1
                if capture.anonymous:
                    make_anonymous(event, format)
                mark(event, capture)
                changed = True
            (anonymous if capture is not None and capture.anonymous else kept).append(event)
        if not dropped and not changed:
            return None
        with self._lock:
            for capture_id, count in captured.items():
                self._taken[capture_id] = self._taken.get(capture_id, 0) + count
        return Sifted(kept, True, dropped, anonymous, captured)

    def _capture_for(
        self,
        current: Compiled,
        event: Event,
        who: str | None,
        left_out: bool,
        at: datetime,
        captured: Mapping[str, int],
    ) -> Capture | None:
        """The first capture that takes an event. What is kept anyway no anonymous capture touches."""
        for capture, logins in current.captures:
            if (
                (logins is None or who in logins)
                and (left_out or not capture.anonymous)
                and at < capture.ends_at
                and self.left(capture.id) > captured.get(capture.id, 0)
                and not (capture.anonymous and is_protected(event))
                and capture.wants(event)
            ):
                return capture
        return None

    def settle(self, sifted: Sifted) -> None:
        """Count a request that was answered: what is kept of it is on disk. One that comes again is counted once."""
        with self._lock:
            for rule_id, event_id, size_bytes in sifted.dropped:
                if event_id not in self._counted:
                    self._counted.add((event_id,))
                    events, total_bytes = self._filtered.get(rule_id, (0, 0))
                    self._filtered[rule_id] = (events + 1, total_bytes + size_bytes)
            for capture_id, count in sifted.captured.items():
                self._captured[capture_id] = self._captured.get(capture_id, 0) + count

    def release(self, sifted: Sifted) -> None:
        """Give back what captures took for a request that failed."""
        with self._lock:
            for capture_id, count in sifted.captured.items():
                self._taken[capture_id] -= count

    def allow(self, limits: Mapping[str, int]) -> None:
        """How many events captures may take here in all, by their ids; others take none."""
        self._limits = limits

    def left(self, capture_id: str) -> int:
        """How many events a capture may still take here."""
        return self._limits.get(capture_id, 0) - self._taken.get(capture_id, 0)

    def take_counts(self) -> Counts:
        """What was counted since the last call."""
        with self._lock:
            counts = Counts(self._filtered, self._captured)
            self._filtered, self._captured = {}, {}
            return counts

    def give_back(self, counts: Counts) -> None:
        """Counts that could not be written down go with the next ones."""
        with self._lock:
            for rule_id, (events, size_bytes) in counts.filtered.items():
                more_events, more_bytes = self._filtered.get(rule_id, (0, 0))
                self._filtered[rule_id] = (events + more_events, size_bytes + more_bytes)
            for capture_id, events in counts.captured.items():
                self._captured[capture_id] = self._captured.get(capture_id, 0) + events


def is_protected(event: Event) -> bool:
    """Whether no policy reaches an event."""
    return event.type in protected() or event.topic == PROTECTED_TOPIC


def _is_left_out(event: Event, share: float) -> bool:
    return event.topic != PROTECTED_TOPIC and (share <= 0.0 or not sampled(event.id, share))


def _trim(plan: Plan, event: Event, format: str) -> bool:
    trimmed = plan.trimmed(event.parameters, format)
    if trimmed is None or is_protected(event):
        return False
    event.parameters = trimmed
    return True


def _dropped(plan: Plan, event: Event) -> Dropped:
    return Dropped(plan.rule.id, event.id, len(msgspec.json.encode(event)))
