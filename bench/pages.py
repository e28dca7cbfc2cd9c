"""The data of each page at 20 million events over 90 days, for the last 30: all its tiles as the server asks for them
when a page is sent whole (`web.pages.turns`), one after the other, and the slowest of them.

    python -m bench.pages [--events 20000000] [--runs 5] [--store duckdb|postgresql|clickhouse] [--incoming 10000]
                          [--pages overview,users] [--file events.duckdb] [--url postgresql://…] [--tiles]

The demo's story is told a hundred times over by 1,500 people. `--incoming` lets so many events a second come in
meanwhile, and tells how many were stored beside the pages and before anybody asked. `--file` takes a DuckDB store that
is there (and upgrades it), `--url` a PostgreSQL database, which it fills if it is empty; `python -m
bench.peers.postgresql FOLDER` starts a server for it. With `--store clickhouse` `--file` is the folder of an engine
that has a database `bench`; days that are over are counted first. What a page asks the directory is left out: who
somebody is, what a thing is called. `--tiles` shows each tile. Beside wall time stands the processor time of this
process and of ClickHouse's engine, which on a busy machine says more (PostgreSQL works elsewhere; what storing takes is
in it).
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from bench.incoming import Incoming
from bench.machine import describe
from bench.measure import number, row, spread
from bench.pages_data import clickhouse_store, duckdb_store, postgresql_store
from bench.peers.postgresql import durable_server
from support.clickhouse import ClickHouseServer
from whodid import reports
from whodid.reading import EventFilter, read
from whodid.reading.sight import EVERYTHING
from whodid.reading.together import Together
from whodid.reports.common import NOBODY
from whodid.serve import COLLECT_AFTER, COLLECT_USUALLY, SWITCH_INTERVAL_S
from whodid.stores.base import Asked, Store
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.postgresql import PostgreSQLStore
from whodid.web.pages import answers, found, parts
from whodid.web.pages.catalogue import PAGES
from whodid.web.pages.choice import Choice
from whodid.web.pages.rows import Page
from whodid.web.pages.spans import span_of
from whodid.web.pages.turns import TILES_AT_ONCE
from whodid.web.services import Services

ASKED_MS = {"duckdb": 300, "postgresql": 1_000, "clickhouse": 1_000}
ASKED_MS_OF = {("duckdb", "entity"): 100, ("duckdb", "dataset"): 100, ("duckdb", "events"): 150}
# The page of a thing, asked for a dataset.
DATASET = "dataset"
# For so long events come in before anybody asks.
ALONE_S = 15.0
TIMEOUT_MS = 60_000
# What parts of pages ask the store; the others ask the directory.
_REPORTS = {"shape": parts.NODE_ACTIVITY, "function": parts.FUNCTION}
_ROWS = {"history": parts.HISTORY_ROWS, "live": parts.LIVE_ROWS}
_NAMES = re.compile(r"\{(\w+)\}")


class Taken(NamedTuple):
    """Wall and processor time in milliseconds."""

    wall_ms: float
    processor_ms: float


class Question(NamedTuple):
    """A tile's report with what it is asked."""

    tile: str
    report: str
    given: dict[str, Any]

    def ask(self, store: Store, together: Asked | None = None) -> None:
        reports.run(together or store, self.report, **self.given)


class Search(NamedTuple):
    """The newest events, or what happened to a thing or was done by somebody."""

    tile: str
    wanted: EventFilter

    def ask(self, store: Store, _together: Asked | None = None) -> None:
        read.events(store, NOBODY, self.wanted)


class Count(NamedTuple):
    """How many events a page is about."""

    choice: Choice
    tile: str = "count"

    def ask(self, store: Store, together: Asked | None = None) -> None:
        services = SimpleNamespace(store=store, together=together or store, directory=NOBODY)
        found.count(cast(Services, services), self.choice, EVERYTHING, TIMEOUT_MS)


Asking = Question | Search | Count


