"""The alerts of a directory, and what looks for them every minute: beside the server, on one of several."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw
from sqlalchemy import delete, select

from whodid.alerts.finding import FINDERS, Finding, Found, Look
from whodid.alerts.firings import Change, Firing, FiringBook
from whodid.alerts.kinds import kind_of, read_options
from whodid.alerts.row import SETTING, AlertFields, NewAlert, Rule, check, rule_of, until_of
from whodid.alerts.telling import json_of, mail_of
from whodid.delivery import mail as mails
from whodid.delivery import webhook as hooks
from whodid.delivery.call import Call
from whodid.delivery.settings import Outlets
from whodid.delivery.worker import Clock, Job
from whodid.directory import Directory, tables
from whodid.directory.due_work import Work, WorkBook
from whodid.directory.settings import Told
from whodid.errors import WhodidError, about
from whodid.event import Entity, Event, new_id
from whodid.schedules.rights import standing_of
from whodid.stores.base import Store
from whodid.stores.stopping import stoppable

KIND: Final = "notice"
LOOK_S: Final = 60
LEASE: Final = "alerts"
LEASE_S: Final = 300.0
KEPT: Final = timedelta(days=90)
# More findings of one look are told as one: who is called two hundred times reads none of it.
FINDINGS_MAX: Final = 20
CLOSE_S: Final = 5.0

_MARKS: Final = tables.alert_marks
_log = logging.getLogger("whodid.alerts")


class Alerts:
    """Makes, changes, shows and looks after rules and their firings. Methods block.

    Parameters
    ----------
    record
        Makes an event durable.
    standing
        How this server stands, as plain values.
    clock
        Tells the time, in UTC.
    public_url
        What links begin with; empty for none.
    """

    kind = KIND

    def __init__(
        self,
        store: Store,
        directory: Directory,
        outlets: Outlets,
        book: WorkBook,
        record: Callable[[Event], None],
        standing: Callable[[], dict[str, Any]],
        clock: Clock,
        public_url: str = "",
    ):
        self._store = store
        self._directory = directory
        self._outlets = outlets
        self._book = book
        self._record = record
        self._standing = standing
        self._clock = clock
        self._public_url = public_url
        self.firings = FiringBook(directory)
        self.job = Job(self._do, self._ended)
        self.counts = {"fired": 0, "ended": 0, "sent": 0, "failed": 0}
        self._usual: dict[Any, Any] = {}
        self._look_at: datetime | None = None
        self._looking: threading.Thread | None = None
        self._stopped = threading.Event()

    # Rules

    def all(self) -> list[Rule]:
        """All rules, by name; from memory."""
        settings = self._directory.snapshot.settings
        return [rule_of(settings[name]) for name in sorted(settings) if name.startswith(SETTING)]

    def get(self, name: str) -> Rule:
        """A rule. Raises WhodidError("not_found")."""
        value = self._directory.setting(SETTING + name)
        if value is None:
            raise WhodidError("not_found", f"There is no alert {name[:100]!r}.", "See: whodid alert list")
        return rule_of(value)

    def create(self, new: NewAlert, *, by: str | None) -> Rule:
        """Make a rule. Raises WhodidError("invalid"), ("not_found"), ("conflict") when the name is taken."""
        at = self._clock()
        rule = Rule(**msgspec.structs.asdict(new), since=at, created_at=at, created_by=by)
        self._check(rule)
        if self._directory.setting(SETTING + rule.name) is not None:
            raise WhodidError(
                "conflict", f"There is an alert {rule.name!r} already.", "Take another name.", field="name"
            )
        self._save(rule, None, "alert-created", by=by)
        return rule

    def change(self, name: str, fields: AlertFields, *, by: str | None) -> Rule:
        """Change what is given. What it has seen stays seen. Raises as `create`."""
        before = self.get(name)
        given = {key: value for key, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
        if "options" in given:
            options = {**before.options, **given["options"]}
            given["options"] = {option: value for option, value in options.items() if value not in (None, "")}
        after = msgspec.structs.replace(before, **given)
        self._check(after)
        self._save(after, before, "alert-changed", by=by)
        return after

    def mute(self, name: str, until: str | None, *, by: str | None) -> Rule:
        """Tell nobody of a rule's findings until then; None: tell again."""
        before = self.get(name)
        at = until_of(until, self._clock()) if until is not None else None
        after = msgspec.structs.replace(before, muted_until=at)
        self._save(after, before, "alert-muted" if at else "alert-unmuted", by=by)
        return after

    def delete(self, name: str, *, by: str | None) -> None:
        """Forget a rule; its firings end."""
        before = self.get(name)
        told = Told("alert-deleted", _entity(before), before=_told(before))
        self._directory.change_setting(SETTING + name, None, by=by, told=told)
        with self._directory.writing() as connection:
            of_rule = (_MARKS.c.rule == name) | _MARKS.c.rule.startswith(f"{name}@", autoescape=True)
            connection.execute(delete(_MARKS).where(of_rule))
        self.firings.forget(name, self._clock())

    def shown(self) -> list[dict[str, Any]]:
        """All rules, when each was looked at last, and what went wrong then."""
        with self._directory.reading() as connection:
            marks = {row.rule: row for row in connection.execute(select(_MARKS))}
        return [self._shown(rule, marks.get(self._place(rule))) for rule in self.all()]

    def shown_one(self, name: str) -> dict[str, Any]:
        """A rule as `shown` has it. Raises WhodidError("not_found")."""
        self.get(name)
        return next(one for one in self.shown() if one["name"] == name)

    def try_out(self, new: NewAlert) -> list[Finding]:
        """What a rule would find at this moment, of the last hour where it tells of events; nobody is told."""
        at = self._clock()
        given = msgspec.structs.asdict(new)
        rule = Rule(**given, since=at - timedelta(hours=1), created_at=at)
        self._check(rule)
        found = self._look(rule, {}, at)
        # The first look at errors only notes which there are.
        return (self._look(rule, found.mark, at) if "known" in found.mark else found).findings

    # Firings

    def mute_firing(self, identifier: str, until: str | None, *, by: str | None) -> Firing:
        """Be quiet about a firing until then; None: no longer. Raises not_found, conflict, invalid."""
        at = until_of(until, self._clock()) if until is not None else None
        _, after = self.firings.mute(identifier, at)
        self._tell("alert-muted" if at else "alert-unmuted", after, by=by, until=at)
        return after

    def resolve(self, identifier: str, *, by: str | None) -> Firing:
        """It is dealt with, and who was told of it is told so. Raises not_found, conflict."""
        at = self._clock()
        stored = self._directory.setting(SETTING + self.firings.get(identifier).rule)
        rule = None if stored is None else rule_of(stored)
        lasting = rule is not None and kind_of(rule.kind).lasting
        before, after = self.firings.resolve(identifier, by=by, at=at, lasting=lasting)
        self._tell("alert-resolved", after, by=by)
        if rule is not None and before.told_at is not None and not (rule.is_muted(at) or before.is_muted(at)):
            with self._directory.writing() as connection:
                self._notify(connection, rule, Change(what="resolved", firing=after), at, 1)
        return after

    # Looking

    def step(self) -> None:
        """Look, if it is time to, in a thread of its own."""
        at = self._clock()
        if (self._look_at is not None and at < self._look_at) or (self._looking and self._looking.is_alive()):
            return
        self._look_at = at + timedelta(seconds=LOOK_S)
        self._looking = threading.Thread(target=self._look_quietly, name="whodid-alerts", daemon=True)
        self._looking.start()

    def look(self) -> None:
        """Look for what the rules name: at this server, and where this one has the say of all at everything else."""
        at = self._clock()
        ours = self._book.hold(LEASE, at=at, hold_s=LEASE_S)
        for rule in self.all():
            if self._stopped.is_set():
                return
            if rule.enabled and (ours or kind_of(rule.kind).each):
                self._look_at_rule(rule, at)

    def leave(self) -> None:
        """Let another server look from here on."""
        self._stopped.set()
        if self._looking is not None:
            self._looking.join(CLOSE_S)
        self._book.leave(LEASE)

    def prune(self) -> None:
        """Forget firings of long ago."""
        self.firings.prune(self._clock() - KEPT)

    def _look_quietly(self) -> None:
        try:
            with stoppable(self._stopped):
                self.look()
        except Exception as error:
            _log.warning("Alerts could not be looked for: %s", error)

    def _look_at_rule(self, rule: Rule, at: datetime) -> None:
        kind = kind_of(rule.kind)
        place = self._place(rule)
        with self._directory.reading() as connection:
            row = connection.execute(select(_MARKS).where(_MARKS.c.rule == place)).first()
        every = read_options(kind, rule.options).get("every_minutes", kind.every_s / 60)
        if row is not None and at < row.checked_at + timedelta(minutes=every) - timedelta(seconds=LOOK_S / 2):
            return
        mark = dict(row.value) if row is not None else {}
        try:
            found = self._look(rule, mark, at)
        except WhodidError as error:
            self._note(place, mark, at, f"{error.message} {error.hint or ''}".strip())
            return
        except Exception:
            _log.exception("The alert %s could not be looked for.", rule.name)
            self._note(place, mark, at, "It could not be looked for; the log tells more.")
            return
        self._keep(rule, place, found, at)

    def _place(self, rule: Rule) -> str:
        """Where the mark of a rule is kept: each server has its own where each looks at itself."""
        return f"{rule.name}@{self._book.owner}" if kind_of(rule.kind).each else rule.name

    def _look(self, rule: Rule, mark: dict[str, Any], at: datetime) -> Found:
        kind = kind_of(rule.kind)
        options = read_options(kind, rule.options)
        owner, standing = self._book.owner, self._standing
        return FINDERS[kind.find](
            Look(self._store, self._directory, owner, standing, self._usual, at, rule, options, mark)
        )

    def _keep(self, rule: Rule, place: str, found: Found, at: datetime) -> None:
        """Findings, what is to be told of them, and the mark, all of it or nothing."""
        kind = kind_of(rule.kind)
        mine = f"@{self._book.owner}" if kind.each else None
        with self._directory.writing() as connection:
            changes = self.firings.note(
                connection, rule, found.findings, lasting=kind.lasting, over=found.over, at=at, mine=mine
            )
            told = 0
            for change in changes:
                if change.what == "fired":
                    self._tell("alert-fired", change.firing)
                elif change.what == "ended":
                    self._tell("alert-ended", change.firing)
                quiet = rule.is_muted(at) or change.firing.is_muted(at)
                if not quiet and told < FINDINGS_MAX:
                    told += 1
                    self._notify(connection, rule, change, at, len(changes))
            self._write_mark(connection, place, found.mark, at, None)
        self.counts["fired"] += sum(change.what == "fired" for change in changes)
        self.counts["ended"] += sum(change.what == "ended" for change in changes)

    def _note(self, place: str, mark: dict[str, Any], at: datetime, problem: str) -> None:
        with self._directory.writing() as connection:
            self._write_mark(connection, place, mark, at, problem[:1_000])

    def _write_mark(self, connection: Any, place: str, mark: dict[str, Any], at: datetime, problem: str | None) -> None:
        values = {"value": mark, "checked_at": at, "problem": problem}
        put = self._directory.insert(_MARKS).values(rule=place, **values)
        connection.execute(put.on_conflict_do_update(index_elements=["rule"], set_=values))

    # Telling

    def _notify(self, connection: Any, rule: Rule, change: Change, at: datetime, of: int) -> None:
        outlets = [("mail", "")] if rule.mail else []
        outlets += [("webhook", name) for name in rule.webhooks]
        for kind, name in outlets:
            given = {"firing": change.firing.id, "what": change.what, "outlet": kind, "webhook": name, "of": of}
            self._book.add(
                KIND, f"{change.firing.id} {change.what} {kind} {name}", at, channel=f"{kind} {name}".strip(),
                given=given, at=at, connection=connection,
            )  # fmt: skip

    def _do(self, work: Work, on_call: Callable[[Call], object]) -> Mapping[str, Any]:
        given = work.given
        firing = self.firings.get(given["firing"])
        rule = self.get(firing.rule)
        at, about, address = self._clock(), rule.description, self._public_url
        key = f"{given['what']}.{work.due:%Y%m%dT%H%M%S}"
        if given["outlet"] == "mail":
            mail = mail_of(firing, given["what"], description=about, address=address, key=key)
            mails.send(self._outlets.mail(), mail, rule.mail, at, on_call=on_call)
            return {"to": ", ".join(rule.mail)}
        hook = self._outlets.webhook(given["webhook"])
        content = json_of(firing, given["what"], description=about, address=address)
        status = hooks.post(hook, content, identifier=f"{firing.id}.{key}", at=at, on_call=on_call)
        return {"to": hook.name, "status": status}

    def _ended(
        self, work: Work, outcome: Mapping[str, Any] | None, error: WhodidError | None, again_at: datetime | None
    ) -> None:
        self.counts["sent" if error is None else "failed"] += 1
        if error is None or again_at is not None:
            return
        told = {"what": work.given["what"], "outlet": work.given["outlet"], "webhook": work.given["webhook"]}
        firing = self.firings.get(work.given["firing"])
        self._tell("alert-not-told", firing, error=error, attempts=work.attempts, **told)

    def _tell(
        self, kind: str, firing: Firing, *, by: str | None = None, error: WhodidError | None = None, **more: Any
    ) -> None:
        told = {
            "firing": firing.id, "severity": firing.severity, "title": firing.title, "fingerprint": firing.fingerprint,
            **more,
        }  # fmt: skip
        self._record(
            Event(
                id=new_id(),
                time=self._clock(),
                type=kind,
                level="audit" if error is None else "warning",
                source="server",
                user=by,
                entities=[Entity(type="alert", id=firing.rule, name=firing.rule)],
                description=firing.message[:1_000],
                error_message=error.message if error is not None else None,
                parameters=Raw(msgspec.json.encode(told)),
            )
        )

    def _check(self, rule: Rule) -> None:
        check(rule)
        for name in rule.webhooks:
            self._outlets.webhook_exists(name)
        options = read_options(kind_of(rule.kind), rule.options)
        for group in options.get("groups", ()):
            with about("groups"):
                self._directory.group_logins(group)
        if options.get("as_user"):
            standing_of(self._directory, options["as_user"])

    def _save(self, rule: Rule, before: Rule | None, kind: str, *, by: str | None) -> None:
        told = Told(kind, _entity(rule), before=_told(before) if before else None, after=_told(rule))
        self._directory.change_setting(SETTING + rule.name, msgspec.to_builtins(rule), by=by, told=told)

    @staticmethod
    def _shown(rule: Rule, mark: Any) -> dict[str, Any]:
        looked = {"checked_at": mark.checked_at, "problem": mark.problem} if mark is not None else {}
        return {**msgspec.to_builtins(rule), "checked_at": None, "problem": None, **looked}


def _entity(rule: Rule) -> Entity:
    return Entity(type="alert", id=rule.name, name=rule.name)


def _told(rule: Rule) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(rule)
    return {name: value for name, value in told.items() if name not in ("created_at", "since")}
