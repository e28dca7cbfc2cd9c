"""All targets of this process, and what its journal keeps for them.

    directory rows ─► workers (one thread each)
    journal.kept ─► Kept (ranges, what is not stored) ─► every worker's source
    every worker's place ─► journal.drop

One thread looks several times a second: which rows changed, which calls passed their deadline, which segments every
target has, and which have to go because the limit is reached.
"""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.directory import Directory
from whodid.directory.sealed import Sealer
from whodid.dispatch import segments, stored
from whodid.dispatch.dead_letters import DeadLetters
from whodid.dispatch.delivery import Form
from whodid.dispatch.discreet import Discreet, discretion, secrets_of
from whodid.dispatch.lines import encode_of
from whodid.dispatch.row import PREFIX, TargetRow, implementation, opened_options, row_of
from whodid.dispatch.selection import Selector
from whodid.dispatch.shaping import Shaper
from whodid.dispatch.source import Dropped, Kept, SharedSource, Source
from whodid.dispatch.worker import Parts, TargetStatus, Worker
from whodid.errors import WhodidError
from whodid.journal.base import Batch, KeptBatches, Shared
from whodid.stores.base import Store, Written
from whodid.targets.base import Context, Target

LOOK_S: Final = 0.2
CLOSE_S: Final = 5.0
DROPPED_NAME: Final = "dropped.json"
DROPPED_MAX: Final = 10_000
FORMS_MAX: Final = 1_000
_DROPPED: Final = msgspec.json.Decoder(list[Dropped])
_log = logging.getLogger(__name__)


class Announce(Protocol):
    """Tells of what happened by itself: kind of event, the target, parameters."""

    def __call__(self, kind: str, row: TargetRow, told: dict[str, Any]) -> None: ...


class Keeping(Struct, kw_only=True):
    """Stored segments that are kept for targets.

    given_up_events  those that some target has to read from the store: the limit was reached, or it was paused.
    last_error       what keeps dispatch itself from working.
    """

    kept_bytes: int
    kept_bytes_max: int
    given_up_events: int
    last_error: str | None


