"""The verbs of targets: make, change, delete, pause, resume, and what is told of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from whodid.directory import Directory
from whodid.directory.sealed import HIDDEN, Sealer, hidden
from whodid.directory.settings import Told
from whodid.dispatch import stored
from whodid.dispatch.row import (
    DEADLINE_S_DEFAULT,
    PREFIX,
    Selection,
    Shaping,
    TargetRow,
    check,
    implementation,
    opened_options,
    read_options,
    row_of,
    sealed_options,
    start_of,
)
from whodid.errors import WhodidError, about
from whodid.event import Entity, new_id
from whodid.journal.base import KeptBatches
from whodid.plugins import TARGETS
from whodid.stores.base import Store
from whodid.targets.base import Context, TargetOption


class TargetFields(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a target can be changed; what is left out stays. An option of null goes back to its default."""

    options: dict[str, Any] | UnsetType = UNSET
    selection: Selection | UnsetType = UNSET
    shaping: Shaping | UnsetType = UNSET
    format: str | UnsetType = UNSET
    keys: list[str] | UnsetType = UNSET
    deadline_s: float | UnsetType = UNSET


class NewTarget(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A target to make. `start`: now, beginning, or a time (`2026-06-01`, `30d`). `keys`: names of the keys that may
    write what its selection takes."""

    name: str
    kind: str
    options: dict[str, Any] = {}
    selection: Selection = Selection()
    shaping: Shaping = Shaping()
    format: str = "native"
    start: str = "now"
    keys: list[str] = []
    deadline_s: float = DEADLINE_S_DEFAULT
    running: bool = True


class TargetBook:
    """The rows of targets in a directory. Methods block; those that change something take `by`, a login."""

    def __init__(self, directory: Directory, sealer: Sealer, journal: KeptBatches, store: Store):
        self._directory = directory
        self._sealer = sealer
        self._journal = journal
        self._store = store

    def row(self, name: str) -> TargetRow:
        """A target by name. Raises WhodidError("not_found")."""
        value = self._directory.setting(PREFIX + name)
        if value is None:
            raise WhodidError("not_found", f"There is no target {name[:120]!r}.", "See: whodid target list")
        return row_of(value)

    def draft(self, new: NewTarget, *, by: str | None = None) -> TargetRow:
        """The row that a new target would have, checked. Raises WhodidError("invalid")."""
        kind = implementation(new.kind)
        now = datetime.now(UTC)
        row = TargetRow(
            id=new_id(),
            name=new.name,
            kind=new.kind,
            selection=new.selection,
            shaping=new.shaping,
            format=new.format,
            start=start_of(new.start, now),
            backfilled_by=self._journal.receiver,
            keys=new.keys,
            deadline_s=new.deadline_s,
            running=new.running,
            created_at=now,
            created_by=by,
        )
        check(row)
        self._check_groups(row.selection)
        self._check_keys(row)
        read_options(kind.OPTIONS, new.options)
        row = msgspec.structs.replace(row, options=self._sealed(row.name, kind.OPTIONS, new.options))
        self._check_options(row)
        return row

    def create(self, new: NewTarget, *, by: str | None = None) -> TargetRow:
        """Make a target; it runs within a second, from `new.start` on.

        Raises
        ------
        WhodidError("invalid")
            An option, the selection or the shaping makes no sense.
        WhodidError("conflict")
            The name is taken, or another target writes there.
        """
        row = self.draft(new, by=by)
        self._check_alone(row)
        # From here on the journal keeps what is stored; what came before is in the store.
        self._journal.keeps = True
        boundary = stored.heads(self._store) | {self._journal.receiver: self._journal.seq_next - 1}
        row = msgspec.structs.replace(row, boundary=boundary)
        try:
            self._save(row, "target-created", by=by, before=None)
        except WhodidError as error:
            if error.code != "conflict":
                raise
            raise WhodidError(
                "conflict", f"There is a target {row.name!r} already.", "Take another name, or change it.", field="name"
            ) from error
        return row

    def change(self, name: str, fields: TargetFields, *, by: str | None = None) -> TargetRow:
        """Change a target; it goes on from where it is. Raises not_found, invalid, and conflict as `create`."""
        before = self.row(name)
        kind = implementation(before.kind)
        given = {key: value for key, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
        if "options" in given:
            given["options"] = self._merged(before, kind.OPTIONS, given["options"])
        row = msgspec.structs.replace(before, **given)
        check(row)
        self._check_options(row)
        self._check_alone(row)
        self._check_groups(row.selection)
        self._check_keys(row)
        self._save(row, "target-changed", by=by, before=before)
        return row

    def delete(self, name: str, *, by: str | None = None) -> TargetRow:
        """Take a target away; what it has sent stays where it is. Raises not_found."""
        row = self.row(name)
        told = Told("target-deleted", _entity(row), before=shown(row))
        self._directory.change_setting(PREFIX + name, None, by=by, told=told)
        return row

    def pause(self, name: str, *, reason: str | None = None, by: str | None = None) -> TargetRow:
        """Let a target rest; its place is kept. `reason` is why, when nobody asked for it."""
        before = self.row(name)
        row = msgspec.structs.replace(before, running=False, reason=reason)
        self._save(row, "target-paused", by=by, before=before)
        return row

    def resume(self, name: str, *, by: str | None = None) -> TargetRow:
        """Let a target go on from where it is."""
        before = self.row(name)
        row = msgspec.structs.replace(before, running=True, reason=None)
        self._save(row, "target-resumed", by=by, before=before)
        return row

    def _save(self, row: TargetRow, kind: str, *, by: str | None, before: TargetRow | None) -> None:
        told = Told(kind, _entity(row), before=None if before is None else shown(before), after=shown(row))
        versions = self._directory.setting_versions(PREFIX + row.name)[:1]
        row = msgspec.structs.replace(row, revision=versions[0].version + 1 if versions else 1)
        if before is None and versions and versions[0].value is not None:
            raise WhodidError("conflict", f"There is a target {row.name!r} already.", field="name")
        self._directory.change_setting(
            PREFIX + row.name,
            msgspec.to_builtins(row),
            by=by,
            expected_version=versions[0].version if versions else 0,
            told=told,
        )

    def _sealed(self, name: str, options: Sequence[TargetOption], given: Mapping[str, Any]) -> dict[str, Any]:
        sealed: dict[str, Any] = sealed_options(name, options, given, self._sealer)
        return sealed

    def _merged(self, row: TargetRow, options: Sequence[TargetOption], given: Mapping[str, Any]) -> dict[str, Any]:
        """The stored options with those that are given; a secret that comes back as it was shown stays."""
        kept = {name: value for name, value in given.items() if value != HIDDEN}
        merged = {**row.options, **kept}
        merged = {name: value for name, value in merged.items() if value is not None}
        read_options(options, merged)
        return self._sealed(row.name, options, merged)

    def _check_options(self, row: TargetRow) -> None:
        """A target looks at its options as a whole when it is made; it connects to nothing before it is opened."""
        context = Context(
            name=row.name,
            id=row.id,
            folder=Path(),
            receiver=self._journal.receiver,
            format=row.format,
            node="",
            testing=True,
        )
        kind: Any = implementation(row.kind)
        kind(opened_options(row, self._sealer), context)

    def _check_alone(self, row: TargetRow) -> None:
        """No two targets write where events would be lost or there twice."""
        own = self._writes_alone(row)
        for name, value in sorted(self._directory.snapshot.settings.items()) if own else ():
            if not name.startswith(PREFIX) or (other := row_of(value)).id == row.id or other.kind != row.kind:
                continue
            if shared := [own[place] for place in self._writes_alone(other) if place in own]:
                raise WhodidError(
                    "conflict",
                    f"The target {other.name!r} writes {shared[0]} already.",
                    "Events would be there twice, or be lost: choose another, or change what that target selects.",
                )

    def _writes_alone(self, row: TargetRow) -> Mapping[str, str]:
        kind: Any = implementation(row.kind)
        found: Mapping[str, str] = kind.writes_alone(opened_options(row, self._sealer))
        return found

    def _check_keys(self, row: TargetRow) -> None:
        for name in row.keys:
            self._directory.key(name)
        if row.keys and not (row.selection.topics or row.selection.routing_keys):
            raise WhodidError(
                "invalid",
                "With required keys a target claims its topics or routing keys, and this one selects none.",
                "Name them: --topic apinode-query, --routing-key team-a.",
                field="topics",
            )

    def _check_groups(self, selection: Selection) -> None:
        for name in selection.groups:
            with about("groups"):
                self._directory.group(name)


def shown(row: TargetRow) -> dict[str, Any]:
    """A row as it may be told: without its secrets."""
    told: dict[str, Any] = hidden(msgspec.to_builtins(row))
    defaults = {"selection": {}, "shaping": {}, "format": "native", "start": "now", "keys": []}
    told = {**defaults, "deadline_s": row.deadline_s, **told, "running": row.running, "reason": row.reason}
    told.pop("backfilled_by", None)
    told.pop("boundary", None)
    told.pop("revision", None)
    told.setdefault("options", {})
    return told


def kinds() -> list[dict[str, Any]]:
    """Every kind whose driver is installed, with its options as rows; of the others only what to install."""
    found: list[dict[str, Any]] = []
    for name in sorted(TARGETS):
        try:
            kind = implementation(name)
        except WhodidError as error:
            found.append({"kind": name, "installed": False, "hint": error.hint})
            continue
        about = " ".join(cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())
        found.append(
            {
                "kind": name,
                "installed": True,
                "help": about,
                "exactly_once": kind.EXACTLY_ONCE,
                "options": [option._asdict() for option in kind.OPTIONS],
            }
        )
    return found


def _entity(row: TargetRow) -> Entity:
    return Entity(type="target", id=row.id, name=row.name)
