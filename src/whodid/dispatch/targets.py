"""Dispatch as one thing: what the engine runs, and what the command line and HTTP ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from whodid.directory import Directory
from whodid.directory.sealed import Sealer
from whodid.dispatch import trial
from whodid.dispatch.dead_letters import DeadLetter, DeadLetters
from whodid.dispatch.dispatcher import Dispatcher
from whodid.dispatch.management import NewTarget, TargetBook, shown
from whodid.dispatch.row import TargetRow
from whodid.errors import WhodidError
from whodid.event import BY_ITSELF, Entity, Event, new_id
from whodid.journal.base import KeptBatches
from whodid.stores.base import Store


class Targets:
    """Rows, workers and trials. Methods block.

    Parameters
    ----------
    folder
        For cursors, dead letters and targets' own files.
    record
        Makes an event of whodid's own durable.
    """

    def __init__(
        self,
        *,
        journal: KeptBatches,
        store: Store,
        directory: Directory,
        sealer: Sealer,
        folder: Path,
        backlog_bytes_max: int,
        disk_free_bytes_min: int,
        hash_key: Callable[[], bytes],
        record: Callable[[Event], None],
    ):
        self.book = TargetBook(directory, sealer, journal, store)
        self.dispatcher = Dispatcher(
            journal=journal,
            store=store,
            directory=directory,
            sealer=sealer,
            folder=folder,
            backlog_bytes_max=backlog_bytes_max,
            disk_free_bytes_min=disk_free_bytes_min,
            hash_key=hash_key,
            pause=self._pause,
            announce=self._announce,
        )
        self._store = store
        self._record = record

    def shown(self) -> list[dict[str, Any]]:
        """All targets by name: row without secrets, and how it stands."""
        return [self.shown_one(name) for name in self.dispatcher.rows()]

    def shown_one(self, name: str) -> dict[str, Any]:
        """One target. Raises not_found."""
        row = self.book.row(name)
        return {**shown(row), "status": msgspec.to_builtins(self.dispatcher.status_of(row))}

    def delete(self, name: str, *, drop: bool = False, by: str | None = None) -> TargetRow:
        """Take a target away; with dead letters only if they are to be dropped. Raises not_found, conflict."""
        row = self.book.row(name)
        letters = self._letters(row)
        if letters.count and not drop:
            raise WhodidError(
                "conflict",
                f"{name} has {letters.count:,} dead letters, which would be gone.",
                "Replay them (whodid target replay), or delete with --drop.",
            )
        row = self.book.delete(name, by=by)
        letters.remove({letter.key for letter in letters.read()})
        return row

    def test(self, name: str, *, by: str | None = None) -> dict[str, Any]:
        """Send one marked event. Raises as `trial.run_test`."""
        row = self.book.row(name)
        try:
            outcome = trial.run_test(row, lambda: self.dispatcher.make(row, testing=True), self.dispatcher.form(row))
        except WhodidError as error:
            self._announce("target-tested", row, {"error": error.message}, by=by)
            raise
        self._announce("target-tested", row, {"event_id": outcome["event_id"]}, by=by)
        return outcome

    def dry_run(self, name: str, since: str) -> dict[str, Any]:
        """What a target would send of the events since a time."""
        row = self.book.row(name)
        return trial.dry_run(self._store, self.dispatcher.form(row), since)

    def dry_run_draft(self, new: NewTarget, since: str) -> dict[str, Any]:
        """What a target would send before it is made. Raises invalid."""
        return trial.dry_run(self._store, self.dispatcher.form(self.book.draft(new)), since)

    def dead_letters(self, name: str, limit: int) -> list[DeadLetter]:
        """The oldest dead letters of a target."""
        return list(self._letters(self.book.row(name)).read(limit))

    def replay(self, name: str, *, limit: int, drop: bool = False, by: str | None = None) -> dict[str, Any]:
        """Send dead letters once more, or throw them away. Raises as `trial.replay`."""
        row = self.book.row(name)
        letters = self._letters(row)
        if drop:
            keys = {letter.key for letter in letters.read(limit)}
            letters.remove(keys)
            outcome = {"replayed": 0, "refused": 0, "left": letters.count, "dropped": len(keys)}
        else:
            make = partial(self.dispatcher.make, row, testing=True)
            outcome = trial.replay(row, make, self.dispatcher.form(row), letters, limit)
        self._announce("target-replayed", row, outcome, by=by)
        return outcome

    def _letters(self, row: TargetRow) -> DeadLetters:
        worker = self.dispatcher.workers.get(row.id)
        return worker.letters if worker is not None else DeadLetters(self.dispatcher.folder_of(row))

    def _pause(self, row: TargetRow, reason: str) -> None:
        try:
            if self.book.row(row.name).id == row.id:
                self.book.pause(row.name, reason=reason, by=BY_ITSELF)
        except WhodidError as error:
            if error.code != "not_found":
                raise

    def _announce(self, kind: str, row: TargetRow, told: dict[str, Any], by: str | None = BY_ITSELF) -> None:
        self._record(
            Event(
                id=new_id(),
                time=datetime.now(UTC),
                type=kind,
                source="server",
                user=by,
                entities=[Entity(type="target", id=row.id, name=row.name)],
                parameters=Raw(msgspec.json.encode(told)),
            )
        )
