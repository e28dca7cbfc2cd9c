"""Reading a data folder that no server owns, by opening its store."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final

import msgspec
import pyarrow as pa

from whodid.errors import WhodidError
from whodid.journal.lock import OWNER_NAME
from whodid.reading import read
from whodid.reading.answer import Answer, UsageAnswer
from whodid.reading.audit import SQL_LENGTH_MAX, Reading, reading
from whodid.reading.cells import encode
from whodid.reading.filters import EventFilter, make_filter
from whodid.reading.reader import LIMIT_DEFAULT, Reader
from whodid.reading.tail import Tail
from whodid.reading.then_and_now import then_and_now

FOLLOW_S: Final = 0.5


class LocalReader(Reader):
    """Reads through an open `serve.Engine`, which it owns: `close` closes it."""

    def __init__(self, engine: Any):
        self._engine = engine
        self._close: Callable[[], object] = engine.close

    def close_with_the_program(self) -> None:
        """Let a program that ends, or drops the reader, close it: an engine complains of what is open then."""
        self._close = weakref.finalize(self, self._engine.close)

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = LIMIT_DEFAULT,
        timeout_ms: int = 30_000,
    ) -> Answer:
        with self._recorded("query-run", "query", {"sql": sql[:SQL_LENGTH_MAX]}):
            answer = read.query(self._engine.store, sql, params, limit=limit, timeout_ms=timeout_ms)
        return Answer(answer.table, truncated=answer.truncated)

    def report(self, name: str, **parameters: Any) -> Answer:
        from whodid.reports import run

        with self._recorded("audit-read", f"report {name}", parameters):
            answer = run(self._engine.store, name, directory=self._engine.directory, **parameters)
        return Answer(answer.table, truncated=answer.truncated, total=answer.total)

    def reports(self) -> list[dict[str, Any]]:
        from whodid.reports import catalogue

        plain: list[dict[str, Any]] = msgspec.to_builtins(catalogue())
        return plain

    def rejects(self, *, limit: int = 100, offset: int = 0) -> Answer:
        answer = read.rejects(self._engine.store, limit=limit, offset=offset)
        return Answer(answer.table, truncated=answer.truncated)

    def dataset(
        self, name: str, *, partitions: Sequence[str] = (), limit: int | None = None, refresh: bool = False
    ) -> Answer:
        from whodid.datasets import records

        dataset = self._engine.datasets.get(name)
        listing = self._listing(dataset, refresh)
        with (
            self._recorded("audit-read", f"dataset {name}", {"partitions": list(partitions)[:100]}),
            closing(self._engine.datasets.connections.open(dataset.connection)) as place,
        ):
            found = records.read(dataset, place, listing.chosen(list(partitions)), limit=limit)
        return Answer(found.table, truncated=found.truncated)

    def partitions(self, name: str, *, refresh: bool = False) -> list[dict[str, Any]]:
        listing = self._listing(self._engine.datasets.get(name), refresh)
        found: list[dict[str, Any]] = msgspec.to_builtins([partition.shown() for partition in listing.partitions])
        return found

    def _listing(self, dataset: Any, refresh: bool) -> Any:
        with closing(self._engine.datasets.connections.open(dataset.connection)) as place:
            return self._engine.listings.listing(dataset, place, refresh=refresh)

    def status(self) -> dict[str, Any]:
        parts = {
            "journal": self._engine.journal.status(),
            "writer": self._engine.writer.status(),
            "store": self._engine.store.stats(),
        }
        plain: dict[str, Any] = msgspec.to_builtins(parts)
        return plain

    def follow(self, **filters: Any) -> Iterator[dict[str, Any]]:
        wanted = make_filter(**filters)
        with self._recorded("audit-read", "live events", wanted):
            tail = Tail(self._engine.store, self._engine.directory, wanted)
        while True:
            look = tail.look()
            if look is None:
                time.sleep(FOLLOW_S)
                continue
            for _, event in tail.events(look):
                yield msgspec.json.decode(encode(event))

    def close(self) -> None:
        self._close()

    def _events(self, wanted: EventFilter) -> Answer:
        with self._recorded("audit-read", "events", wanted):
            pages = list(read.event_pages(self._engine.store, self._engine.directory, wanted))
        following = pages[-1].next_cursor
        table = pa.concat_tables(page.table for page in pages)
        return Answer(table, truncated=following is not None, next_cursor=following)

    def _activity(self, wanted: EventFilter) -> Answer:
        with self._recorded("audit-read", "activity", wanted):
            page = read.activity(self._engine.store, self._engine.directory, wanted)
        table = then_and_now(page.table, self._engine.directory)
        return Answer(table, truncated=page.next_cursor is not None, next_cursor=page.next_cursor)

    def _usage(self, wanted: EventFilter) -> UsageAnswer:
        with self._recorded("audit-read", "usage", wanted):
            usage = read.usage(self._engine.store, self._engine.directory, wanted)
        parts = {name: Answer(table) for name, table in usage.parts.items()}
        return UsageAnswer(usage.since.isoformat() + "Z", usage.until.isoformat() + "Z", parts)

    @contextmanager
    def _recorded(self, kind: Reading, what: str, wanted: EventFilter | dict[str, Any]) -> Iterator[None]:
        """Make the reading that is done within an event, once it is known what came of it."""
        told = partial(reading, kind, by=f"api:{OWNER_NAME}", what=what, wanted=wanted)
        try:
            yield
        except WhodidError as error:
            self._engine.record(told(refused=error))
            raise
        self._engine.record(told())
