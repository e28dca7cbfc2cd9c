"""The store in ClickHouse, on one server or on a cluster: for those who outgrow one machine.

Any number of whodid processes write to it and read from it. Writers take turns (`clickhouse_turns`), so that each
event is stored once by its id; the engine counts by the hour in projections, which are exact at any moment.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from whodid.errors import WhodidError
from whodid.journal.base import Batch, behind
from whodid.journal.crash import point
from whodid.stores import clickhouse_counting, clickhouse_forget, clickhouse_query, clickhouse_schema, guard
from whodid.stores.base import Forgotten, Mentions, Result, StoreStats, Written
from whodid.stores.clickhouse_address import Address, parse
from whodid.stores.clickhouse_client import QUERY, Clients, keeps_tables, told, within
from whodid.stores.clickhouse_counting import Counting
from whodid.stores.clickhouse_load import LOAD_BYTES_MAX, Load, brought
from whodid.stores.clickhouse_params import bound, quoted
from whodid.stores.clickhouse_session import Session, rows_of
from whodid.stores.clickhouse_turns import Turns
from whodid.stores.clickhouse_words import translated
from whodid.stores.writer_batches import groups

ASKED_SILENT_S: Final = 60.0
BREAK_OFF_S: Final = 2.0

_POSITIONS: Final = "SELECT receiver, max(number) FROM journal_position GROUP BY receiver"
_POSITION: Final = "SELECT number, writer FROM journal_position WHERE receiver = {} ORDER BY number DESC LIMIT 1"
_STATS: Final = """
SELECT
    (SELECT count() FROM events), (SELECT count() FROM rejected_events), (SELECT sum(bytes_on_disk) FROM {parts}),
    (SELECT minOrNull(time) FROM events), (SELECT maxOrNull(time) FROM events)
