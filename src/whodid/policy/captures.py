"""Captures: starting, ending, and which run."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from whodid.directory import Directory
from whodid.directory.database import now
from whodid.directory.settings import Told
from whodid.errors import WhodidError, about
from whodid.event import Entity
from whodid.policy.capture import EVENTS_DEFAULT, EVENTS_MAX, SPAN_MAX, Capture
from whodid.policy.capture_rows import write_row
from whodid.policy.kept import KeptList
from whodid.policy.pattern import is_glob
from whodid.policy.rule import Seen, check_pattern, refuse_unknown
from whodid.policy.rules import subject_of

SETTING: Final = "policy.captures"
RUNNING_MAX: Final = 100
ENDED_KEPT: Final = 200
REASON_MIN: Final = 3


class NewCapture(Struct, kw_only=True, forbid_unknown_fields=True):
    """A capture to start. `user` or `group`, or neither for everyone; at most 7 days."""

    reason: str
    name: str | None = None
    user: str | None = None
    group: str | None = None
    types: list[str] = []
    entities: list[str] = []
    topics: list[str] = []
    duration_s: float = 3600.0
    events_max: int = EVENTS_DEFAULT
    anonymous: bool = False
    accept_unknown: bool = False


class CaptureBook:
    """The captures of a directory. Methods block; `by` is the login of who starts or stops."""

    def __init__(self, directory: Directory):
        self._directory = directory
        self.list = KeptList(directory, SETTING, Capture)

    def start(self, new: NewCapture, *, by: str | None = None, seen: Seen = lambda names: ()) -> Capture:
        """Start a capture.

        Raises
        ------
        WhodidError("invalid")
            No reason, too long, too many events, or a scope that makes no sense.
        WhodidError("not_found"), WhodidError("conflict")
            There is no such user or group; a capture of this name runs already.
        """
        _check(new, seen)
        user, group = subject_of(self._directory, new.user, new.group, accept_unknown=new.accept_unknown)
        kept = self.list.read()
        number = max((each.number for each in kept.items), default=0) + 1
        name = new.name or f"capture-{number}"
        running = [each for each in kept.items if each.is_running]
        if any(each.name == name for each in running):
            raise WhodidError(
                "conflict", f"A capture {name!r} runs already.", "Stop it first, or take another name.", field="name"
            )
        if len(running) >= RUNNING_MAX:
            raise WhodidError("invalid", f"{RUNNING_MAX} captures run already.", "See: whodid policy capture list")
        at = now()
        capture = Capture(
            id=str(uuid.uuid4()),
            name=name,
            number=number,
            reason=new.reason.strip(),
            started_at=at,
            ends_at=at + timedelta(seconds=new.duration_s),
            events_max=new.events_max,
            user=user,
            group=group,
            types=new.types,
            entities=new.entities,
            topics=new.topics,
            anonymous=new.anonymous,
            started_by=by,
        )
        ended = sorted((each for each in kept.items if not each.is_running), key=lambda each: each.number)
        items = [*ended[-ENDED_KEPT:], *running, capture]
        self.list.write(items, kept.version, Told("capture-started", entity(capture), after=told(capture)), by=by)
        write_row(self._directory, capture, 0)
        return capture

    def stop(self, which: str, *, events: int, by: str | None = None) -> Capture:
        """End a capture that runs. Raises not_found, conflict."""
        capture = self.running(which)
        return self.end(capture, "stopped", now(), events=events, by=by)

    def end(self, capture: Capture, why: str, at: datetime, *, events: int, by: str | None = None) -> Capture:
        """Write down that a capture has ended; one that had ended already stays as it is."""
        kept = self.list.read()
        current = next((each for each in kept.items if each.id == capture.id), capture)
        if not current.is_running:
            return current
        ended = msgspec.structs.replace(current, ended_at=at, ended_by=by, ended_why=why, events=events)
        items = [ended if each.id == ended.id else each for each in kept.items]
        self.list.write(items, kept.version, Told("capture-stopped", entity(ended), told(current), told(ended)), by=by)
        write_row(self._directory, ended, events)
        return ended

    def running(self, which: str) -> Capture:
        """The running capture of this name or id. Raises not_found, and conflict for one that has ended."""
        named = [each for each in self.list.read().items if which in (each.name, each.id)]
        for capture in named:
            if capture.is_running:
                return capture
        if named:
            raise WhodidError("conflict", f"The capture {which!r} ended at {named[-1].ended_at:%Y-%m-%d %H:%M} UTC.",
                              "Start another one.")  # fmt: skip
        raise WhodidError("not_found", f"There is no capture {which!r}.", "See: whodid policy capture list")

    def all(self) -> list[Capture]:
        """Captures that run, and the last ones that ended; the latest first."""
        return sorted(self.list.read().items, key=lambda each: each.number, reverse=True)

    def remembered(self) -> Sequence[Capture]:
        """Those that run, as this process knows them."""
        return [each for each in self.list.remembered() if each.is_running]


def told(capture: Capture) -> dict[str, Any]:
    """A capture as plain values."""
    built: dict[str, Any] = msgspec.to_builtins(capture)
    return built


def entity(capture: Capture) -> Entity:
    return Entity(type="capture", id=capture.id, name=capture.name)


def _check(new: NewCapture, seen: Seen) -> None:
    if len(new.reason.strip()) < REASON_MIN:
        raise WhodidError(
            "invalid",
            f"A capture needs a reason, of {REASON_MIN} letters at least.",
            "Say what it is for: --reason 'her view hangs'",
            field="reason",
        )
    if len(new.reason) > 1_000 or not (new.name is None or 1 <= len(new.name) <= 100):
        raise WhodidError(
            "invalid", "Reason or name are too long.", "A reason has 1,000 characters, a name 100.", field="reason"
        )
    if not 1 <= new.duration_s <= SPAN_MAX.total_seconds():
        raise WhodidError(
            "invalid",
            f"It would last {new.duration_s:,.0f} s.",
            "From one second to 7 days: --for 2h",
            field="duration_s",
        )
    if not 1 <= new.events_max <= EVENTS_MAX:
        raise WhodidError(
            "invalid", f"At most {new.events_max:,} events.", f"It goes from 1 to {EVENTS_MAX:,}.", field="events_max"
        )
    for field in ("types", "topics"):
        with about(field):
            for pattern in getattr(new, field):
                check_pattern(pattern)
    for one in new.entities:
        if not one.partition(":")[2] or len(one) > 1_300:
            raise WhodidError(
                "invalid",
                f"{one[:100]!r} names no entity.",
                "Write type:id, or type:* for all of a type.",
                field="entities",
            )
    if not new.accept_unknown:
        with about("types"):
            refuse_unknown([one for one in new.types if not is_glob(one)], "The capture", seen)
