"""Connections to PostgreSQL, and what its errors mean."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
from psycopg import errors

from whodid import postgresql
from whodid.errors import WhodidError
from whodid.postgresql import Connection
from whodid.stores.pool import Pool

# A connection that was idle and says nothing for so long is thrown away.
IDLE_ANSWERS_S: Final = 3.0

# `jit` costs more than it brings on queries of seconds; lz4 is not built into every server.
# A machine that is gone without a word is noticed in half a minute, so that its turn to write is over.
_AT_START: Final = (
    "SET timezone = 'UTC'",
    "SET jit = off",
    "SET default_toast_compression = 'lz4'",
    "SET tcp_keepalives_idle = 15",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)

_TOO_LARGE: Final = (errors.ConfigurationLimitExceeded, errors.ProgramLimitExceeded, errors.OutOfMemory)
# A transaction in which nothing was said for too long is the engine's to end.
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, errors.IdleInTransactionSessionTimeout)
_FORBIDDEN: Final = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)


def connect(url: str) -> Connection:
    """A connection in autocommit mode, in UTC. Raises WhodidError("unavailable") when there is no answer."""
    with told("connecting"):
        connection = postgresql.connect(url, autocommit=True)
        with connection.within(postgresql.CONNECT_TIMEOUT_S):
            for statement in _AT_START:
                with suppress(errors.InvalidParameterValue, errors.UndefinedObject):
                    connection.execute(statement)
        return connection


def break_off(connection: Connection) -> None:
    """Fail what another thread does on a connection, at once and for good; the server rolls it back."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


class Connections(Pool[Connection]):
    """Connections to one database."""

    def __init__(self, url: str):
        super().__init__()
        self._url = url

    def _open(self) -> Connection:
        return connect(self._url)

    def _end(self, held: Connection) -> None:
        held.close()

    def _is_whole(self, held: Connection, problem: BaseException | None) -> bool:
        with suppress(psycopg.Error):
            if not held.closed:
                held.rollback()
        return not held.closed and not held.broken

    def _still_answers(self, held: Connection) -> bool:
        try:
            with held.within(IDLE_ANSWERS_S):
                held.execute("SELECT")
        except psycopg.Error:
            return False
        return True


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn the driver's errors within the block into WhodidErrors that say what went wrong while doing `what`."""
    try:
        yield
    except psycopg.Error as problem:
        raise translated(problem, what) from problem


def translated(problem: psycopg.Error, what: str) -> WhodidError:
    """The WhodidError that says what a driver's error means."""
    message = (problem.diag.message_primary or str(problem).strip() or type(problem).__name__).splitlines()[0]
    if isinstance(problem, errors.QueryCanceled):
        return WhodidError("timeout", f"PostgreSQL stopped {what}: {message}.", "Narrow the time range.")
    if isinstance(problem, errors.DiskFull):
        return WhodidError(
            "full", f"PostgreSQL has no space for {what}: {message}.", "Free some; it goes on by itself."
        )
    if isinstance(problem, _FORBIDDEN):
        return WhodidError("forbidden", f"PostgreSQL refuses {what}: {message}.", "Only the events can be read.")
    if isinstance(problem, _TOO_LARGE):
        return WhodidError("too_large", f"PostgreSQL gave up {what}: {message}.", problem.diag.message_hint)
    if isinstance(problem, _AWAY):
        return WhodidError(
            "unavailable",
            f"PostgreSQL does not answer while {what} ({type(problem).__name__}).",
            f"The reason: {_reason(message)}. Look at its log and at the address.",
            retry_after_s=1,
        )
    return WhodidError("invalid", f"PostgreSQL refuses {what}: {_readable(message)}.", problem.diag.message_hint)


def _reason(message: str) -> str:
    """What the server or the system said, without the way there, which whoever reads it knows."""
    return message.rpartition("failed: ")[2].removeprefix("FATAL:").strip().rstrip(".")


def _readable(message: str) -> str:
    """Without what may be a part of the address's password."""
    if message.startswith("invalid percent-encoded token"):
        return "the address has a % that begins no sign; write % itself as %25"
    return message
