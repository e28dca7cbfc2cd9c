"""Threads that read ahead of decoding and send behind it, bounded both ways."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from queue import Empty, Full, Queue
from typing import Final, NamedTuple, TypeVar

from whodid.datasets.checkpoint import Mark
from whodid.datasets.sinks import Sink, send_patiently
from whodid.journal.base import Draft

Item = TypeVar("Item")

_SAVE_EVERY_S: Final = 0.5
_LOOK_EVERY_S: Final = 0.1


def ahead(items: Iterator[Item], depth: int = 2) -> Iterator[Item]:
    """The same items, made in a thread of their own up to `depth` ahead."""
    waiting: Queue[tuple[Item | None, BaseException | None]] = Queue(depth)
    stop = threading.Event()

    def offer(item: Item | None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                waiting.put((item, error), timeout=_LOOK_EVERY_S)
            except Full:
                continue
            return

    def run() -> None:
        try:
            for item in items:
                offer(item)
                if stop.is_set():
                    return
            offer(None)
        except BaseException as error:
            offer(None, error)

    thread = threading.Thread(target=run, name="whodid-import-read", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()


class Parcel(NamedTuple):
    """Drafts, and the mark that holds once they are durable."""

    drafts: Sequence[Draft]
    mark: Mark | None


class Sender:
    """Sends parcels in order from a thread of its own, and saves their marks: seldom, and whenever a file ends.

    sink   or what opens it; called once, when there is something to send or somebody asks for it.
    depth  so many parcels may wait.
    """

    def __init__(
        self, sink: Sink | Callable[[], Sink], save: Callable[[Mark], None], *, depth: int, patient: bool = False
    ):
        self._given = sink
        self._save = save
        self._patient = patient
        self._waiting: Queue[Parcel | threading.Event | None] = Queue(depth)
        self._error: BaseException | None = None
        self._mark: Mark | None = None
        self._saved_at = 0.0
        self._saves_next = False
        self._thread = threading.Thread(target=self._run, name="whodid-import-send", daemon=True)
        self._thread.start()

    @cached_property
    def sink(self) -> Sink:
        """Where parcels go; not to be asked for while some wait."""
        return self._given() if callable(self._given) else self._given

    def put(self, parcel: Parcel) -> None:
        """Hand over a parcel; waits while the ones before are not sent yet.

        Raises
        ------
        WhodidError
            What sending an earlier parcel ran into; nothing behind that one was sent.
        """
        self._raise()
        self._waiting.put(parcel)

    def flush(self) -> None:
        """Return when all parcels are sent and their marks saved; raises as `put` does."""
        if self._thread.is_alive():
            done = threading.Event()
            self._waiting.put(done)
            done.wait()
        self._raise()

    def close(self) -> None:
        """Send what was handed over, then end the thread."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._next()) is not None:
            if isinstance(item, threading.Event):
                self._guarded(self._save_mark)
                item.set()
            elif self._error is None:
                self._guarded(partial(self._send, item))
        self._guarded(self._save_mark)

    def _next(self) -> Parcel | threading.Event | None:
        try:
            return self._waiting.get(timeout=_SAVE_EVERY_S if self._mark else None)
        except Empty:
            self._guarded(self._save_mark)
            return self._waiting.get()

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            self._error = self._error or error

    def _send(self, parcel: Parcel) -> None:
        for draft in parcel.drafts:
            send_patiently(self.sink, draft, for_ever=self._patient)
            # Rejections have no ids: reading them again would keep them twice.
            self._saves_next = self._saves_next or bool(draft.rejects)
        if parcel.mark is None:
            return
        if self._mark is not None and self._mark.id != parcel.mark.id:
            self._save_mark()
        self._mark = parcel.mark
        if parcel.mark.complete or self._saves_next or time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self._save_mark()

    def _save_mark(self) -> None:
        if self._mark is not None:
            self._save(self._mark)
            self._mark = None
            self._saves_next = False
            self._saved_at = time.monotonic()
