"""Whose turn it is to write: one writer at a time decides which ids are new, on one server and on a cluster alike.

ClickHouse has no transactions. What it has is an insert that takes effect at most once for a token, and that is enough:
the row of turn 8 is inserted with a token of its own, so that of all who want to follow turn 7 one gets it. Every
statement that writes looks first whether its turn is still the latest one and fails otherwise; so somebody who was
thought dead and is not can do no harm, and a turn can be taken from whoever holds it for too long.
"""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from collections.abc import Iterable
from typing import Any, Final, Protocol

from whodid.errors import WhodidError

# Another writer's turn is waited for so long since it last said anything; then it is taken from it.
TURN_S: Final = 60.0
_LOOK_S: Final = 0.05
_TRIES_MAX: Final = 20

_HOST: Final = re.sub(r"[^\w.-]", "", socket.gethostname())

_LATEST: Final = """
SELECT turn, max(is_over), argMin(writer, is_over), dateDiff('millisecond', max(said_at), now64(6, 'UTC'))
FROM turns WHERE turn = (SELECT max(turn) FROM turns) GROUP BY turn
"""
_TAKE: Final = "INSERT INTO turns SELECT {turn}, {is_over}, '{writer}', now64(6, 'UTC')"
_TAKER: Final = "SELECT writer FROM turns WHERE turn = {turn} AND NOT is_over ORDER BY said_at LIMIT 1"
_KILL: Final = (
    "KILL QUERY{on_cluster} WHERE position(query, 'whodid turn ') > 0 AND query NOT ILIKE 'KILL%' AND {older} SYNC"
)
_OLDER: Final = "toInt64OrZero(extract(query, 'whodid turn ([0-9]+)')) < {turn}"
_SYNC: Final = "SYSTEM SYNC REPLICA{on_cluster} {table} LIGHTWEIGHT"
_SYNCED: Final = ("events_local", "event_entities_local", "rejected_events_local", "counted_days")


class Connection(Protocol):
    """A session that one thread at a time uses."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...
    def run(self, sql: str, data: bytes | None = None, **settings: Any) -> None: ...


class Turns:
    """The turns of one process; `writer` tells the others who it is.

    on_cluster  ` ON CLUSTER …` or nothing.
    """

    def __init__(self, on_cluster: str = ""):
        self.writer = f"{_HOST}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self._on_cluster = on_cluster
        self._last: int | None = None

    def take(self, connection: Connection, *, wait_s: float = TURN_S) -> int:
        """Wait for the turn and take it; returns its number.

        Raises
        ------
        WhodidError("unavailable")
            Temporary: others are always quicker.
        """
        for _ in range(_TRIES_MAX):
            latest, is_over, holder, _ = _latest(connection)
            if not is_over and holder != self.writer:
                latest, is_over, holder, _ = _waited(connection, wait_s)
            turn = latest + 1
            connection.run(
                _TAKE.format(turn=turn, is_over="false", writer=self.writer), insert_deduplication_token=f"turn {turn}"
            )
            taker = connection.rows(_TAKER.format(turn=turn))
            if taker and taker[0][0] == self.writer:
                if not is_over:
                    self._end_others(connection, turn)
                if self._last != latest:
                    see_all(connection, self._on_cluster, _SYNCED)
                self._last = turn
                return turn
        raise WhodidError(
            "unavailable",
            "Other writers take every turn to write to ClickHouse.",
            "Try again soon.",
            retry_after_s=1,
        )

    def give(self, connection: Connection, turn: int) -> None:
        """Say that the turn is over: the next writer need not wait."""
        connection.run(
            _TAKE.format(turn=turn, is_over="true", writer=self.writer), insert_deduplication_token=f"over {turn}"
        )

    def _end_others(self, connection: Connection, turn: int) -> None:
        """End what an earlier writer's statements may still be doing: those that begin later see this turn and fail."""
        connection.run(_KILL.format(on_cluster=self._on_cluster, older=_OLDER.format(turn=turn)))


def see_all(connection: Connection, on_cluster: str, tables: Iterable[str]) -> None:
    """Wait until every replica has what has been stored in some tables; on one server there is nothing to wait for."""
    if on_cluster:
        for table in tables:
            connection.run(_SYNC.format(on_cluster=on_cluster, table=table))


def condition(turn: int) -> str:
    """The condition by which a statement fails at once when its turn is over; begins with a mark to find it by."""
    return (
        f"/* whodid turn {turn} */ throwIf((SELECT max(turn) FROM turns) != {turn}, "  # noqa: S608 (a number)
        "'whodid: another writer has taken the turn') = 0"
    )


def _waited(connection: Connection, wait_s: float) -> tuple[int, bool, str, int]:
    """The latest turn as soon as it is over, or its holder is dead or has been silent for too long."""
    while True:
        latest = _latest(connection)
        _, is_over, holder, silent_ms = latest
        if is_over or silent_ms >= wait_s * 1000 or _is_dead(holder):
            return latest
        time.sleep(_LOOK_S)


def _is_dead(writer: str) -> bool:
    """Whether a writer was a process of this machine that is gone."""
    host, _, rest = writer.partition(":")
    if host != _HOST:
        return False
    try:
        os.kill(int(rest.partition(":")[0]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _latest(connection: Connection) -> tuple[int, bool, str, int]:
    found = connection.rows(_LATEST)
    if not found:
        return 0, True, "", 0
    turn, is_over, writer, silent_ms = found[0]
    return int(turn), bool(is_over), str(writer), int(silent_ms)
