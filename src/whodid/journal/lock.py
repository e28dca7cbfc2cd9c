"""One process at a time owns a folder; a second one learns which process that is."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.errors import WhodidError
from whodid.typed import decode

try:
    import fcntl
except ImportError:
    raise WhodidError(
        "unsupported",
        "A data folder is kept on Linux and macOS only.",
        "On Windows run whodid in WSL or a container, or ask a server that runs elsewhere: --server URL.",
    ) from None

LOCK_NAME: Final = "lock"
RECORD_NAME: Final = "server.json"

OWNER_NAME: Final = "owner of the data folder"
"""Whoever works by the right of the folder, with a server or without one, as events name it."""

# A look at `owner` holds the lock for an instant; an acquirer waits that out.
_PATIENCE_S: Final = 0.3
_RETRY_S: Final = 0.01


class Owner(Struct, kw_only=True, omit_defaults=True):
    """The process that owns a folder, as it describes itself. `key` is a secret for its own OS user."""

    pid: int
    command: str
    started_at: datetime
    url: str | None = None
    key: str | None = None


class FolderLock:
    """The right to a folder, for as long as the process lives or until `release`.

    The lock is the kernel's (flock on the file `lock`), so that a killed process leaves nothing to clean up. The
    record beside it (mode 0600) tells others whom to talk to.
    """

    def __init__(self, folder: Path, record: Path, descriptor: int, owner: Owner):
        self.folder = folder
        self.owner = owner
        self._record = record
        self._descriptor: int | None = descriptor
        _held.add(self)

    @classmethod
    def acquire(cls, data_path: Path, *, record: str = RECORD_NAME, **info: Any) -> FolderLock:
        """Own `data_path`, which is made if it does not exist.

        info    further fields of the record: url, key.
        Raises  WhodidError("conflict")  permanent: another process owns it; the message says which.
        """
        data_path.mkdir(mode=durable.FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(data_path / LOCK_NAME, os.O_RDWR | os.O_CREAT, durable.FILE_MODE)
        try:
            if not _locked(descriptor, patience_s=_PATIENCE_S):
                raise _conflict(data_path, record)
            owner = Owner(pid=os.getpid(), command=_command(), started_at=datetime.now(UTC), **info)
            lock = cls(data_path, data_path / record, descriptor, owner)
            lock.update()
        except BaseException:
            os.close(descriptor)
            raise
        return lock

    def update(self, **info: Any) -> None:
        """Change fields of the record (url, key) once they are known."""
        self.owner = msgspec.structs.replace(self.owner, **info)
        durable.replace(self._record, msgspec.json.encode(self.owner) + b"\n")

    def release(self) -> None:
        """Let go of the folder. A second call does nothing."""
        if self._descriptor is None:
            return
        self._record.unlink(missing_ok=True)
        self._forget()

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        _held.discard(self)


def owner(data_path: Path, *, record: str = RECORD_NAME) -> Owner | None:
    """The living process that owns `data_path`, or None."""
    try:
        descriptor = os.open(data_path / LOCK_NAME, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return None if _locked(descriptor) else _read(data_path / record)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, patience_s: float = 0) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise WhodidError(
                    "unavailable",
                    f"The folder's file system cannot lock files: {error.strerror}.",
                    "Put the data folder on a local disk.",
                ) from error
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_RETRY_S)


def _read(record: Path) -> Owner | None:
    """The record of an owner that may be just writing it."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return decode(record.read_bytes(), Owner)
        if time.monotonic() >= deadline:
            return None
        time.sleep(_RETRY_S)


def _conflict(folder: Path, record: str) -> WhodidError:
    other = _read(folder / record)
    if other is None:
        return WhodidError(
            "conflict",
            f"{folder} is in use by another process, which did not say which one it is.",
            f"Find it with: fuser {folder / LOCK_NAME}",
        )
    talk = f"or talk to it with --server {other.url}" if other.url else "or use another folder"
    return WhodidError(
        "conflict",
        f"{folder} is in use by process {other.pid} ({other.command}), since {other.started_at:%Y-%m-%d %H:%M:%S} UTC.",
        f"Stop that process (kill {other.pid}), {talk}.",
    )


def _command() -> str:
    """The program and its verb. Options are left out: they may hold secrets."""
    program = Path(sys.argv[0] if sys.argv else "")
    name = program.parent.name if program.name == "__main__.py" else program.name
    verb = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1][:1].isalpha() else ""
    return f"{name if name[:1].isalpha() else 'python'} {verb}".strip()


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _forget_in_fork() -> None:
    """A fork shares its parent's lock; it must not keep the folder locked when the parent has ended."""
    for lock in list(_held):
        lock._forget()


os.register_at_fork(after_in_child=_forget_in_fork)
