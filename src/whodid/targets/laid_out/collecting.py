"""Targets that collect events in files, close those by size and time, and then bring all of them over, or none."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from whodid.amounts import counted
from whodid.errors import WhodidError
from whodid.targets.base import BaseTarget, Context, Delivery, Sent
from whodid.targets.laid_out.writing import Writing, Written

if TYPE_CHECKING:
    from whodid.targets.laid_out.parquet import ParquetWriting

# A commit has at most so many bytes before compression: what is not committed is sent again after a crash.
COMMIT_BYTES_MAX: Final = 4 * 1024**3

_OF_DISK: Final = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EROFS: "forbidden",
    errno.ENOTDIR: "invalid",
    errno.EEXIST: "invalid",
    errno.EISDIR: "invalid",
}
_HINTS: Final = {
    "full": "Free some space there; then it goes on by itself.",
    "forbidden": "Let the user of the server write there, then resume the target.",
    "invalid": "Name a folder.",
    "unavailable": "Look at the folder and its disk.",
}


class CollectingTarget(BaseTarget):
    """Collects events in files; closes them by size and time (options `close_bytes`, `close_s`).

    What was collected is committed in a thread of its own while the next is collected.
    """

    EVENTS_MAX: ClassVar[int | None] = None
    EXACTLY_ONCE: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._writing: Writing | ParquetWriting | None = None
        self._began_s = 0.0
        self._finishing: Future[None] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="whodid-files")
        self._durable: dict[str, int] = {}
        self._lock: int | None = None
        self._cancelled = False
        self._answer = ""

    @property
    @abstractmethod
    def working(self) -> Path:
        """The folder for working files."""

    @abstractmethod
    def prepare(self) -> None:
        """Called when the target is opened, before anything else: check the place that files go to."""

    @abstractmethod
    def recover(self) -> dict[str, int]:
        """Called when this instance alone has the working folder: end or undo what a crash left, take away the rest.

        Returns the places that hold, by receiver.
        """

    @abstractmethod
    def new_writing(self) -> Writing | ParquetWriting:
        """What the events of the next commit are written with."""

    @abstractmethod
    def commit(self, writing: Writing | ParquetWriting, written: Sequence[Written]) -> dict[str, int]:
        """Bring whole files over durably, all or (raising) as good as none; returns the places that hold then."""

    def open(self) -> Mapping[str, int]:
        with explained():
            self.prepare()
            self.working.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_lock()
            self._durable = self.recover()
        return dict(self._durable)

    def send(self, delivery: Delivery) -> Sent:
        self._check()
        with explained():
            if self._writing is None:
                self._writing, self._began_s = self.new_writing(), time.monotonic()
            events, size_bytes = self._writing.take(delivery)
            if self._writing.size_bytes >= min(self.options["close_bytes"], COMMIT_BYTES_MAX):
                self._commit()
        return Sent(events, size_bytes, (), self._answer)

    def durable(self) -> Mapping[str, int] | None:
        self._raise_what_failed()
        return dict(self._durable)

    def tick(self) -> None:
        self._check()
        if self._writing is not None and time.monotonic() - self._began_s >= self.options["close_s"]:
            with explained():
                self._commit()

    def flush(self) -> str:
        self._check()
        with explained():
            self._commit()
            self._wait()
        return self._answer or "Nothing was written."

    def close(self) -> None:
        # What is being delivered belongs to a commit: it comes to its end, or is taken up at the next opening.
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._writing is not None:
            abandoned(self._writing)
            self._writing = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self.context.testing:
            shutil.rmtree(self.working, ignore_errors=True)

    def cancel(self) -> None:
        self._cancelled = True

    def _commit(self) -> None:
        """Begin to finish what was collected; waits for the commit before it."""
        if self._writing is None:
            return
        self._wait()
        writing, self._writing = self._writing, None
        self._finishing = self._pool.submit(self._finish, writing)

    def _finish(self, writing: Writing | ParquetWriting) -> None:
        try:
            written = writing.close()
            self._check()
        except BaseException:
            abandoned(writing)
            raise
        places = self.commit(writing, written)
        size_bytes = sum(file.size_bytes for file in written)
        files, events = counted(len(written), "file"), counted(writing.events, "event")
        self._answer = f"{files} with {events}, {size_bytes:,} bytes: "
        self._answer += ", ".join(file.path for file in written[:3]) + (", …" if len(written) > 3 else "")
        self._durable = places

    def _wait(self) -> None:
        if self._finishing is not None:
            finishing, self._finishing = self._finishing, None
            with explained():
                finishing.result()

    def _raise_what_failed(self) -> None:
        if self._finishing is not None and self._finishing.done():
            self._wait()

    def _check(self) -> None:
        if self._cancelled:
            raise WhodidError("unavailable", "The call was broken off.")

    def _take_lock(self) -> None:
        """Of two instances (one that hangs, and its successor) only one writes."""
        self._lock = os.open(self.working / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WhodidError(
                "busy", f"Another instance still writes in {self.working}.", "It goes on when that one is done."
            ) from None


def abandoned(writing: Writing | ParquetWriting) -> None:
    """Take away what was written, as far as that is possible."""
    with contextlib.suppress(OSError):
        writing.abandon()


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """What the operating system complains of, as our error with a hint."""
    try:
        yield
    except OSError as error:
        code = _OF_DISK.get(error.errno or 0, "unavailable")
        where = f" ({error.filename})" if error.filename else ""
        raise WhodidError(code, f"Files cannot be written{where}: {error.strerror}.", _HINTS[code]) from error