class Dispatcher:
    """Runs the targets of a directory on one journal and its store.

    Parameters
    ----------
    folder
        For cursors, dead letters and targets' own files: a folder for each target, by its id.
    backlog_bytes_max
        Segments kept for targets; beyond it the oldest go. Slow targets then read the store instead.
    disk_free_bytes_min
        With less free disk than twice this nothing is kept for targets.
    hash_key
        What values are hashed with.
    pause
        Called when a target has to be paused: row, reason.
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
        pause: Callable[[TargetRow, str], None],
        announce: Announce,
    ):
        self.folder = folder
        self.kept = Kept()
        self.workers: dict[str, Worker] = {}
        """By id of the target."""
        self._journal = journal
        self._store = store
        self._directory = directory
        self._sealer = sealer
        self._backlog_bytes_max = backlog_bytes_max
        self._disk_free_bytes_min = disk_free_bytes_min
        self._hash_key = hash_key
        self._pause = pause
        self._announce = announce
        self._clean: set[int] = set()
        """Numbers of batches that were stored without a repeat."""
        self._surveyed = 0
        self._rows: dict[str, TargetRow] = {}
        self._settings: Any = None
        self._forms: dict[str, tuple[TargetRow, int, Form]] = {}
        self._unpersisted: list[tuple[TargetRow, str]] = []
        self._error: str | None = None
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    # Life.

    def prepare(self) -> None:
        """Before anything is stored: have the journal keep what targets will need."""
        self._journal.keeps = bool(self.rows())

    def start(self) -> None:
        """Start the targets and the thread that looks after them."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Targets that another server's administrator made are seen within a second.
        self._directory.watch()
        self.kept.dropped = self._load_dropped()
        known = {row.id for row in self.rows().values()}
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in known and not DeadLetters(folder).count:
                shutil.rmtree(folder, ignore_errors=True)
        self._thread = threading.Thread(target=self._run, name="whodid-dispatch", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Let every target finish what it has, for at most so long together; what hangs is left to itself."""
        self._stopping.set()
        self._journal.wake()
        if self._thread is not None:
            self._thread.join()
        deadline = time.monotonic() + timeout_s
        with self._lock:
            for worker in self.workers.values():
                worker.stop()
            for worker in self.workers.values():
                worker.join(max(0.0, deadline - time.monotonic()))
            self.workers.clear()

    def stored(self, batches: Sequence[Batch], written: Written) -> None:
        """Told by the store's writer: these batches are stored, with so many repeats."""
        if not self._journal.keeps or isinstance(self._journal, Shared):
            return
        if written.duplicates == 0 and written.events == sum(batch.count for batch in batches):
            self._clean.update(batch.number for batch in batches)

    # What there is.

    def rows(self) -> dict[str, TargetRow]:
        """The targets by name, as the directory has them."""
        settings = self._directory.snapshot.settings
        if settings is not self._settings:
            self._rows = {
                name.removeprefix(PREFIX): row_of(value)
                for name, value in sorted(settings.items())
                if name.startswith(PREFIX)
            }
            self._settings = settings
        return self._rows

    def folder_of(self, row: TargetRow) -> Path:
        folder = self.folder / row.id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def keeping(self) -> Keeping:
        """What the journal keeps for targets, and what it gave up before all of them had it."""
        return Keeping(
            kept_bytes=self.kept.size_bytes,
            kept_bytes_max=self._backlog_bytes_max,
            given_up_events=sum(dropped.events for dropped in self.kept.dropped),
            last_error=self._error,
        )

    def status(self) -> list[TargetStatus]:
        """How every target stands, by name."""
        return [self.status_of(row) for row in self.rows().values()]

    def status_of(self, row: TargetRow) -> TargetStatus:
        """How a target stands; one that has not begun yet as it will begin."""
        with self._lock:
            known = self.workers.get(row.id)
            # A worker writes down where it begins, so that no two may be made at once.
            worker = known or Worker(row, self.folder_of(row), self._parts())
        told = worker.status(partial(self._waiting, row))
        if known is None and row.running and self._thread is None:
            told.state = "stopped"
        return told

    def make(self, row: TargetRow, *, testing: bool = False) -> Target:
        """A new instance of a target, not opened."""
        work = self.folder_of(row) / ("testing" if testing else "work")
        work.mkdir(exist_ok=True, mode=0o700)
        context = Context(
            name=row.name,
            id=row.id,
            folder=work,
            receiver=self._journal.receiver,
            format=row.format,
            node=socket.gethostname(),
            testing=testing,
        )
        kind: Any = implementation(row.kind)
        options = opened_options(row, self._sealer)
        secrets = secrets_of(kind.OPTIONS, options)
        with discretion(secrets):
            made: Any = Discreet(kind(options, context), secrets)
        target: Target = made
        return target

    def form(self, row: TargetRow) -> Form:
        """How events leave to a target; group members as they are by now."""
        epoch = self._directory.snapshot.epoch
        known = self._forms.get(row.id)
        if known is not None and known[0] == row and (known[1] == epoch or not row.selection.groups):
            return known[2]
        shaper = None if row.shaping.leaves_all else Shaper(row.shaping, self._hash_key)
        form = Form(
            Selector(row.selection, self._directory), shaper, encode_of(row.format), native=row.format == "native"
        )
        if len(self._forms) > FORMS_MAX:
            self._forms.clear()
        self._forms[row.id] = (row, epoch, form)
        return form

    def look(self) -> None:
        """See to everything once; the thread does this by itself."""
        self._reconcile()
        self._survey()
        with self._lock:
            for worker in self.workers.values():
                worker.look()
        self._persist_pauses()
        self._drop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
                self._error = None
            except Exception as error:
                if str(error) != self._error:
                    expected = isinstance(error, WhodidError | OSError)
                    _log.warning("Dispatch: %s", error, exc_info=None if expected else error)
                self._error = str(error)
                self._stopping.wait(1.0)
            self._journal.wait_kept(self._surveyed, LOOK_S)

    # Rows and workers.

    def _reconcile(self) -> None:
        rows = self.rows()
        self._journal.keeps = bool(rows)
        wanted = {row.id: row for row in rows.values()}
        with self._lock:
            for identifier, worker in list(self.workers.items()):
                if wanted.get(identifier) != worker.row:
                    worker.stop()
                    # One that hangs is given up, so that its successor begins.
                    worker.join(1.0)
                    del self.workers[identifier]
                    if identifier not in wanted and not worker.letters.count:
                        shutil.rmtree(self.folder / identifier, ignore_errors=True)
            begun = [row for identifier, row in wanted.items() if identifier not in self.workers]
            if begun:
                self.kept.raise_horizon(stored.head(self._store, self._journal.receiver))
            for row in begun:
                self.workers[row.id] = Worker(row, self.folder_of(row), self._parts())

    def _parts(self) -> Parts:
        return Parts(
            own=self._journal.receiver,
            kept=self.kept,
            make=self.make,
            form=self.form,
            source=self._source,
            on_paused=self._on_paused,
            on_lost=self._on_lost,
            on_refused=self._on_refused,
        )

    def _source(self, row: TargetRow) -> Source:
        own = self._journal.receiver
        if isinstance(self._journal, Shared):
            return SharedSource(row, own, self.kept, self._store, self._journal.horizons)
        return Source(row, own, self.kept, self._store)

    def _on_paused(self, row: TargetRow, reason: str) -> None:
        self._unpersisted.append((row, reason))

    def _persist_pauses(self) -> None:
        while self._unpersisted:
            row, reason = self._unpersisted[0]
            self._pause(row, reason)
            self._unpersisted.pop(0)

    def _on_lost(self, row: TargetRow, events: int) -> None:
        self._announce("target-lost-events", row, {"events": events})

    def _on_refused(self, row: TargetRow, events: int, reason: str) -> None:
        self._announce("target-dead-letters", row, {"events": events, "reason": reason})

    # Segments.

    def _survey(self) -> None:
        for batch in self._journal.wait_kept(self._surveyed, 0):
            found = segments.survey(batch, self._store, clean=batch.number in self._clean)
            self._clean.discard(batch.number)
            self.kept.add(found)
            self._surveyed = batch.number

    def _drop(self) -> None:
        """Let go of the segments that every running target has, and of the oldest when there are too many."""
        kept = self.kept.segments()
        if not kept:
            return
        with self._lock:
            workers = list(self.workers.values())
        needed = min((worker.place for worker in workers if worker.row.running), default=kept[-1].last)
        least = min((worker.place for worker in workers), default=kept[-1].last)
        size_bytes = self.kept.size_bytes
        limit = 0 if self._disk_is_short() else self._backlog_bytes_max
        number = 0
        given_up: list[Dropped] = []
        for segment in kept:
            if segment.last > needed and size_bytes <= limit:
                break
            if segment.last > least:
                given_up.append(Dropped(segment.first, segment.last, segment.events))
            size_bytes -= segment.size_bytes
            number = segment.number
        if number:
            self._note_dropped(given_up, least)
            self.kept.remove(number)
            self._journal.drop(number)

    def _note_dropped(self, ranges: Sequence[Dropped], least: int) -> None:
        """Write down what is given up before some target, running or paused, has come to it."""
        left = [dropped for dropped in [*self.kept.dropped, *ranges] if dropped.last > least]
        if left == self.kept.dropped:
            return
        while len(left) > DROPPED_MAX:
            left[:2] = [Dropped(left[0].first, left[1].last, left[0].events + left[1].events)]
        durable.replace(self.folder / DROPPED_NAME, msgspec.json.encode(left) + b"\n")
        self.kept.dropped = left

    def _load_dropped(self) -> list[Dropped]:
        try:
            return _DROPPED.decode((self.folder / DROPPED_NAME).read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return []

    def _disk_is_short(self) -> bool:
        return shutil.disk_usage(self.folder).free < 2 * self._disk_free_bytes_min

    def _waiting(self, row: TargetRow, places: Mapping[str, int]) -> tuple[int, int, float]:
        place = places.get(self._journal.receiver, 0)
        if isinstance(self._journal, Shared):
            fed_here = row.backfilled_by == self._journal.receiver
            return self._unsent(self._journal.horizons(), places) if fed_here else 0, 0, 0.0
        events = max(0, self._journal.seq_next - 1 - place)
        size_bytes, first = self.kept.waiting(place)
        if not events or first is None:
            return events, 0, 0.0
        age_s = max(0.0, (datetime.now(UTC) - first).total_seconds())
        return events, size_bytes, age_s

    def _unsent(self, horizons: Mapping[str, int], places: Mapping[str, int]) -> int:
        """How many events of a shared journal's streams are stored behind a target's places."""
        behind = {name: (places.get(name, 0), end) for name, end in horizons.items() if places.get(name, 0) < end}
        try:
            return sum(stored.count(self._store, name, place, end) for name, (place, end) in behind.items())
        except WhodidError:
            # The store does not answer: what is known is that something waits.
            return len(behind)
