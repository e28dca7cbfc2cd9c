"""From a journal that many processes share to the store: a writer for each stream that is this process's to store.

journal ─► took(stream) ─► StoreWriter ─┐
           gave(stream) ─► closed       ├─► store (its positions decide, also against a writer that is left over)
a thread: store.positions ─► journal.look
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from whodid.errors import WhodidError
from whodid.journal.base import Batch, Shared, Stream
from whodid.stores.base import Store, Written
from whodid.stores.writer import Observer, StoreWriter, WriterStatus

LOOK_S: Final = 1.0
FLUSH_LOOK_S: Final = 0.05
GIVE_S_MAX: Final = 5.0
"""A writer that is in the middle of a write when its stream goes to another is left to itself after so long."""

# A write that goes on for longer after its time is over is broken off.
BREAK_OFF_S: Final = 2.0

_log = logging.getLogger(__name__)


class StreamWriters:
    """Stores the streams of a shared journal that are this process's; the parameters are those of `StoreWriter`."""

    def __init__(self, journal: Shared, store: Store, directory: Observer | None = None, *, settle_s: float = 0.0):
        self.on_stored: Callable[[Sequence[Batch], Written], None] = lambda batches, written: None
        self._journal = journal
        self._store = store
        self._directory = directory
        self._settle_s = settle_s
        self._writers: dict[str, StoreWriter] = {}
        self._ended = _zero()
        self._trouble: str | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Have the store remember the journal, and take part in storing.

        Raises
        ------
        WhodidError("conflict")
            The store has positions of another journal.
        """
        positions = self._store.positions()
        marker = self._journal.recognise(positions)
        if marker is not None:
            self._store.write([marker])
        self._journal.look(positions)
        self._journal.begin(self._store.position, self._took, self._gave)
        self._thread = threading.Thread(target=self._look_on, name="whodid-positions", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float) -> None:
        """Return when everything that this process appended before this call is stored, by whomever.

        Raises
        ------
        WhodidError("timeout")
            Temporary: it took longer than `timeout_s`; the message says what holds it up.
        """
        wanted = dict(self._journal.written())
        deadline = time.monotonic() + timeout_s
        while True:
            waiting = self._behind(wanted)
            if not waiting:
                return
            if time.monotonic() > deadline or self._stopping.is_set():
                status = self.status()
                reason = status.last_error or "The store is behind."
                raise WhodidError("timeout", f"Not everything was stored within {timeout_s:g} s: {reason}")
            self._stopping.wait(FLUSH_LOOK_S)

    def close(self, drain_s: float = 10.0) -> None:
        """End the writes that go on, within `drain_s` seconds; others take over at once.

        What waits is safe in the journal. A write that does not end by then is broken off by closing the store.
        """
        if self._thread is None:
            return
        self._stopping.set()
        with self._lock:
            running = list(self._writers.values())
        deadline = time.monotonic() + max(drain_s, BREAK_OFF_S)
        ended = [writer.leave(max(0.0, deadline - time.monotonic())) for writer in running]
        if not all(ended):
            self._store.close()
        self._journal.end()
        self._thread.join()

    def status(self) -> WriterStatus:
        """Where all of them stand together, at this moment."""
        with self._lock:
            running = list(self._writers.values())
        told = [writer.status() for writer in running]
        status = _together([self._ended, *told])
        status.running = self._thread is not None and self._thread.is_alive()
        status.lag_seconds = max(status.lag_seconds, self._journal.lag_s)
        status.last_error = status.last_error or self._trouble
        return status

    def _took(self, stream: Stream) -> None:
        writer = StoreWriter(stream, self._store, self._directory, settle_s=self._settle_s)
        writer.on_stored = self.on_stored
        with self._lock:
            self._writers[stream.receiver] = writer
        writer.start()

    def _gave(self, stream: Stream) -> None:
        with self._lock:
            writer = self._writers.pop(stream.receiver, None)
        if writer is None:
            return
        if not writer.leave(GIVE_S_MAX):
            _log.warning("A write of %s goes on while another takes over; one of the two stores it.", stream.receiver)
        with self._lock:
            self._ended = _together([self._ended, writer.status()])
            self._ended.lag_batches = self._ended.lag_bytes = 0
            self._ended.lag_seconds = self._ended.rate = 0.0
            self._ended.last_error = None

    def _behind(self, wanted: Mapping[str, int]) -> bool:
        try:
            positions = self._store.positions() if wanted else {}
        except WhodidError as error:
            self._trouble = error.message
            return True
        return any(positions.get(stream, 0) < number for stream, number in wanted.items())

    def _look_on(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self._journal.look(self._store.positions())
                self._trouble = None
            except WhodidError as error:
                self._trouble = error.message
            except Exception as problem:
                _log.exception("Looking at the journal failed.")
                self._trouble = str(problem)


def _zero() -> WriterStatus:
    return WriterStatus(
        running=False,
        stored=0,
        duplicates=0,
        rejects=0,
        poisoned=0,
        missing=0,
        lag_batches=0,
        lag_bytes=0,
        lag_seconds=0.0,
        rate=0.0,
        last_error=None,
    )


def _together(told: Sequence[WriterStatus]) -> WriterStatus:
    """Sums, the longest lag, any error."""
    status = _zero()
    for one in told:
        for name in ("stored", "duplicates", "rejects", "poisoned", "missing", "lag_batches", "lag_bytes", "rate"):
            setattr(status, name, getattr(status, name) + getattr(one, name))
        status.lag_seconds = max(status.lag_seconds, one.lag_seconds)
        status.last_error = one.last_error or status.last_error
    return status