"""
_NOTHING: Final = Written(events=0, duplicates=0, rejects=0, mentions=Mentions())
_PARTS: Final = "{relation} WHERE active AND database = '{database}'"


class ClickHouseStore:
    """A store in a ClickHouse database, which is made when it is not there.

    url     `clickhouse://user@host/database?cluster=…`; see `clickhouse_address`.
    Raises  WhodidError("unavailable")  temporary: no server answers.
            WhodidError("invalid")      the address cannot be read, or the server knows no such cluster.
            WhodidError("conflict")     a newer whodid has upgraded the database.
            WhodidError("forbidden")    user or password are wrong, or the user may not make the tables.
    """

    kind = "clickhouse"

    def __init__(self, url: str):
        self._address = parse(url)
        self._readers = Clients(self._address)
        self._writing = threading.Lock()
        self._made: dict[int, Session] = {}
        self._closed = False
        self._version = 0
        self._on_cluster = clickhouse_schema.on_cluster(self._address)
        self._suffix = "_local" if self._address.cluster else ""
        self._parts = _PARTS.format(relation=_parts_of(self._address), database=self._address.database)
        self._counting = Counting(
            parts=self._parts, suffix=self._suffix, on_cluster=self._on_cluster, ttl_days=self._address.ttl_days
        )
        self._turns = Turns(self._on_cluster)
        self._positions: dict[str, int] = {}
        with told("opening the store"), self._sessions() as session:
            self._version = clickhouse_schema.upgrade(self._address, session(0))
            if clickhouse_schema.limit_age(self._address, session(0)):
                with self._turn(session(0)) as turn:
                    session(0).run(clickhouse_counting.changed("true", turn))

    def position(self, receiver: str) -> int:
        """See `Store.position`."""
        with told("reading the position"), self._reader() as client:
            number, _ = _position(functools.partial(rows_of, client), receiver)
        with self._writing:
            self._positions[receiver] = number
        return number

    def positions(self) -> dict[str, int]:
        """See `Store.positions`."""
        with told("reading the positions"), self._reader() as client:
            return {str(receiver): int(number) for receiver, number in rows_of(client, _POSITIONS)}

    def write(self, batches: Sequence[Batch]) -> Written:
        """See `Store.write`. Batches are stored a load at a time, each with its position.

        Raises
        ------
        WhodidError("unavailable")
            Temporary, besides what `Store.write` says: another writer of the same name stores here.
        """
        runs = groups(batches, LOAD_BYTES_MAX)
        with told("writing"), self._writing:
            written = _NOTHING
            with self._sessions() as session, closing(brought(session, runs)) as brought_loads:
                for load in brought_loads:
                    with self._turn(load.session) as turn:
                        part = self._store(turn, load)
                    point("store.after-commit")
                    written = _both(written, part)
            return written

    def rest(self) -> None:
        """See `Store.rest`: days that are over are counted, for a second or so."""
        with told("counting"), self._writing, self._sessions() as session:
            self._counting.step(session(0), functools.partial(self._turn, session(0)))

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 30_000,
        trusted: bool = False,
    ) -> Result:
        """See `Store.query`. Trusted statements are in the common dialect; others in ClickHouse's own."""
        if not trusted:
            guard.check(sql, "clickhouse")
        with told(QUERY), self._readers.one() as client:
            statement = translated(sql, keeps_tables(client)) if trusted else sql
            if trusted and "$counted_days" in statement:
                params = {**dict(params or {}), **self._counting.holding(functools.partial(rows_of, client))}
            return clickhouse_query.run(
                client,
                self._readers,
                bound(statement, params),
                limit=limit,
                timeout_ms=timeout_ms,
                embedded=self._address.folder is not None,
            )

    def forget(self, level: str, before: datetime) -> Forgotten:
        """See `Store.forget`."""
        with told("forgetting"), self._writing, self._sessions() as session, self._turn(session(0)) as turn:
            return clickhouse_forget.forget(
                session(0), level, before, turn=turn, suffix=self._suffix, on_cluster=self._on_cluster
            )

    def stats(self) -> StoreStats:
        """See `Store.stats`; on a cluster all copies of a row count for its size."""
        with told("reading the statistics"), self._reader() as client:
            events, rejects, size_bytes, oldest, newest = rows_of(client, _STATS.format(parts=self._parts))[0]
        return StoreStats(
            events=int(events),
            rejects=int(rejects),
            size_bytes=int(size_bytes or 0),
            oldest=_utc(oldest),
            newest=_utc(newest),
            version=self._version,
        )

    def close(self) -> None:
        """Let go of all connections; what was written is durable already. A write that goes on is left to itself."""
        self._closed = True
        if self._writing.acquire(timeout=BREAK_OFF_S):
            try:
                self._drop_sessions()
            finally:
                self._writing.release()
        self._readers.close()

    @contextmanager
    def _reader(self) -> Iterator[Client]:
        with self._readers.one() as client, within(client, ASKED_SILENT_S):
            yield client

    def _store(self, turn: int, load: Load) -> Written:
        """Store a load but for what of it is stored already."""
        session, batches, receiver = load.session, load.batches, load.batches[0].receiver
        stored, writer = _position(session.rows, receiver)
        known = self._positions.setdefault(receiver, stored)
        if stored > known and writer != self._turns.writer:
            passed = [batch for batch in batches if batch.number <= stored]
            if passed and not Load(session, passed).is_stored():
                raise _same_name(receiver, writer, stored, known)
        waiting = behind(batches, stored)
        if waiting != batches:
            load = Load(session, waiting)
        written = load.store(turn, self._turns.writer) if waiting else _NOTHING
        self._positions[receiver] = max(stored, batches[-1].number)
        return written

    @contextmanager
    def _turn(self, session: Session) -> Iterator[int]:
        """The turn to write, for the length of a block."""
        turn = self._turns.take(session)
        try:
            yield turn
        finally:
            with suppress(ClickHouseError):
                self._turns.give(session, turn)

    @contextmanager
    def _sessions(self) -> Iterator[Callable[[int], Session]]:
        """The sessions that write, by number; after a failure all are made anew."""
        if self._closed:
            raise WhodidError("unavailable", "The store is closed.", retry_after_s=1)
        try:
            yield self._session
        except BaseException:
            self._drop_sessions()
            raise

    def _session(self, number: int) -> Session:
        if number not in self._made:
            self._made[number] = Session(self._address)
            if self._version:
                self._made[number].use(self._address.database)
        return self._made[number]

    def _drop_sessions(self) -> None:
        for session in self._made.values():
            with suppress(Exception):
                session.close()
        self._made.clear()


def _parts_of(address: Address) -> str:
    """The relation that tells of the parts of tables; on a cluster those of all replicas."""
    return f"clusterAllReplicas('{address.cluster}', system.parts)" if address.cluster else "system.parts"


def _position(rows: Callable[[str], list[tuple[Any, ...]]], receiver: str) -> tuple[int, str]:
    """The last batch of a receiver that is stored, and by which writer."""
    found = rows(_POSITION.format(quoted(receiver)))
    return (int(found[0][0]), str(found[0][1])) if found else (0, "")


def _same_name(receiver: str, writer: str, stored: int, known: int) -> WhodidError:
    return WhodidError(
        "unavailable",
        f"Another writer ({writer}) stores as {receiver!r}, too: it has come to batch {stored}, this one to batch "
        f"{known}, and they are not the same events. Nothing of this one is lost; its journal keeps it.",
        "Two data folders have one name, as a copy has: stop one of the two, and let it begin with a new folder.",
        retry_after_s=10,
    )


def _both(first: Written, second: Written) -> Written:
    """What two loads did together."""
    return Written(
        events=first.events + second.events,
        duplicates=first.duplicates + second.duplicates,
        rejects=first.rejects + second.rejects,
        mentions=Mentions(
            users=[*first.mentions.users, *second.mentions.users],
            sessions=[*first.mentions.sessions, *second.mentions.sessions],
            entities=[*first.mentions.entities, *second.mentions.entities],
        ),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
