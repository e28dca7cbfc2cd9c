"""What was filtered by which rule and taken by which capture, kept over restarts; and the key of hashed parameters."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text, inspect, select, text

from whodid.directory import Directory
from whodid.directory.columns import SCHEMA, UtcTime
from whodid.directory.database import now

HASH_KEY_BYTES: Final = 32

metadata: Final = MetaData()

# A row for each rule and each capture, also for those that are gone.
counts: Final = Table(
    "policy_counts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    schema=SCHEMA,
)

hash_keys: Final = Table(
    "policy_hash_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    schema=SCHEMA,
)


class Count(NamedTuple):
    """How many events, and how long they are as JSON; between when and when."""

    events: int = 0
    bytes: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


class CountBook:
    """The counts in the directory's database."""

    def __init__(self, directory: Directory):
        self._directory = directory
        self._made = False

    def add(self, more: Mapping[str, tuple[int, int]]) -> None:
        """Add events and bytes to the counts of rules and captures, by their ids."""
        if not more:
            return
        self._make()
        at = now()
        rows = [
            {"id": name, "events": events, "bytes": size_bytes, "first_at": at, "last_at": at}
            for name, (events, size_bytes) in sorted(more.items())
        ]
        put = self._directory.insert(counts)
        added = {
            "events": counts.c.events + put.excluded.events,
            "bytes": counts.c.bytes + put.excluded.bytes,
            "last_at": put.excluded.last_at,
        }
        with self._directory.writing() as connection:
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=added), rows)

    def all(self) -> dict[str, Count]:
        """Every count, by the id of its rule or capture."""
        self._make()
        with self._directory.reading() as connection:
            return {
                row.id: Count(row.events, row.bytes, row.first_at, row.last_at)
                for row in connection.execute(select(counts))
            }

    def hash_key(self, *, make: bool) -> bytes:
        """The key that parameters are hashed with: the same for all servers on this directory; b"" if there is none.

        It stays as long as the directory does, so that equal values have equal hashes.
        """
        self._make()
        with self._directory.reading() as connection:
            found = connection.execute(select(hash_keys.c.secret)).scalar()
        if found is not None or not make:
            return bytes(found or b"")
        put = self._directory.insert(hash_keys).values(
            id="parameters", secret=secrets.token_bytes(HASH_KEY_BYTES), created_at=now()
        )
        with self._directory.writing() as connection:
            connection.execute(put.on_conflict_do_nothing())
            return bytes(connection.execute(select(hash_keys.c.secret)).scalar_one())

    def _make(self) -> None:
        """Make the tables where they are missing."""
        if self._made:
            return
        with self._directory.writing() as connection:
            schema = None
            if self._directory.dialect == "postgresql":
                schema = SCHEMA
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('whodid directory'))"))
            if not inspect(connection).has_table(hash_keys.name, schema=schema):
                metadata.create_all(connection)
        self._made = True
