"""A log file that is rotated by renaming, as log4j does: `audit.log`, `audit.log.1`, … up to the oldest that is kept.

What tails such files (DSS tools, agents, `whodid import --follow`) reads them as they come.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.targets.base import BaseTarget, Context, Delivery, Sent, TargetOption
from whodid.targets.laid_out.collecting import explained
from whodid.typed import decode

_STATE: Final = ".{}.whodid"
_NUMBER: Final = re.compile(r"(\.\d+)+$")

crash.register(
    {
        "log-file.after-write": "lines are on disk; the place behind them is not written down",
        "log-file.after-place": "the place behind the lines is written down",
        "log-file.mid-rotation": "an older file has its next number; the newest is still the one written to",
        "log-file.after-rotation": "the newest file has a number; the next one is not begun",
    }
)


class _State(Struct, kw_only=True):
    """How long the file is with everything that counts, and up to where that goes."""

    size_bytes: int = 0
    places: dict[str, int] = {}


class LogFilesTarget(BaseTarget):
    """Each delivery is on disk when it is taken; what a crash left behind it is cut off at the next opening."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("path", None, "file", "absolute path of the newest file, such as /srv/audit/audit.log"),
        TargetOption("file_bytes_max", 100 * 1024 * 1024, "bytes", "a file is rotated at this size", kind="whole"),
        TargetOption("files_max", 20, "files", "rotated files that are kept; the oldest goes", kind="whole"),
    )
    EVENTS_MAX: ClassVar[int | None] = 10_000
    EXACTLY_ONCE: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        path = Path(options["path"])
        if not path.is_absolute():
            raise WhodidError("invalid", f"The path {str(path)!r} is not absolute.", "Begin it with /.", field="path")
        # A marked event must not get between those of the instance that runs.
        self._path = path.with_name(f"{path.name}.test") if context.testing else path
        self._file: BinaryIO | None = None
        self._lock: int | None = None
        self._state = _State()

    @classmethod
    def writes_alone(cls, options: Mapping[str, Any]) -> Mapping[str, str]:
        # The place stands beside the file, whoever writes it; what is rotated takes names with numbers.
        path = _NUMBER.sub("", os.path.realpath(options["path"]))
        return {path: f"the file {path}"}

    def open(self) -> Mapping[str, int]:
        with explained():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._state = self._load()
            self._file = self._path.open("ab")
            if self._file.tell() > self._state.size_bytes:
                self._file.truncate(self._state.size_bytes)
            else:
                self._state.size_bytes = self._file.tell()
            self._save()
        return dict(self._state.places)

    def send(self, delivery: Delivery) -> Sent:
        data = b"".join([line + b"\n" for line in delivery.lines()])
        with explained():
            assert self._file is not None
            if self._file.tell() >= self.options["file_bytes_max"]:
                self._rotate()
            self._file.write(data)
            self._file.flush()
            durable.sync(self._file.fileno())
            crash.point("log-file.after-write")
            self._note(delivery)
            crash.point("log-file.after-place")
        return Sent(delivery.count, len(data), (), f"{self._path}: {len(data):,} bytes")

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self.context.testing:
            self._state_path.unlink(missing_ok=True)

    @property
    def _state_path(self) -> Path:
        return self._path.with_name(_STATE.format(self._path.name))

    def _note(self, delivery: Delivery) -> None:
        assert self._file is not None
        self._state.size_bytes = self._file.tell()
        self._state.places[delivery.receiver] = delivery.last
        self._save()

    def _save(self) -> None:
        durable.replace(self._state_path, msgspec.json.encode(self._state), durable.SHARED_MODE)

    def _load(self) -> _State:
        try:
            return decode(self._state_path.read_bytes(), _State)
        except FileNotFoundError:
            # A file of somebody else's is gone on with, not cut.
            size_bytes = self._path.stat().st_size if self._path.exists() else 0
            return _State(size_bytes=size_bytes)
        except msgspec.DecodeError as error:
            raise WhodidError(
                "conflict", f"{self._state_path} is damaged: {error}.", "Delete it; the last events may come twice."
            ) from None

    def _rotate(self) -> None:
        """Give every file the next number, from the first gap down: where a crash left one, nothing is lost twice."""
        assert self._file is not None
        self._file.close()
        kept = self.options["files_max"]
        gap = next((number for number in range(1, kept + 1) if not self._numbered(number).exists()), kept)
        for number in range(gap - 1, 0, -1):
            self._numbered(number).replace(self._numbered(number + 1))
            crash.point("log-file.mid-rotation")
        if kept:
            self._path.replace(self._numbered(1))
        else:
            self._path.unlink()
        crash.point("log-file.after-rotation")
        durable.sync_folder(self._path.parent)
        self._state.size_bytes = 0
        self._save()
        self._file = self._path.open("ab")

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _take_lock(self) -> None:
        self._lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WhodidError(
                "busy", f"Another instance writes {self._path}.", "Choose a file of its own for each target and server."
            ) from None
