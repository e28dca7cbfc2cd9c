"""Reading: files into the outbox, what is being written in one lane, what lay there from before in the other.

Where each file stands is written down behind what is in the outbox, so that a death at any point only makes the agent
read a piece again; its events get the same ids.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from whodid.agent.files import live_files, old_files
from whodid.agent.outbox import Lane, Outbox
from whodid.agent.settings import Settings
from whodid.agent.wire import packed
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.follow import Follower
from whodid.datasets.handed import body_of
from whodid.datasets.importer import Importer
from whodid.datasets.sinks import Outcome
from whodid.datasets.sources import find
from whodid.datasets.summary import Tally
from whodid.errors import WhodidError
from whodid.journal.base import Draft
from whodid.typed import decode

LOOK_EVERY_S: Final = 30.0
# What changed within this time may still be written: it is being moved or packed.
SETTLED_S: Final = 10.0
_RECOVER_S: Final = 2.0

_log = logging.getLogger("whodid.agent")


class Stopped(BaseException):
    """The agent is to end while reading waits for room in the outbox."""


class OutboxSink:
    """Puts drafts into a lane of the outbox; see `datasets.sinks.Sink`."""

    def __init__(self, outbox: Outbox, lane: Lane, stop: threading.Event, seen: Callable[[Draft], None]):
        self._outbox = outbox
        self._lane: Lane = lane
        self._stop = stop
        self._seen = seen
        self._ready: tuple[Draft, bytes] | None = None
        self.trouble: str | None = None

    def send(self, draft: Draft) -> None:
        if self._stop.is_set() and self.trouble:
            raise Stopped
        self._seen(draft)
        if self._ready is None or self._ready[0] is not draft:
            self._ready = (draft, packed(body_of(draft)))
        try:
            self._outbox.put(self._lane, self._ready[1], draft.count, len(draft.rejects))
        except WhodidError as error:
            if self.trouble is None:
                _log.warning("Reading (%s) waits: %s", self._lane, error)
            self.trouble = str(error)
            if self._stop.is_set():
                raise Stopped from error
            raise
        self._ready, self.trouble = None, None

    def finish(self, timeout_s: float) -> Outcome:
        return Outcome(0, 0)


class Reading:
    """Both lanes of reading, each in a thread of its own.

    seen  is told of every draft before it is kept.
    """

    def __init__(self, settings: Settings, outbox: Outbox, checkpoints: Checkpoints, seen: Callable[[Draft], None]):
        self._settings = settings
        self._outbox = outbox
        self._checkpoints = checkpoints
        self._seen = seen
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sinks: dict[Lane, OutboxSink] = {}
        self._tallies: dict[Lane, Tally] = {}
        self._events: Counter[Lane] = Counter()
        self._rejected: Counter[Lane] = Counter()
        self.failed: dict[str, str] = {}
        self.troubles: dict[Lane, str] = {}
        self.backlog_read = False

    def start(self) -> None:
        for name, work in (("live", self._follow), ("backlog", self._catch_up)):
            thread = threading.Thread(target=partial(self._go_on, work), name=f"whodid-agent-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Stop reading; what was read is in the outbox, and how far is written down."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def once(self) -> None:
        """Read everything there is up to here."""
        with self._importer("backlog") as importer:
            while self._read_old(importer, settled_s=0):
                pass
        with self._importer("live") as importer:
            found = find(live_files(self._settings.paths))
            for missing in found.problems:
                self._note("live", missing.message, missing.name)
            for source in found.sources:
                self._note("live", importer.read(source, final=False).reason, source.name)
            importer.flush()

    def counts(self, lane: Lane) -> tuple[int, int]:
        """Events and pieces of input that are none, read in this lane since the start."""
        tally = self._tallies.get(lane)
        events, rejected = (tally.events, tally.rejected) if tally is not None else (0, 0)
        return self._events[lane] + events, self._rejected[lane] + rejected

    def trouble(self) -> str | None:
        """Why reading waits or fails, if it does."""
        waits = next((sink.trouble for sink in list(self._sinks.values()) if sink.trouble), None)
        return waits or next(iter(list(self.troubles.values())), None)

    def _go_on(self, work: Callable[[], None]) -> None:
        """Do it until it is stopped, whatever goes wrong: the disk may be full for a while."""
        lane: Lane = "live" if work == self._follow else "backlog"
        while not self._stop.is_set():
            try:
                work()
                self.troubles.pop(lane, None)
            except Stopped:
                return
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                if self.troubles.get(lane) != told:
                    _log.warning("Reading (%s) begins again where it stood: %s", lane, told)
                self.troubles[lane] = told
                self._stop.wait(_RECOVER_S)

    def _follow(self) -> None:
        with self._importer("live") as importer:

            def looked() -> None:
                self._looked.set()
                self.troubles.pop("live", None)

            paths = partial(live_files, self._settings.paths)
            Follower(importer, self._checkpoints, paths, on_look=looked).run(self._stop)

    def _catch_up(self) -> None:
        # What was rotated while nobody looked is read by the follower first, so that nothing is read by both at once.
        while not self._looked.wait(0.1):
            if self._stop.is_set():
                return
        with self._importer("backlog") as importer:
            while not self._stop.is_set():
                if not self._read_old(importer, settled_s=SETTLED_S):
                    self.backlog_read = True
                    self.troubles.pop("backlog", None)
                    self._stop.wait(LOOK_EVERY_S)

    def _read_old(self, importer: Importer, *, settled_s: float) -> bool:
        """Read old files once; whether there was something new. Names may have moved meanwhile, so look again then."""
        before = importer.tally.events
        for source in old_files(self._settings.paths):
            if self._stop.is_set():
                return False
            if time.time() - int(source.version.partition(":")[2] or 0) / 1e9 < settled_s:
                continue
            self._note("backlog", importer.read(source).reason, source.name)
        importer.flush()
        return importer.tally.events > before

    def _importer(self, lane: Lane) -> Importer:
        if lane in self._tallies:
            before = self._tallies[lane]
            self._events[lane] += before.events
            self._rejected[lane] += before.rejected
        sink = self._sinks[lane] = OutboxSink(self._outbox, lane, self._stop, self._seen)
        importer = Importer(sink, self._checkpoints, format=self._settings.format, patient=True)
        self._tallies[lane] = importer.tally
        return importer

    def _note(self, lane: Lane, reason: str | None, name: str) -> None:
        if reason is None:
            self.failed.pop(name, None)
        elif self.failed.get(name) != reason:
            self.failed[name] = reason
            _log.warning("%s (%s) cannot be read: %s", name, lane, reason)


def node_of(draft: Draft) -> str | None:
    """The node that the first event of a draft names."""
    if not draft.count:
        return None
    first = decode(draft.events, list[_Named])[0]
    return first.node


class _Named(msgspec.Struct):
    node: str | None = None
