"""A running agent: reading, outbox and courier on one state folder, and how it stands, for whoever looks."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from whodid import __version__
from whodid.agent.courier import Courier
from whodid.agent.outbox import LANES, Outbox, age_s
from whodid.agent.reading import Reading, node_of
from whodid.agent.settings import Settings, checked, machine_name
from whodid.agent.wire import Hello
from whodid.client.locking import try_lock
from whodid.datasets.checkpoint import Checkpoints
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.journal.base import Draft
from whodid.typed import decode

STATUS_EVERY_S: Final = 1.0
_DRAIN_S: Final = 3.0
_IDENTITY: Final = "agent.json"
_STATUS: Final = "status.json"


class Identity(Struct, kw_only=True):
    """What of an agent is the same after each start; `node` is what its events name, `nameless` that they name none."""

    agent: str
    node: str | None = None
    nameless: bool = False


class Agent:
    """Everything of an agent; `start` returns at once, `close` leaves in the outbox what was not taken."""

    def __init__(self, settings: Settings):
        self.settings = checked(settings)
        self._folder = settings.state
        self._lock = _own(self._folder)
        self._identity = _identity(self._folder)
        self.outbox = Outbox(self._folder / "outbox", settings.outbox_bytes_max)
        self._checkpoints = Checkpoints(self._folder / "files.db")
        self.reading = Reading(settings, self.outbox, self._checkpoints, self._saw)
        self.courier = Courier(settings, self.outbox, self.hello)
        self._began_at = datetime.now(UTC)
        self._done = threading.Event()
        self._writer = threading.Thread(target=self._tell, name="whodid-agent-status", daemon=True)

    def start(self) -> None:
        self.courier.start()
        self._writer.start()
        if not self.settings.once:
            self.reading.start()

    def once(self, give_up: threading.Event) -> bool:
        """Read what there is and send it; False when `give_up` came first, or a file could not be read."""
        self.reading.once()
        while self.outbox.first() is not None:
            if give_up.wait(0.02):
                return False
        return not self.reading.failed

    def close(self) -> None:
        self.reading.close()
        self.courier.close(_DRAIN_S)
        self._done.set()
        self._writer.join()
        self._write_status(running=False)
        self._checkpoints.close()
        os.close(self._lock)

    def hello(self) -> Hello:
        """Who this is, and what waits, as of now."""
        waiting = [self.outbox.waiting(lane) for lane in LANES]
        return Hello(
            agent=self._identity.agent,
            node=self.settings.node or self._identity.node,
            node_type=self.settings.node_type,
            machine=machine_name() if self._identity.nameless else None,
            version=__version__,
            sent_at=datetime.now(UTC),
            waiting_events=sum(each.events for each in waiting),
            waiting_bytes=sum(each.size_bytes for each in waiting),
            waiting_s=round(age_s(min((each.oldest_at for each in waiting if each.oldest_at), default=None)), 1),
        )

    def status(self, *, running: bool = True) -> dict[str, Any]:
        """How it stands, as plain values."""
        told: dict[str, Any] = {
            "running": running,
            "pid": os.getpid(),
            "version": __version__,
            "at": datetime.now(UTC),
            "began_at": self._began_at,
            "agent": self._identity.agent,
            "node": self.settings.node or self._identity.node or self.courier.node,
            "node_type": self.settings.node_type,
            "server": self.courier.server,
            "paths": self.settings.paths,
            "trouble": self.courier.trouble or self.reading.trouble(),
            "clock_ahead_s": self.courier.clock_ahead_s,
            "backlog_read": self.reading.backlog_read,
            "sent": self.courier.sent,
            "dead_batches": self.outbox.dead(),
            "files_failed": self.reading.failed,
        }
        for lane in LANES:
            waiting, (events, rejected) = self.outbox.waiting(lane), self.reading.counts(lane)
            told[lane] = {
                "read_events": events,
                "read_rejected": rejected,
                "waiting_batches": waiting.batches,
                "waiting_events": waiting.events,
                "waiting_bytes": waiting.size_bytes,
                "waiting_s": round(age_s(waiting.oldest_at), 1),
            }
        plain: dict[str, Any] = msgspec.to_builtins(told)
        return plain

    def _saw(self, draft: Draft) -> None:
        """The first events tell which node this is."""
        known = self.settings.node or self._identity.node or self._identity.nameless
        if not known and draft.count:
            self._identity.node = node_of(draft)
            self._identity.nameless = self._identity.node is None
            _write(self._folder / _IDENTITY, self._identity)

    def _tell(self) -> None:
        while not self._done.wait(STATUS_EVERY_S):
            self._write_status()

    def _write_status(self, *, running: bool = True) -> None:
        # On a full disk it is the outbox that complains.
        with contextlib.suppress(OSError):
            _write(self._folder / _STATUS, self.status(running=running))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def last_status(folder: Path) -> dict[str, Any]:
    """How the agent of a state folder stands, or stood when it ended.

    Raises
    ------
    WhodidError("not_found")
        No agent ever ran there.
    """
    try:
        told: dict[str, Any] = msgspec.json.decode((folder / _STATUS).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise WhodidError(
            "not_found", f"No agent has told of itself in {folder}.", "Name the agent's files, or --state FOLDER."
        ) from error
    lock = try_lock(folder / "lock")
    if lock is not None:
        os.close(lock)
        told["running"] = False
    told["told_s_ago"] = round(time.time() - datetime.fromisoformat(told["at"]).timestamp(), 1)
    return told


def _own(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = try_lock(folder / "lock")
    if lock is None:
        raise WhodidError(
            "conflict",
            f"Another agent works with {folder}.",
            "One is enough for the same files; for others name --state FOLDER.",
        )
    return lock


def _identity(folder: Path) -> Identity:
    path = folder / _IDENTITY
    try:
        return decode(path.read_bytes(), Identity)
    except (FileNotFoundError, msgspec.DecodeError):
        identity = Identity(agent=new_id())
        _write(path, identity)
        return identity


def _write(path: Path, value: Any) -> None:
    half = path.with_suffix(".half")
    half.write_bytes(msgspec.json.encode(value) + b"\n")
    half.replace(path)
