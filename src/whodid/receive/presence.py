"""A server's place among the receivers of its directory: it says how it stands, and looks after the others.

Nobody leads: every server writes its own row, and whoever notices first that another fell silent, or that its journal
is gone, tells of it.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from whodid import __version__
from whodid.directory import Directory
from whodid.directory.receivers import STOPPED, Receiver, Sign
from whodid.errors import WhodidError
from whodid.event import BY_ITSELF
from whodid.journal.base import KeptBatches
from whodid.reading.dialect import dialect_of
from whodid.receive.asking import Asking
from whodid.receive.readiness import problems, questions, receiving_problems
from whodid.stores.base import Store

# Nobody else reads the row of a server that has its directory for itself.
BEAT_S: Final = {"sqlite": 10.0, "postgresql": 1.0}
# Containers that come and go leave receivers behind that nobody will start again.
FORGOTTEN_S: Final = 24 * 3600.0
_HEAD: Final = """
SELECT max(e.seq) AS seq FROM {events} e
WHERE e.receiver = CAST($receiver AS varchar) AND e.seq > $after AND e.seq <= $last
"""

_log = logging.getLogger("whodid.receivers")


class Tells(Protocol):
    """A part that tells how it stands."""

    def status(self) -> Any: ...


class Presence:
    """Says that this server is there, every second or two, until `close`.

    Parameters
    ----------
    targets
        Tells how the targets of this server stand.
    kind
        `disk` when what this receiver acknowledged lies on its own disk only, until it is stored.
    name
        What it is called; empty: as its machine.
    silent_s
        After how long without a sign of life others are told of as silent; 0: never.
    asking
        Asks store and directory whether they are there, without waiting for them.
    """

    def __init__(
        self,
        directory: Directory,
        store: Store,
        journal: KeptBatches,
        writer: Tells,
        targets: Tells,
        *,
        kind: str,
        folder: Path,
        name: str = "",
        silent_s: float = 30.0,
        asking: Asking | None = None,
    ):
        self.receiver = journal.receiver
        self.stopping = False
        """The server is about to stop: it takes no more from balancers."""
        self._directory = directory
        self._store = store
        self._journal: Any = journal
        self._writer = writer
        self._targets = targets
        self._kind = kind
        self._folder = str(folder.absolute())
        self._host = socket.gethostname()
        self._name = name or self._host
        self._silent_s = silent_s
        self._asking = asking or Asking()
        self._address = ""
        self._started_at = datetime.now(UTC)
        self._reachable = True
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, address: str) -> None:
        """Be there from now on; `address` is where others reach this server."""
        self._address = address
        self._try(self.beat)
        self._thread = threading.Thread(target=self._run, name="whodid-receivers", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """From now on this server is not ready: it finishes what it has accepted, and says so."""
        self.stopping = True
        self._asked.set()

    def close(self) -> None:
        """Say that it stops, and how far it came. A server that was never started says nothing."""
        self.stopping = True
        self._stop.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join()
            self._try(lambda: self.beat(STOPPED))

    def beat(self, state: str | None = None) -> None:
        """Write down how it stands. Raises WhodidError("unavailable")."""
        journal: dict[str, Any] = msgspec.to_builtins(self._journal.status())
        writer: dict[str, Any] = msgspec.to_builtins(self._writer.status())
        # One that stops is not ready, and asks nothing that may be away any more.
        wrong = (
            list(receiving_problems(journal, stopping=True))
            if state == STOPPED
            else problems(
                journal, writer, self._asking.ask(questions(self._store, self._directory)), stopping=self.stopping
            )
        )
        standing = _standing(journal, writer, msgspec.to_builtins(self._targets.status()))
        self._directory.note_receiver(
            Sign(
                receiver=self.receiver,
                name=self._name,
                host=self._host,
                folder=self._folder,
                address=self._address,
                version=__version__,
                journal=self._kind,
                state=state or ("draining" if self.stopping else "serving"),
                started_at=self._started_at,
                acknowledged=journal["seq_next"] - 1,
                settled=journal["settled"],
                standing={**standing, "ready": not wrong, "problems": [problem.text for problem in wrong]},
            )
        )

    def look(self) -> None:
        """Tell of receivers that fell silent, and of those whose journal is gone; retire those that held nothing."""
        self._directory.tell_silent_receivers(self._silent_s)
        known = self._directory.receivers()
        ours = next((one for one in known if one.receiver == self.receiver), None)
        for other in known:
            if ours is not None and _is_in_place_of(ours, other):
                self._directory.lose_receiver(other, self.stored(other), replaced_by=ours.receiver)
            elif _is_forgotten(other):
                self._directory.retire_receiver(other.receiver)

    def retire(self, which: str, *, by: str | None = None) -> Receiver:
        """Wait for a receiver no more. What it acknowledged and never stored is written down as lost.

        Raises
        ------
        WhodidError("not_found")
            There is no such receiver.
        WhodidError("conflict")
            It is there: stop it first.
        """
        found = self._directory.receiver(which)
        if found.now_is in ("serving", "draining"):
            raise WhodidError(
                "conflict",
                f"The receiver {found.name} gave a sign of life {found.seen_s_ago:.0f} s ago.",
                "Stop it first. One that was killed counts as silent after receiver_silent_s.",
            )
        if found.lost_at is None:
            self._directory.lose_receiver(found, self.stored(found), by=by or BY_ITSELF)
        return self._directory.retire_receiver(found.receiver, by=by)

    def stored(self, other: Receiver) -> int:
        """The highest running number of a receiver that is stored, as far as it acknowledged. Raises as `Store.query`.

        Only what it had not seen as settled is looked at.
        """
        sql = _HEAD.format(events=dialect_of(self._store.kind).events)
        params = {"receiver": other.receiver, "after": other.settled, "last": other.acknowledged}
        answer = self._store.query(sql, params, limit=1, trusted=True)
        return int(answer.table["seq"][0].as_py() or other.settled)

    def _run(self) -> None:
        every_s = BEAT_S[self._directory.dialect]
        while not self._stop.is_set():
            self._asked.wait(every_s)
            self._asked.clear()
            if not self._stop.is_set():
                self._try(self._step)

    def _step(self) -> None:
        self.beat()
        self.look()

    def _try(self, work: Any) -> None:
        try:
            work()
            self._reachable = True
        except WhodidError as error:
            if self._reachable:
                _log.warning("How this receiver stands could not be written down: %s", error.message)
            self._reachable = False
        except Exception:
            _log.exception("Receivers could not be looked after.")


_JOURNALS: Final = (
    "backlog_bytes", "backlog_bytes_max", "disk_free_bytes", "disk_free_bytes_min", "events_per_second",
)  # fmt: skip
_WRITERS: Final = ("lag_batches", "lag_bytes", "lag_seconds", "rate", "last_error")
_TARGETS: Final = ("name", "state", "waiting_events", "dead_letters", "lost")


def _standing(
    journal: Mapping[str, Any], writer: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        **{name: journal.get(name) for name in _JOURNALS},
        **{name: writer.get(name) for name in _WRITERS},
        "quarantined": len(journal.get("quarantine") or ()),
        "targets": [{name: target.get(name) for name in _TARGETS} for target in targets],
    }


def _is_forgotten(other: Receiver) -> bool:
    """Whether nobody need wait any more for a receiver that is away: its own disk holds nothing."""
    holds_nothing = other.journal != "disk" or (other.now_is == STOPPED and other.settled >= other.acknowledged)
    return holds_nothing and other.now_is in ("silent", STOPPED) and other.seen_s_ago > FORGOTTEN_S


def _is_in_place_of(ours: Receiver, other: Receiver) -> bool:
    """Whether this server works in the folder that was another receiver's: then that one's journal is gone.

    One that still gives signs of life is on another machine of the same name.
    """
    return (
        other.receiver != ours.receiver
        and (other.host, other.folder) == (ours.host, ours.folder)
        and other.now_is in ("silent", STOPPED)
        and other.first_seen < ours.first_seen
    )
