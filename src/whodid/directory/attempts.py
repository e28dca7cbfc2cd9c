"""Failed sign-ins, counted by account and by address, so that guessing takes ever longer."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, select

from whodid.directory import tables
from whodid.directory.database import now
from whodid.directory.secret import digest
from whodid.directory.snapshot import Watched
from whodid.errors import WhodidError

FORGOTTEN_AFTER: Final = timedelta(days=1)


class Patience(NamedTuple):
    """So many failures cost nothing; each further one doubles the wait, up to the longest."""

    free: int
    longest_s: int

    def wait_s(self, failures: int) -> int:
        return 0 if failures < self.free else min(self.longest_s, 2 ** min(failures - self.free, 30))


# One account is known to few people; behind one address there may be an office.
ACCOUNT: Final = Patience(free=5, longest_s=5 * 60)
ADDRESS: Final = Patience(free=20, longest_s=15 * 60)


class Attempts(Watched):
    """The part of the directory that counts failed sign-ins; all servers of a database count together."""

    def attempt(self, account: str, address: str | None) -> None:
        """Count an attempt before it is judged, so that many at once gain nothing; `attempt_succeeded` takes it back.

        Raises
        ------
        WhodidError("busy")
            Too many failed: `retry_after_s` says how long to wait.
        """
        at = now()
        with self.writing() as connection:
            attempts = tables.sign_in_attempts
            connection.execute(delete(attempts).where(attempts.c.last_at < at - FORGOTTEN_AFTER))
            for name, _ in _names(account, address):
                # A row that is not there cannot be locked: all first attempts at once would see none.
                fields = {"digest": name, "failures": 0, "next_at": at, "last_at": at}
                connection.execute(self.insert(attempts).values(**fields).on_conflict_do_nothing())
            counted = [(name, patience, self._found(connection, name)) for name, patience in _names(account, address)]
            waits = [(row.next_at - at).total_seconds() for _, _, row in counted if row is not None]
            if any(wait > 0 for wait in waits):
                raise WhodidError(
                    "busy",
                    "Too many sign-ins failed.",
                    "Wait before you try again.",
                    retry_after_s=max(1, round(max(waits))),
                )
            for name, patience, row in counted:
                self._count(connection, name, patience, 1 + (row.failures if row is not None else 0), at)

    def attempt_succeeded(self, account: str, address: str | None) -> None:
        """Forget the failures of an account; those of an address are only not added to."""
        attempts, at = tables.sign_in_attempts, now()
        with self.writing() as connection:
            connection.execute(delete(attempts).where(attempts.c.digest == _account(account)))
            for name, patience in _names(account, address)[1:]:
                row = self._found(connection, name)
                if row is not None:
                    self._count(connection, name, patience, row.failures - 1, at)

    @staticmethod
    def _found(connection: Connection, name: bytes) -> Any:
        attempts = tables.sign_in_attempts
        return connection.execute(select(attempts).where(attempts.c.digest == name).with_for_update()).first()

    def _count(self, connection: Connection, name: bytes, patience: Patience, failures: int, at: datetime) -> None:
        fields = {"failures": failures, "next_at": at + timedelta(seconds=patience.wait_s(failures)), "last_at": at}
        put = self.insert(tables.sign_in_attempts).values(digest=name, **fields)
        connection.execute(put.on_conflict_do_update(index_elements=["digest"], set_=fields))


def _names(account: str, address: str | None) -> list[tuple[bytes, Patience]]:
    names = [(_account(account), ACCOUNT)]
    return [*names, (digest(f"address:{network_of(address)}"), ADDRESS)] if address else names


def _account(account: str) -> bytes:
    return digest(f"account:{account}".encode("utf-8", "replace"))


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which belongs to one line."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip if ip.version == 4 else ipaddress.ip_network((ip, 64), strict=False))
