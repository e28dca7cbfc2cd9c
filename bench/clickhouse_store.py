"""The ClickHouse store beside the engine's own insert of the same rows from JSON, its bytes an event, and questions
asked of it and of DuckDB.

    python -m bench.clickhouse_store [--events 1000000] [--runs 3] [--ask 20000000]

The engine is the real one, in a process of its own behind HTTP (`support.clickhouse`). The peer is what people build by
hand: a table with the same columns, types, codecs, partitions and order, without projection, indexes and what is worked
out of the columns, filled by INSERT … FORMAT JSONEachRow, a file of the same events at a time. The store does the same,
and besides unpacks the journal's frames with their provenance, sees which ids are there already, takes the first entity
and the project out of their JSON, writes further entities to their table, counts for the projection, gathers who and
what is mentioned, and keeps its place. Processor time is that of the engine and of this process together.

Questions are asked of a story that is written once through the door of each store and copied by its engine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from bench import files
from bench.machine import describe
from bench.measure import number, row, spread
from bench.pages_data import multiply_clickhouse
from bench.postgresql_store import batches_of
from bench.reads import QUESTIONS
from support.batches import FileBatch
from support.clickhouse import ClickHouseServer
from whodid.stores import migrate
from whodid.stores.base import Store
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.duckdb import DuckDBStore

DATABASE = "bench"
STORY_EVENTS = 1_000_000
_SETTINGS = {
    "date_time_input_format": "best_effort",
    "max_partitions_per_insert_block": "0",
    "input_format_skip_unknown_fields": "1",
    "input_format_null_as_default": "1",
}


class Spent(NamedTuple):
    """Wall time and processor time in seconds."""

    wall_s: float
    processor_s: float


def spent(server: ClickHouseServer, work: Callable[[], None]) -> Spent:
    """What a piece of work takes of the clock and of the processors, the engine's included."""
    begin, before = time.perf_counter(), server.processor_s() + _own_s()
    work()
    return Spent(time.perf_counter() - begin, server.processor_s() + _own_s() - before)


def _own_s() -> float:
    times = os.times()
    return times.user + times.system


def peer_table(database: str) -> str:
    """The events' columns in a plain table."""
    made = migrate.migrations("clickhouse")[0].sql
    columns = made[made.index("(\n    id") : made.index("    of_hour ")].rstrip().rstrip(",")
    return (
        f"CREATE TABLE {database}.peer {columns}) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY (time, id)"
    )


def insert_raw(server: ClickHouseServer, database: str, path: Path) -> None:
    """The engine's own insert of a file of JSON lines."""
    asked = urllib.parse.urlencode({"query": f"INSERT INTO {database}.peer FORMAT JSONEachRow", **_SETTINGS})
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/?{asked}", data=path.read_bytes())
    with urllib.request.urlopen(request) as answer:
        answer.read()


def written(server: ClickHouseServer, segments: list[FileBatch], path: Path) -> tuple[Spent, Spent]:
    """The store's own write of segments, and the engine's of the same events."""
    url = server.fresh_url()
    store = ClickHouseStore(url)
    ours = spent(server, lambda: _write(store, segments))
    store.close()
    database = url.rpartition("/")[2]
    server.run(peer_table(database))
    theirs = spent(server, lambda: insert_raw(server, database, path))
    server.drop(url)
    return ours, theirs


def _write(store: Store, segments: list[FileBatch]) -> None:
    """As the writer does when it is behind: what waits is given together."""
    store.write(segments)


def fill(stores: dict[str, Store], server: ClickHouseServer, folder: Path, events: int, end: datetime) -> None:
    """So many events over 90 days in both stores: the first of them through their doors, copies by the engines."""
    first = min(events, STORY_EVENTS)
    path = files.write("native", folder / "story.jsonl", events=first, days=90, end=end)
    for kind, store in stores.items():
        _write(store, batches_of(path, folder / kind))
        store.close()
    path.unlink()
    copies = max(1, round(events / first))
    multiply_clickhouse(server, DATABASE, first, events)
    with duckdb.connect(str(folder / "events.duckdb")) as connection:
        multiply = (files.SQL / "multiply_duckdb.sql").read_text()
        connection.execute(multiply.format(events=2 * first, copies=copies))
        connection.execute("CHECKPOINT")


def bytes_an_event(store: ClickHouseStore, server: ClickHouseServer) -> float:
    """Bytes on disk when merges have come to rest, projection and indexes included; further entities are those of the
    first story alone."""
    for table in ("events", "event_entities"):
        server.run(f"OPTIMIZE TABLE {DATABASE}.{table} FINAL")
    stats = store.stats()
    return stats.size_bytes / stats.events


def ask(stores: dict[str, Store], end: datetime, runs: int) -> None:
    """Warm medians in ms of each question, on both stores."""
    for title, (sql, _) in QUESTIONS.items():
        taken: dict[str, list[float]] = {kind: [] for kind in stores}
        for _ in range(runs + 1):
            for kind, store in stores.items():
                begin = time.perf_counter()
                store.query(sql, {"end": end.replace(tzinfo=None)}, limit=1_000, timeout_ms=120_000, trusted=True)
                taken[kind].append((time.perf_counter() - begin) * 1e3)
        medians = {kind: spread(times[1:]) for kind, times in taken.items()}
        ratio = spread([ours / theirs for ours, theirs in zip(*(times[1:] for times in taken.values()), strict=True)])
        print(row(title, *medians.values(), ratio, "≤ 1.5"), flush=True)


def questions(server: ClickHouseServer, folder: Path, events: int, runs: int, end: datetime) -> None:
    """Fill both stores, and ask them."""

    def opened() -> dict[str, Store]:
        return {
            "clickhouse": ClickHouseStore(server.url(DATABASE)),
            "duckdb": DuckDBStore(folder / "events.duckdb", journal_path=folder / "duckdb"),
        }

    begin = time.perf_counter()
    fill(opened(), server, folder, events, end)
    stores = opened()
    ours = stores["clickhouse"]
    assert isinstance(ours, ClickHouseStore)
    size = bytes_an_event(ours, server)
    print(f"\nfilled and merged in {time.perf_counter() - begin:,.0f} s\n")
    print(row(f"{events:,} events: bytes/event", number(size), "", "", "≤ DuckDB's"), flush=True)
    print(row("questions, ms", "ClickHouse", "DuckDB", "ratio", "asked"), flush=True)
    ask(stores, end, runs)
    for store in stores.values():
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ask", type=int, default=20_000_000)
    arguments = parser.parse_args()
    end = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        server = ClickHouseServer(folder / "clickhouse").start()
        try:
            print(f"ClickHouse {server.run('SELECT version()').strip()}; {describe(folder)}\n")
            print(row("ClickHouse store", "whodid", "own insert from JSON", "ratio", "asked"))
            print(row("---", "---:", "---:", "---:", "---:"))
            path = files.write("native", folder / "events.jsonl", events=arguments.events, days=1, end=end)
            taken = [written(server, batches_of(path, folder / f"run-{run}"), path) for run in range(arguments.runs)]
            for label, place in (("written, events/s", "wall_s"), ("events/s of processor time", "processor_s")):
                rates = [[arguments.events / getattr(one, place) for one in side] for side in zip(*taken, strict=True)]
                ratio = spread([ours / theirs for ours, theirs in zip(*rates, strict=True)])
                print(row(label, *map(spread, rates), ratio, "≥ 0.6, ≥ 150,000"), flush=True)
            if arguments.ask:
                questions(server, folder, arguments.ask, arguments.runs, end)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
