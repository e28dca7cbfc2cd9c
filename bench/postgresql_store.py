"""The PostgreSQL store beside raw COPY of the same events, its bytes an event, and questions asked of it.

The store's time includes counting for reports what it was given, its bytes what it keeps of that.

    python -m bench.postgresql_store [--events 300000] [--runs 5] [--ask 5000000]

The peer is what people build by hand: one wide table with jsonb parameters and five indexes, filled by COPY in
transactions of the same size, from the same decoded events.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench import files
from bench.machine import describe
from bench.measure import number, row, spread
from bench.peers.postgresql import WIDE_TABLE, copy_batch, durable_server
from support.batches import Batches, FileBatch
from whodid import formats
from whodid.journal.base import Draft
from whodid.stores.postgresql import PostgreSQLStore

WRITE_EVENTS = 50_000
LINES = 1_000
KEPT_BYTES = r"""
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'whodid'::regnamespace AND c.relname ~ '^(kept_|waiting_)'
"""

QUESTIONS = {
    "an entity's last 7 days, newest 100": (
        "SELECT time, type, \"user\", description FROM whodid.events WHERE entity_type = 'query' "
        "AND entity_id = '000e0000-0000-4000-8000-000000000011' AND time >= $since7 ORDER BY time DESC LIMIT 100",
        20,
    ),
    "four tables: runs by type and user, 30 days": (
        "SELECT et.name, u.login, count(*) FROM public.events e JOIN event_types et ON et.id = e.event_type_id "
        "JOIN users_sessions s ON s.id = e.session_id JOIN users u ON u.id = s.user_id "
        "WHERE e.event_time >= $since30 GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100",
        3_000,
    ),
    "four tables: one parameter of one type by value, 30 days": (
        "SELECT v.value, count(*) FROM public.events e JOIN event_types et ON et.id = e.event_type_id "
        "JOIN event_parameter_values v ON v.event_id = e.id JOIN event_parameters p ON p.id = v.parameter_id "
        "WHERE e.event_time >= $since30 AND et.name = 'query-start' AND p.name = 'project' "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 100",
        3_000,
    ),
    "four tables: most used entities of any type, 30 days": (
        "SELECT v.value_uuid, count(*) FROM public.events e JOIN event_parameter_values v ON v.event_id = e.id "
        "JOIN event_parameters p ON p.id = v.parameter_id "
        "WHERE e.event_time >= $since30 AND p.type = 'entity_id' GROUP BY 1 ORDER BY 2 DESC LIMIT 50",
        3_000,
    ),
    "four tables: errors by hash, 30 days": (
        "SELECT et.error_stack_trace_hash, count(*) FROM public.events e JOIN event_types et "
        "ON et.id = e.event_type_id WHERE e.event_time >= $since30 AND e.is_error GROUP BY 1 ORDER BY 2 DESC LIMIT 50",
        3_000,
    ),
}


def payloads(path: Path) -> Iterator[tuple[bytes, int]]:
    """The events of a native file as JSON arrays, `LINES` at a time."""
    decoder = formats.decoder("native")
    lines = path.read_bytes().splitlines(keepends=True)
    for start in range(0, len(lines), LINES):
        yield from decoder.decode(b"".join(lines[start : start + LINES]), first_line=start + 1).parts


def batches_of(path: Path, folder: Path) -> list[FileBatch]:
    """The same events as segments of a journal, `WRITE_EVENTS` in each."""
    makes = Batches(folder)
    found: list[FileBatch] = []
    drafts: list[Draft] = []
    for payload, count in payloads(path):
        drafts.append(Draft(received_at=datetime.now(UTC), events=payload, count=count))
        if sum(draft.count for draft in drafts) >= WRITE_EVENTS:
            found.append(makes.of_drafts(drafts))
            drafts = []
    return [*found, *([makes.of_drafts(drafts)] if drafts else [])]


def raw_seconds(url: str, path: Path) -> float:
    """COPY of the events into the wide table."""
    every = [payload for payload, _ in payloads(path)]
    with psycopg.connect(url) as connection:
        connection.execute(WIDE_TABLE)
        connection.commit()
        begin = time.perf_counter()
        for payload in every:
            copy_batch(connection, payload)
        return time.perf_counter() - begin


def store_seconds(url: str, path: Path, folder: Path) -> float:
    """The store's own write of the events."""
    every = batches_of(path, folder)
    store = PostgreSQLStore(url)
    try:
        begin = time.perf_counter()
        for batch in every:
            store.write([batch])
            store.rest()
        return time.perf_counter() - begin
    finally:
        store.close()


def tell_bytes(url: str, events: int) -> None:
    """Bytes an event, indexes and every other table of the store included; and of these, what is counted."""
    with psycopg.connect(url) as connection:
        found = connection.execute(f"SELECT pg_database_size(current_database()), ({KEPT_BYTES})").fetchone()
    assert found is not None
    whole, kept = (float(size) / events for size in found)
    print(row(f"{events:,} events: bytes/event, whole database", number(whole), "", "", "≤ 700"))
    print(row("– of it what is counted for reports", number(kept), "", "", ""), flush=True)


def ask(url: str, end: datetime) -> None:
    """Warm medians of each question."""
    store = PostgreSQLStore(url)
    spans = {"$since7": end - timedelta(days=7), "$since30": end - timedelta(days=30)}
    for title, (sql, asked) in QUESTIONS.items():
        for name, since in spans.items():
            sql = sql.replace(name, f"TIMESTAMP '{since:%Y-%m-%d %H:%M:%S}'")
        taken = []
        for _ in range(6):
            begin = time.perf_counter()
            store.query(sql, limit=1_000, timeout_ms=120_000)
            taken.append((time.perf_counter() - begin) * 1e3)
        print(row(title, spread(taken[1:]), "", "", f"≤ {asked:,} ms"), flush=True)
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ask", type=int, default=5_000_000)
    arguments = parser.parse_args()
    end = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=".") as name, durable_server() as server:
        folder = Path(name)
        path = files.write("native", folder / "events.jsonl", events=arguments.events, end=end)
        print(f"PostgreSQL with fsync, {arguments.events:,} events a run; {describe(folder)}\n")
        print(row("PostgreSQL store", "whodid", "raw COPY, wide table", "ratio", "asked"))
        print(row("---", "---:", "---:", "---:", "---:"))
        ours, theirs, url = [], [], ""
        for run in range(arguments.runs):
            theirs.append(raw_seconds(server.create_database(), path))
            url = server.create_database()
            ours.append(store_seconds(url, path, folder / f"segments-{run}"))
        rates = [spread([arguments.events / seconds for seconds in side]) for side in (ours, theirs)]
        ratio = spread([their / our for our, their in zip(ours, theirs, strict=True)])
        print(row("written, events/s", *rates, ratio, "≥ 0.6"))
        tell_bytes(url, arguments.events)
        if arguments.ask:
            url = server.create_database()
            path = files.write("native", folder / "many.jsonl", events=arguments.ask, end=end)
            store_seconds(url, path, folder / "many")
            # As autovacuum does, a minute later.
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            tell_bytes(url, arguments.ask)
            ask(url, end)


if __name__ == "__main__":
    main()