def subjects(store: Store, since: datetime, until: datetime) -> dict[str, str]:
    """Whom and what the pages of one user, thing, dataset, function, service and node are about: those that occur
    most."""
    about = {}
    for name, report, column in (
        ("login", "users", "person"), ("type", "entities", "entity_type"), ("id", "entities", "entity_id"),
        ("function", "functions", "function"), ("service", "api-services", "service"), ("node", "nodes", "node"),
    ):  # fmt: skip
        table = reports.run(store, report, since=since, until=until, limit=1).table
        about[name] = str(table.column(column)[0])
    datasets = reports.run(store, "entities", since=since, until=until, kind="dataset", limit=1).table
    about["dataset"] = str(datasets.column("entity_id")[0])
    return about


def questions(page: Page, about: dict[str, str], since: datetime, until: datetime) -> Iterator[Asking]:
    """What a page asks; the same question once, as the server does."""
    choice = Choice(zone="UTC", since=f"{since.isoformat()}Z")
    narrowed = parts.narrowed(choice, {name: about[name] for name in _NAMES.findall(page.path)})
    if page.counted and page.narrowed and page.counting is None:
        yield Count(narrowed)
    asked = set()
    for shown in page.tiles:
        tile = _REPORTS.get(shown.report, shown) if shown.form == "part" else shown
        if tile.form == "part":
            if tile.report in _ROWS:
                among = narrowed.with_value("type", "!audit-read") if tile.report == "live" else narrowed
                yield Search(tile.name, found.wanted_by(among, limit=_ROWS[tile.report]))
            continue
        given = answers.parameters(reports.report(tile.report), tile, choice, about)
        given |= {name: value for name, value in (("since", since), ("until", until)) if given.get(name) is not None}
        given |= {name: value for name, value in tile.parameters if name == "since"}
        if (key := (tile.report, repr(sorted(given.items())))) not in asked:
            asked.add(key)
            yield Question(tile.name, tile.report, given)


def asked_of(store: Store, names: list[str], since: datetime, until: datetime) -> Iterator[tuple[str, list[Asking]]]:
    """Each page and its questions. What is about groups or one request needs a directory or is a search; what a cell of
    a heat map leads to is about one hour or week."""
    about = subjects(store, since, until)
    for page in PAGES:
        if (
            page.tiles
            and page.name not in ("groups", "group", "session", "request", "hour", "retention")
            and (page.name in names or not names)
        ):
            yield page.name, list(questions(page, about, since, until))
        # It flows, and most that touches it is about something else first.
        if page.name == "entity" and (DATASET in names or not names):
            yield DATASET, list(questions(page, about | {"type": "dataset", "id": about["dataset"]}, since, until))
    if not names or "events" in names:
        yield "events", [Search("search", EventFilter(since=since, limit=100))]


def timed(store: Store, question: Asking, processor_s: Callable[[], float]) -> Taken:
    wall, processor = time.perf_counter(), processor_s()
    question.ask(store)
    return Taken(1e3 * (time.perf_counter() - wall), 1e3 * (processor_s() - processor))


def at_once(store: Store, asked: list[Asking]) -> float:
    """Milliseconds until all are answered, as many at once as the server asks for a page."""
    together = Together(store)
    with ThreadPoolExecutor(TILES_AT_ONCE) as threads:
        began = time.perf_counter()
        list(threads.map(lambda question: question.ask(store, together), asked))
        return 1e3 * (time.perf_counter() - began)


def measure(
    store: Store,
    names: list[str],
    now: datetime,
    runs: int,
    *,
    tiles: bool,
    processor_s: Callable[[], float] = time.process_time,
) -> None:
    print(row("page", "ms, all at once", "asked ms", "ms, one by one", "processor ms", "slowest tile", "its ms"))
    print(row("---", "---:", "---:", "---:", "---:", "---", "---:"))
    span = span_of("30d", "UTC", now=now.replace(tzinfo=UTC))
    for name, asked in asked_of(store, names, span.since, answers.full_step(span.since, span.until)):
        for question in asked:
            timed(store, question, processor_s)
        taken = [[timed(store, question, processor_s) for question in asked] for _ in range(runs)]
        alone = {question.tile: spread([run[place].wall_ms for run in taken]) for place, question in enumerate(asked)}
        slowest = max(alone, key=lambda tile: alone[tile].median)
        whole = spread([sum(one.wall_ms for one in run) for run in taken])
        processor = spread([sum(one.processor_ms for one in run) for run in taken])
        limit = ASKED_MS_OF.get((store.kind, name), ASKED_MS[store.kind])
        longest_first = sorted(asked, key=lambda question: -alone[question.tile].median)
        together = spread([at_once(store, longest_first) for _ in range(runs)])
        print(row(name, together, limit, whole, processor, slowest, alone[slowest]), flush=True)
        if tiles:
            for place, question in enumerate(asked):
                work = spread([run[place].processor_ms for run in taken])
                print(row(f"– {question.tile}", "", "", alone[question.tile], work, "", ""), flush=True)


