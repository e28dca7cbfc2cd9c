"""The schedules of a directory, and what runs them: beside the server, on one of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import UNSET

from whodid.datasets.connections import Connections
from whodid.delivery.call import Call
from whodid.delivery.settings import Outlets
from whodid.delivery.worker import HOLD_S, Clock, Job, Worker
from whodid.directory import Directory
from whodid.directory.due_work import Work, WorkBook
from whodid.directory.settings import Told
from whodid.errors import WhodidError, about
from whodid.event import Entity, Event, new_id
from whodid.schedules import cron as crons
from whodid.schedules import running
from whodid.schedules.rights import standing_of
from whodid.schedules.row import SETTING, NewSchedule, Schedule, ScheduleFields, checked, schedule_of
from whodid.stores.base import Store

KIND: Final = "schedule"
# What was missed while no server ran is made up for once, if it is not longer ago.
MISSED: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=90)
RUNS_SHOWN: Final = 20


class Schedules:
    """Makes, changes, shows and runs schedules. Methods block.

    Parameters
    ----------
    record
        Makes an event durable.
    clock
        Tells the time, in UTC.
    """

    kind = KIND

    def __init__(
        self,
        store: Store,
        directory: Directory,
        connections: Connections,
        outlets: Outlets,
        book: WorkBook,
        record: Callable[[Event], None],
        clock: Clock,
    ):
        self._directory = directory
        self._book = book
        self._record = record
        self._clock = clock
        self._parts = running.Parts(store, directory, connections, outlets, clock)
        self.job = Job(self._do, self._ended)
        self._worker = Worker(book, {KIND: self.job}, clock)
        self._next: dict[str, tuple[Schedule, datetime]] = {}
        self.counts = {"done": 0, "failed": 0}

    def all(self) -> list[Schedule]:
        """All schedules, by name; from memory."""
        settings = self._directory.snapshot.settings
        return [schedule_of(settings[name]) for name in sorted(settings) if name.startswith(SETTING)]

    def get(self, name: str) -> Schedule:
        """A schedule. Raises WhodidError("not_found")."""
        value = self._directory.setting(SETTING + name)
        if value is None:
            raise WhodidError("not_found", f"There is no schedule {name[:100]!r}.", "See: whodid schedule list")
        return schedule_of(value)

    def draft(self, new: NewSchedule, *, by: str | None, user: str | None) -> Schedule:
        """The schedule that would be made; `user` is whose rights it has unless it says. Raises invalid, not_found."""
        at = self._clock()
        schedule = Schedule(
            name=new.name,
            report=new.report,
            parameters=new.parameters,
            cron=new.cron,
            zone=new.zone,
            to=new.to,
            format=("none" if new.to.mail else "csv") if new.format is UNSET else new.format,
            enabled=new.enabled,
            as_user=user if new.as_user is UNSET else new.as_user,
            description=new.description,
            since=at,
            created_at=at,
            created_by=by,
        )
        return self._checked(schedule)

    def create(self, new: NewSchedule, *, by: str | None, user: str | None) -> Schedule:
        """Make a schedule. Raises as `draft`, and WhodidError("conflict") when the name is taken."""
        schedule = self.draft(new, by=by, user=user)
        self._save(schedule, None, "schedule-created", by=by)
        return schedule

    def change(self, name: str, fields: ScheduleFields, *, by: str | None) -> Schedule:
        """Change what is given. Raises as `draft`."""
        before = self.get(name)
        given = {key: value for key, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
        after = self._checked(msgspec.structs.replace(before, **given, since=self._clock()))
        self._save(after, before, "schedule-changed", by=by)
        return after

    def pause(self, name: str, *, by: str | None) -> Schedule:
        """Let a schedule rest."""
        return self._switch(name, False, "schedule-paused", by)

    def resume(self, name: str, *, by: str | None) -> Schedule:
        """Let it go on, from its next time."""
        return self._switch(name, True, "schedule-resumed", by)

    def delete(self, name: str, *, by: str | None) -> None:
        """Forget a schedule; what it wrote stays."""
        before = self.get(name)
        told = Told("schedule-deleted", _entity(name), before=_told(before))
        self._directory.change_setting(SETTING + name, None, by=by, told=told)
        self._book.forget(KIND, name)

    def shown(self, schedule: Schedule) -> dict[str, Any]:
        """A schedule, when it runs next, and how it ran last."""
        at = self._clock()
        runs = self._book.list(KIND, schedule.name, limit=1)
        upcoming = crons.due_after(schedule.cron, schedule.zone, at) if schedule.enabled else None
        return {**msgspec.to_builtins(schedule), "next": upcoming, "last": run_of(runs[0]) if runs else None}

    def runs(self, name: str, limit: int = RUNS_SHOWN) -> list[dict[str, Any]]:
        """How a schedule ran, the latest first."""
        self.get(name)
        return [run_of(work) for work in self._book.list(KIND, name, limit=limit)]

    def dry_run(self, schedule: Schedule) -> dict[str, Any]:
        """What a run at this moment would deliver."""
        return running.dry_run(self._parts, schedule, self._clock())

    def run_now(self, name: str, *, by: str | None) -> dict[str, Any]:
        """Run a schedule and wait for it; it is tried once. Raises what went wrong."""
        schedule, at = self.get(name), self._clock()
        while not self._book.add(KIND, name, at, channel=_channel(schedule), given={"by": by, "once": True}, at=at):
            at += timedelta(microseconds=1)
        work = self._book.claim_one(KIND, name, at, at=at, hold_s=HOLD_S)
        if work is not None:
            outcome = self._worker.do(work, again=False)
            if isinstance(outcome, WhodidError):
                raise outcome
        done = self._book.get(KIND, name, at)
        return run_of(done) if done is not None else {}

    def step(self) -> None:
        """Note what is due by now. Whoever does so first does it for all servers."""
        at = self._clock()
        for schedule in self.all():
            if not schedule.enabled:
                continue
            known = self._next.get(schedule.name)
            if known is not None and known[0] == schedule and at < known[1]:
                continue
            due = crons.due_until(schedule.cron, schedule.zone, at)
            if due > schedule.since and at - due <= MISSED:
                self._book.add(KIND, schedule.name, due, channel=_channel(schedule), given={}, at=at)
            self._next[schedule.name] = schedule, crons.due_after(schedule.cron, schedule.zone, at)

    def prune(self) -> None:
        """Forget runs of long ago."""
        self._book.prune(self._clock() - KEPT)

    def close(self) -> None:
        self._worker.close()

    def _checked(self, schedule: Schedule) -> Schedule:
        schedule = checked(schedule)
        with about("as_user"):
            standing = standing_of(self._directory, schedule.as_user)
        if schedule.to.connection:
            self._parts.connections.get(schedule.to.connection)
            self._parts.connections.require_use(schedule.to.connection, schedule.as_user, is_admin=standing.is_admin)
        return schedule

    def _switch(self, name: str, enabled: bool, kind: str, by: str | None) -> Schedule:
        before = self.get(name)
        if before.enabled == enabled:
            return before
        after = msgspec.structs.replace(before, enabled=enabled, since=self._clock())
        self._save(after, before, kind, by=by)
        return after

    def _save(self, schedule: Schedule, before: Schedule | None, kind: str, *, by: str | None) -> None:
        told = Told(kind, _entity(schedule.name), before=_told(before) if before else None, after=_told(schedule))
        place = SETTING + schedule.name
        if before is None and self._directory.setting(place) is not None:
            raise WhodidError(
                "conflict", f"There is a schedule {schedule.name!r} already.", "Take another name.", field="name"
            )
        self._directory.change_setting(place, msgspec.to_builtins(schedule), by=by, told=told)

    def _do(self, work: Work, on_call: Callable[[Call], object]) -> Mapping[str, Any]:
        schedule = self.get(work.name)
        if not schedule.enabled and not work.given.get("once"):
            raise WhodidError("conflict", f"{work.name} is paused.", "Resume it: whodid schedule resume NAME")
        return running.run(self._parts, schedule, work.due, on_call)

    def _ended(
        self, work: Work, outcome: Mapping[str, Any] | None, error: WhodidError | None, again_at: datetime | None
    ) -> None:
        schedule = self._directory.setting(SETTING + work.name)
        told: dict[str, Any] = {"due": work.due, "attempt": work.attempts, "took_s": self._took_s(work)}
        if schedule is not None:
            told |= {name: schedule[name] for name in ("report", "parameters", "format", "as_user") if name in schedule}
            told["what"] = f"report {schedule['report']}"
        if error is None:
            self.counts["done"] += 1
            told |= dict(outcome or {})
        else:
            self.counts["failed"] += 1
            told["again_at"] = again_at
        self._record(
            Event(
                id=new_id(),
                time=self._clock(),
                type="report-sent" if error is None else "report-failed",
                level="audit" if error is None else "warning",
                source="server",
                user=work.given.get("by") or (schedule or {}).get("as_user"),
                entities=[_entity(work.name)],
                error_message=error.message if error is not None else None,
                parameters=msgspec.Raw(msgspec.json.encode(told)),
            )
        )

    def _took_s(self, work: Work) -> float | None:
        return (self._clock() - work.started_at).total_seconds() if work.started_at else None


def run_of(work: Work) -> dict[str, Any]:
    """A run as it is shown."""
    return {
        "due": work.due,
        "state": work.state,
        "attempts": work.attempts,
        "started_at": work.started_at,
        "finished_at": work.finished_at,
        "next_attempt_at": work.next_at if work.state == "waiting" and work.attempts else None,
        "by": work.given.get("by"),
        **(work.outcome or {}),
    }


def _channel(schedule: Schedule) -> str:
    """Reports of one kind of destination go one after the other, apart from what alerts tell."""
    return f"report to {schedule.to.connection}" if schedule.to.connection else "report by mail"


def _entity(name: str) -> Entity:
    return Entity(type="schedule", id=name, name=name)


def _told(schedule: Schedule) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(schedule)
    return {name: value for name, value in told.items() if name not in ("created_at", "since")}
