"""What runs beside the server on its own: scheduled reports, alerts, and the mail and webhooks by which they go out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from whodid.alerts.live import Alerts
from whodid.datasets.connections import Connections
from whodid.delivery.settings import Outlets
from whodid.delivery.worker import Clock, Worker
from whodid.directory import Directory
from whodid.directory.database import now
from whodid.directory.due_work import WorkBook
from whodid.directory.sealed import Sealer
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.schedules.live import Schedules
from whodid.stores.base import Store

STEP_S: Final = 1.0
PRUNE_STEPS: Final = 3_600

_log = logging.getLogger("whodid.beside")


class Beside:
    """Schedules and alerts of a directory. One thread notes what is due; each piece is done by a thread of its own.

    Parameters
    ----------
    server
        What this server is called among those of one directory.
    record
        Makes an event durable; it blocks.
    standing
        How this server stands: journal, writer and targets as plain values.
    public_url
        What links in messages begin with; empty for no links.
    clock
        Tells the time, in UTC.
    """

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        connections: Connections,
        sealer: Sealer,
        server: str,
        record: Callable[[Event], None],
        standing: Callable[[], dict[str, Any]],
        public_url: str = "",
        clock: Clock = now,
    ):
        self.clock = clock
        self.outlets = Outlets(directory, sealer)
        self.book = WorkBook(directory, server)
        self.schedules = Schedules(store, directory, connections, self.outlets, self.book, record, clock)
        self.alerts = Alerts(store, directory, self.outlets, self.book, record, standing, clock, public_url)
        self._parts = (self.schedules, self.alerts)
        self._worker = Worker(self.book, {part.kind: part.job for part in self._parts}, clock)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing: set[str] = set()

    def start(self) -> None:
        """Go on by itself from here on, until `close`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="whodid-beside", daemon=True)
            self._thread.start()

    def do_due(self) -> None:
        """Note what is due and do it, in this thread."""
        self.schedules.step()
        self.alerts.look()
        self._worker.do_due()

    def close(self) -> None:
        """Stop; what is being delivered is broken off, and done by who comes next."""
        self._stopped.set()
        self.schedules.close()
        self._worker.close()
        if self._thread is not None:
            self._thread.join()
            self._try("leases", self.alerts.leave)

    def _run(self) -> None:
        steps = 0
        while not self._stopped.wait(STEP_S):
            if steps % PRUNE_STEPS == 0:
                self._try("pruning", self._prune)
            steps += 1
            for part in self._parts:
                self._try(part.kind, part.step)
            self._try("delivery", self._worker.start_due)

    def _prune(self) -> None:
        for part in self._parts:
            part.prune()

    def _try(self, name: str, work: Callable[[], object]) -> None:
        """One that fails is tried again with the next step, and stops no other."""
        try:
            work()
            self._failing.discard(name)
        except Exception as error:
            if name not in self._failing:
                said = error.message if isinstance(error, WhodidError) else repr(error)
                _log.warning("%s: %s It is tried again.", name, said, exc_info=not isinstance(error, WhodidError))
            self._failing.add(name)
