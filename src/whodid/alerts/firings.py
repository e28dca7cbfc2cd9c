"""Firings: what rules found and who has to know, each finding once, as rows that all servers share."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import Connection, Select, delete, insert, select, update

from whodid.alerts.finding import Finding
from whodid.alerts.row import Rule
from whodid.directory import Directory, tables
from whodid.errors import WhodidError

State = Literal["firing", "resolved", "ended"]
FINGERPRINT_MAX: Final = 200
TITLE_MAX: Final = 300
MESSAGE_MAX: Final = 4_000
SHOWN_MAX: Final = 1_000
_ROWS: Final = tables.alert_firings


class Firing(Struct, kw_only=True, frozen=True):
    """A finding that was told of. `findings` is how often it was found; `ended_by` who resolved it, if somebody did.

    One that somebody resolved while it lasts stays resolved until it is over: then the next one is a new firing.
    """

    id: str
    rule: str
    fingerprint: str
    open_key: str | None
    state: State
    severity: str
    title: str
    message: str
    details: dict[str, Any]
    findings: int
    first_at: datetime
    last_at: datetime
    told_at: datetime | None
    muted_until: datetime | None
    ended_at: datetime | None
    ended_by: str | None

    def is_muted(self, at: datetime) -> bool:
        return self.muted_until is not None and at < self.muted_until

    def shown(self, at: datetime) -> dict[str, Any]:
        """As it is shown."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "open_key"}
        return fields | {"state": "muted" if self.state == "firing" and self.is_muted(at) else self.state}


class Change(Struct, kw_only=True, frozen=True):
    """What became of a firing: fired, again (it lasts, and is told again), ended, or resolved by somebody."""

    what: Literal["fired", "again", "ended", "resolved"]
    firing: Firing


