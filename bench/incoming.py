"""Events that come in while pages are asked: by a journal and its writer into the store, as behind a server's doors."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.measure import percentile
from bench.payload import Bodies
from whodid.config import Config
from whodid.directory import Directory
from whodid.engine import directory_url, open_journal
from whodid.journal.base import Draft
from whodid.journal.disk import DiskJournal
from whodid.stores.base import Store
from whodid.stores.writer import StoreWriter

_POSTS_A_SECOND = 20
_FLUSH_S_MAX = 60.0


class Moment(NamedTuple):
    """How much had been stored at a moment."""

    at_s: float
    stored: int


class Stretch(NamedTuple):
    """What was stored over a time: events a second, and for how long those that waited had done so (s)."""

    rate: float
    median_lag_s: float
    longest_lag_s: float


class Incoming:
    """Posts `rate` events a second, from a thread, into a journal of its own in `folder`, whose writer stores them."""

    def __init__(self, store: Store, folder: Path, rate: int):
        config = Config(data=str(folder.absolute()))
        folder.mkdir(parents=True)
        self.rate = rate
        self._directory = Directory.open(directory_url(config))
        journal = open_journal(config)
        assert isinstance(journal, DiskJournal)
        self._journal = journal
        self._writer = StoreWriter(journal, store, self._directory)
        self._bodies = Bodies(max(1, rate // _POSTS_A_SECOND))
        self._lags: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._post, name="incoming", daemon=True)

    def __enter__(self) -> Incoming:
        self._writer.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._writer.close()
        self._directory.close()
        self._journal.close()

    def now(self) -> Moment:
        """This moment, when what came in before it is stored: rates of stretches of some seconds and more are exact."""
        self._writer.flush(_FLUSH_S_MAX)
        return Moment(time.perf_counter(), self._writer.status().stored)

    def since(self, begin: Moment) -> Stretch:
        """The time from a moment until now."""
        end = self.now()
        lags = [lag_s for at_s, lag_s in self._lags if at_s >= begin.at_s]
        return Stretch(
            (end.stored - begin.stored) / (end.at_s - begin.at_s), percentile(lags, 0.5), max(lags, default=0.0)
        )

    def _post(self) -> None:
        begin = time.perf_counter()
        posted = 0
        while not self._over.wait(max(0.0, begin + posted / self.rate - time.perf_counter())):
            events = self._bodies.next()
            self._journal.append_blocking(Draft(received_at=datetime.now(UTC), events=events, count=self._bodies.batch))
            posted += self._bodies.batch
            self._lags.append((time.perf_counter(), self._writer.status().lag_seconds))