def measure_beside(store: Store, names: list[str], runs: int, incoming: Incoming, *, tiles: bool) -> None:
    """The pages while events come in, and what was stored of these without the pages and with them."""
    begin = incoming.now()
    time.sleep(ALONE_S)
    alone, begin = incoming.since(begin), incoming.now()
    measure(store, names, datetime.now(UTC), runs, tiles=tiles)
    beside = incoming.since(begin)
    print(f"\nOf {incoming.rate:,} events a second that came in\n")
    print(row("", "stored a second", "waited s, p50", "waited s, longest"))
    print(row("---", "---:", "---:", "---:"))
    for told, stretch in (("before anybody asked", alone), ("beside the pages", beside)):
        print(row(told, number(stretch.rate), number(stretch.median_lag_s), number(stretch.longest_lag_s)))
    print(f"\nThe pages slow them by {100 * (1 - beside.rate / alone.rate):.1f} % (asked: 10 at most).")


@contextmanager
def as_the_server() -> Iterator[None]:
    """Threads take turns, and the garbage collector looks, as often as they do there."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*COLLECT_USUALLY)


def _both_s(server: ClickHouseServer) -> float:
    return time.process_time() + server.processor_s()


@contextmanager
def opened(arguments: argparse.Namespace, folder: Path, end: datetime) -> Iterator[tuple[Store, Callable[[], float]]]:
    """The store, and the seconds of processor time that have been taken by it and by this process."""
    processor_s: Callable[[], float] = time.process_time
    with ExitStack() as stack:
        if arguments.store == "clickhouse":
            server = ClickHouseServer(Path(arguments.file or folder / "clickhouse")).start()
            stack.callback(server.stop)
            store: Store = clickhouse_store(server, folder, 0 if arguments.file else arguments.events, end)
            processor_s = partial(_both_s, server)
        elif arguments.file:
            store = DuckDBStore(Path(arguments.file), journal_path=folder / "journal")
        elif arguments.url:
            store = PostgreSQLStore(arguments.url)
            if not store.stats().events:
                store.close()
                store = postgresql_store(arguments.url, folder, arguments.events, end)
        elif arguments.store == "postgresql":
            url = stack.enter_context(durable_server()).create_database()
            store = postgresql_store(url, folder, arguments.events, end)
        else:
            store = duckdb_store(folder, arguments.events, end)
        stack.callback(store.close)
        yield store, processor_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--store", choices=("duckdb", "postgresql", "clickhouse"), default="duckdb")
    parser.add_argument("--incoming", type=int, default=0)
    parser.add_argument("--pages", default="")
    parser.add_argument("--file")
    parser.add_argument("--url")
    parser.add_argument("--tiles", action="store_true")
    arguments = parser.parse_args()
    names = [name for name in arguments.pages.split(",") if name]
    with tempfile.TemporaryDirectory(dir=".") as name, as_the_server():
        folder = Path(name)
        with opened(arguments, folder, datetime.now(UTC)) as (store, processor_s):
            stats = store.stats()
            assert stats.newest is not None
            print(f"{store.kind}, {stats.events:,} events, {stats.size_bytes / stats.events:.0f} bytes each; "
                  f"{describe(folder)}\n")  # fmt: skip
            if not arguments.incoming:
                measure(store, names, stats.newest, arguments.runs, tiles=arguments.tiles, processor_s=processor_s)
                return
            with Incoming(store, folder / "journal" / "incoming", arguments.incoming) as incoming:
                measure_beside(store, names, arguments.runs, incoming, tiles=arguments.tiles)


if __name__ == "__main__":
    main()