class FiringBook:
    """The firings of a directory. Methods block."""

    def __init__(self, directory: Directory):
        self._directory = directory

    def get(self, identifier: str) -> Firing:
        """A firing by its id, or by the beginning of it. Raises WhodidError("not_found"), ("invalid")."""
        text = identifier.lower()
        if not text or any(one not in "0123456789abcdef-" for one in text):
            raise WhodidError("not_found", f"There is no firing {identifier[:50]!r}.", "See: whodid alert firing")
        with self._directory.reading() as connection:
            if len(text) == 36:
                found = _all(connection, select(_ROWS).where(_ROWS.c.id == text))
            else:
                latest = select(_ROWS).order_by(_ROWS.c.last_at.desc()).limit(SHOWN_MAX)
                found = [one for one in _all(connection, latest) if one.id.startswith(text)]
        if len(found) > 1:
            raise WhodidError("invalid", f"{identifier[:50]!r} begins more than one firing.", "Give more of its id.")
        if not found:
            raise WhodidError("not_found", f"There is no firing {identifier[:50]!r}.", "See: whodid alert firing")
        return found[0]

    def found(self, *, rule: str | None = None, all: bool = False, limit: int = 100) -> list[Firing]:
        """Firings that go on, or all; the latest first."""
        wanted = select(_ROWS).order_by(_ROWS.c.last_at.desc(), _ROWS.c.id).limit(limit)
        if rule is not None:
            wanted = wanted.where(_ROWS.c.rule == rule)
        if not all:
            wanted = wanted.where(_ROWS.c.state == "firing")
        with self._directory.reading() as connection:
            return _all(connection, wanted)

    def note(
        self,
        connection: Connection,
        rule: Rule,
        findings: Iterable[Finding],
        *,
        lasting: bool,
        over: Iterable[str],
        at: datetime,
        mine: str | None,
    ) -> list[Change]:
        """Write findings down within a transaction; what has to be told of.

        lasting  what is not found any more is over.
        over     what is over besides.
        mine     only firings whose fingerprint ends so are looked after: those of this server.
        """
        open_ones = {
            one.fingerprint: one
            for one in _all(connection, select(_ROWS).where(_ROWS.c.rule == rule.name, _ROWS.c.open_key.is_not(None)))
            if mine is None or one.fingerprint.endswith(mine)
        }
        changes = []
        found = {fingerprint_of(one.fingerprint): one for one in findings}
        for fingerprint, finding in found.items():
            before = open_ones.get(fingerprint)
            change = self._begin(connection, rule, fingerprint, finding, at) if before is None else None
            changes.append(change or self._go_on(connection, rule, before, finding, at))
        ended = [one for one in open_ones if lasting and one not in found]
        ended += [one for one in map(fingerprint_of, over) if one in open_ones and one not in ended]
        changes += [self._end(connection, open_ones[one], at) for one in ended]
        return [change for change in changes if change is not None]

    def mute(self, identifier: str, until: datetime | None) -> tuple[Firing, Firing]:
        """Be quiet about a firing until then; None: no longer. Before and after. Raises not_found, conflict."""
        before = self.get(identifier)
        if before.state != "firing":
            raise WhodidError("conflict", f"This firing is {before.state} already.", "See: whodid alert firing")
        return before, self._change(before, {"muted_until": until})

    def resolve(self, identifier: str, *, by: str | None, at: datetime, lasting: bool) -> tuple[Firing, Firing]:
        """It is dealt with. What lasts is not told again until it was over. Raises not_found, conflict."""
        before = self.get(identifier)
        if before.state != "firing":
            raise WhodidError("conflict", f"This firing is {before.state} already.", "See: whodid alert firing")
        changes = {"state": "resolved", "ended_at": at, "ended_by": by or "somebody"}
        return before, self._change(before, changes if lasting else {**changes, "open_key": None})

    def forget(self, rule: str, at: datetime) -> None:
        """A rule is gone: its firings end."""
        with self._directory.writing() as connection:
            of_rule = _ROWS.c.rule == rule
            going_on = update(_ROWS).where(of_rule, _ROWS.c.state == "firing")
            connection.execute(going_on.values(state="ended", ended_at=at))
            connection.execute(update(_ROWS).where(of_rule).values(open_key=None))

    def prune(self, before: datetime) -> None:
        """Forget what ended before a time."""
        with self._directory.writing() as connection:
            connection.execute(delete(_ROWS).where(_ROWS.c.open_key.is_(None), _ROWS.c.ended_at < before))

    def counts(self) -> dict[str, int]:
        """How many go on, by severity."""
        found: dict[str, int] = {}
        for firing in self.found(limit=SHOWN_MAX):
            found[firing.severity] = found.get(firing.severity, 0) + 1
        return found

    def _begin(self, connection: Connection, rule: Rule, fingerprint: str, finding: Finding, at: datetime) -> Change:
        firing = Firing(
            id=str(uuid.uuid4()),
            rule=rule.name,
            fingerprint=fingerprint,
            open_key=f"{rule.name}\n{fingerprint}",
            state="firing",
            severity=rule.severity,
            title=finding.title[:TITLE_MAX],
            message=finding.message[:MESSAGE_MAX],
            details=dict(finding.details),
            findings=finding.times,
            first_at=at,
            last_at=at,
            told_at=None if rule.tells_nobody(at) else at,
            muted_until=None,
            ended_at=None,
            ended_by=None,
        )
        connection.execute(insert(_ROWS).values({name: getattr(firing, name) for name in firing.__struct_fields__}))
        return Change(what="fired", firing=firing)

    def _go_on(
        self, connection: Connection, rule: Rule, before: Firing | None, finding: Finding, at: datetime
    ) -> Change | None:
        assert before is not None
        changes: dict[str, Any] = {
            "last_at": at,
            "findings": before.findings + finding.times,
            "title": finding.title[:TITLE_MAX],
            "message": finding.message[:MESSAGE_MAX],
            "details": dict(finding.details),
        }
        quiet = before.state != "firing" or before.is_muted(at) or rule.tells_nobody(at)
        told = before.told_at
        waited_s = (at - told).total_seconds() if told is not None else None
        again = not quiet and (waited_s is None or 0 < rule.renotify_minutes * 60 <= waited_s)
        if again:
            changes["told_at"] = at
        connection.execute(update(_ROWS).where(_ROWS.c.id == before.id).values(changes))
        return Change(what="again", firing=_with(before, changes)) if again else None

    def _end(self, connection: Connection, before: Firing, at: datetime) -> Change | None:
        changes: dict[str, Any] = {"open_key": None}
        if before.state == "firing":
            changes |= {"state": "ended", "ended_at": at}
        connection.execute(update(_ROWS).where(_ROWS.c.id == before.id).values(changes))
        return Change(what="ended", firing=_with(before, changes)) if before.state == "firing" else None

    def _change(self, before: Firing, changes: dict[str, Any]) -> Firing:
        with self._directory.writing() as connection:
            same = update(_ROWS).where(_ROWS.c.id == before.id, _ROWS.c.state == before.state)
            if not connection.execute(same.values(changes)).rowcount:
                raise WhodidError("conflict", "This firing was changed meanwhile.", "Look at it again.")
        return _with(before, changes)


def fingerprint_of(text: str) -> str:
    """A fingerprint that fits: a long one is cut, and ends with what tells it from others."""
    if len(text) <= FINGERPRINT_MAX:
        return text
    return f"{text[: FINGERPRINT_MAX - 17]} {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _with(firing: Firing, changes: dict[str, Any]) -> Firing:
    return Firing(**{name: getattr(firing, name) for name in firing.__struct_fields__} | changes)


def _all(connection: Connection, wanted: Select[Any]) -> list[Firing]:
    return [
        Firing(**{name: getattr(row, name) for name in Firing.__struct_fields__}) for row in connection.execute(wanted)
    ]
