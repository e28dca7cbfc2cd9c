"""Questions at 20 million events over 90 days, over HTTP of `whodid serve`: warm medians, and bytes an event on disk.

    python -m bench.reads [--events 20000000] [--runs 9] [--stores duckdb,clickhouse] [--data FOLDER]

Every store gets the same events, by `whodid import` of the same files, and a server of its own. All servers run while
any is asked, one question at a time: each question goes to one after the other, as often as there are runs, and each
time twice, of which the second counts. ClickHouse is asked in its own words, as its users ask it (what the store makes
of the common dialect); its engine is the real one in a process behind HTTP (`support.clickhouse`), whose processor time
counts with that of whodid's server. What has been asked is an event, too: it is stored before the next question comes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from bench import files
from bench.machine import describe
from bench.measure import number, row, spread
from bench.server import serving
from support.clickhouse import ClickHouseServer
from support.serving import ServerProcess
from whodid.benchmark.machine import processor_s
from whodid.stores import clickhouse_counting
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.clickhouse_words import translated

STORES = ("duckdb", "clickhouse")
DATABASE = "bench"
COLD_RUNS = 2
# By then a question is stored as an event.
PAUSE_S = 1.0
# What servers that wait take of a processor, all together, and when they have to do so at the latest.
REST_SHARE_MAX = 0.1
REST_S_MAX = 300.0
TEXT = ("text anywhere in the events of 7 days, any case", 70)

# What was asked in earlier runs is not asked about: its events hold the text that is searched for.
NEWEST = "SELECT max(time) FROM events WHERE type NOT IN ('audit-read', 'query-run')"

QUESTIONS = {
    "an entity's last 7 days, newest 100": (
        "SELECT time, type, \"user\", description FROM events WHERE entity_type = 'query' "
        "AND entity_id = '000e0000-0000-4000-8000-000000000011' AND time >= $end - INTERVAL '7 days' "
        "ORDER BY time DESC LIMIT 100",
        15,
    ),
    "unique users per day over 30 days": (
        "SELECT date_trunc('day', time) AS day, count(DISTINCT \"user\") AS users FROM events "
        "WHERE time >= $end - INTERVAL '30 days' GROUP BY day ORDER BY day",
        80,
    ),
    "errors by hash, top 50, 90 days": (
        'SELECT error_hash, count(*) AS errors, count(DISTINCT "user") AS users, max(time) AS last FROM events '
        "WHERE time >= $end - INTERVAL '90 days' AND error_hash IS NOT NULL "
        "GROUP BY error_hash ORDER BY errors DESC LIMIT 50",
        110,
    ),
    "duration percentiles per function, 7 days": (
        "SELECT function, count(*) AS runs, quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS ms "
        "FROM events WHERE time >= $end - INTERVAL '7 days' AND function IS NOT NULL "
        "GROUP BY function ORDER BY runs DESC LIMIT 50",
        110,
    ),
    "duration percentiles per function, 90 days": (
        "SELECT function, count(*) AS runs, quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS ms "
        "FROM events WHERE time >= $end - INTERVAL '90 days' AND function IS NOT NULL "
        "GROUP BY function ORDER BY runs DESC LIMIT 50",
        1_200,
    ),
    "text in the parameters over 7 days, ILIKE": (
        'SELECT time, type, "user", entity_name FROM events '
        "WHERE time >= $end - INTERVAL '7 days' AND time <= $end "
        "AND CAST(parameters AS VARCHAR) ILIKE '%value > 0.5688%' ORDER BY time DESC LIMIT 100",
        70,
    ),
}


class Side:
    """A store with the server that is asked.

    engine  ClickHouse's own process; None where whodid's server holds the engine.
    """

    def __init__(self, server: ServerProcess, engine: ClickHouseServer | None, size_bytes: int):
        self.server = server
        self.size_bytes = size_bytes
        self._engine = engine

    def asked(self, sql: str) -> tuple[str, str, dict[str, Any]]:
        """The request that asks a statement of the common dialect."""
        if self._engine:
            # Of the two kinds of exact percentiles, which take as long, the guard's parser knows but this list of them.
            sql = translated(sql).replace("quantilesExactInclusive", "quantilesExactExclusive")
        return "POST", "/v1/query", {"sql": sql, "limit": 1_000}

    def answered_ms(self, method: str, path: str, body: dict[str, Any] | None) -> float:
        """Milliseconds until a request is answered."""
        begin = time.perf_counter()
        status, answer = self.server.request(method, path, body)
        taken_ms = (time.perf_counter() - begin) * 1e3
        if status != 200:
            raise ValueError(f"{path}: {answer}")
        return taken_ms

    def processor_s(self) -> float:
        """Seconds of processor time so far."""
        return (processor_s(self.server.process.pid) or 0.0) + (self._engine.processor_s() if self._engine else 0.0)


def engine_in(data: Path) -> ClickHouseServer:
    """ClickHouse over what it has in a folder."""
    return ClickHouseServer(data / "engine").start()


def fill(data: Path, stores: list[str], events: int, end: datetime) -> None:
    """Import `events` over 90 days in ten files, oldest first, into each store, and count what it keeps of them."""
    parts = 10
    data.mkdir(parents=True)
    engine = engine_in(data) if "clickhouse" in stores else None
    try:
        for part in range(parts):
            path = files.write(
                "native", data / "part.jsonl", events=events // parts, days=9,
                end=end - timedelta(days=9 * (parts - 1 - part)),
            )  # fmt: skip
            for kind in stores:
                words = [sys.executable, "-m", "whodid", "import", str(path), "--data", str(data / kind)]
                subprocess.run([*words, *_options(kind, engine)], check=True, capture_output=True)
            path.unlink()
        if engine:
            store = ClickHouseStore(engine.url(DATABASE))
            with patch.object(clickhouse_counting, "STEP_S", 3_600.0):
                store.rest()
            store.close()
            # What the engine does by itself when nothing has come for an hour.
            engine.run(f"OPTIMIZE TABLE {DATABASE}.events FINAL SETTINGS optimize_skip_merged_partitions = 1")
    finally:
        if engine:
            engine.stop()


def _options(kind: str, engine: ClickHouseServer | None) -> list[str]:
    """The words that name a store to whodid."""
    return ["--store", engine.url(DATABASE)] if kind == "clickhouse" and engine else []


@contextmanager
def sides(data: Path, stores: list[str]) -> Iterator[dict[str, Side]]:
    """The servers of the stores in a folder that was filled."""
    with ExitStack() as stack:
        found = {}
        for kind in stores:
            engine = engine_in(data) if kind == "clickhouse" else None
            if engine:
                stack.callback(engine.stop)
                store = ClickHouseStore(engine.url(DATABASE))
                size_bytes = store.stats().size_bytes
                store.close()
            else:
                size_bytes = (data / kind / "events.duckdb").stat().st_size
            server = stack.enter_context(serving(data / kind, *_options(kind, engine)))
            found[kind] = Side(server, engine, size_bytes)
        yield found


def wait_for_rest(asked: dict[str, Side]) -> None:
    """Return when what the servers and their engines do after their start is done; TimeoutError if it never is."""
    deadline_s = time.perf_counter() + REST_S_MAX
    while (begin_s := time.perf_counter()) < deadline_s:
        before_s = sum(side.processor_s() for side in asked.values())
        time.sleep(2.0)
        taken_s = sum(side.processor_s() for side in asked.values()) - before_s
        if taken_s <= REST_SHARE_MAX * (time.perf_counter() - begin_s):
            return
    raise TimeoutError(f"the servers did not come to rest within {REST_S_MAX:.0f} s")


def ask(asked: dict[str, Side], end: datetime, runs: int) -> None:
    """Each question of each store in turn: medians with their range, and the ratio of what one turn took."""
    since, until = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (end - timedelta(days=7), end))
    wanted = {"text": "value > 0.5688", "since": since, "until": until, "limit": 100}
    search = ("GET", f"/v1/events?{urlencode(wanted)}", None)
    at = f"TIMESTAMP '{end:%Y-%m-%d %H:%M:%S}'"
    for title, limit_ms in ((title, limit_ms) for title, (_, limit_ms) in QUESTIONS.items()):
        sql = QUESTIONS[title][0].replace("$end", at)
        _measure(title, limit_ms, {kind: (side, side.asked(sql)) for kind, side in asked.items()}, runs)
    # What `whodid events --text` asks: eight columns, any case, the newest 100 events whole.
    _measure(*TEXT, {kind: (side, search) for kind, side in asked.items()}, runs)


def _measure(title: str, limit_ms: int, asked: dict[str, tuple[Side, tuple[Any, ...]]], runs: int) -> None:
    taken: dict[str, list[float]] = {kind: [] for kind in asked}
    busy_ms: dict[str, float] = dict.fromkeys(asked, 0.0)
    for run in range(COLD_RUNS + runs):
        for kind, (side, request) in asked.items():
            # The first one wakes what has slept since the last.
            side.answered_ms(*request)
            before = side.processor_s()
            taken_ms = side.answered_ms(*request)
            if run >= COLD_RUNS:
                taken[kind].append(taken_ms)
                busy_ms[kind] += (side.processor_s() - before) * 1e3 / runs
            time.sleep(PAUSE_S)
    cells: list[object] = [title, limit_ms]
    for kind in asked:
        cells += [spread(taken[kind]), number(busy_ms[kind])]
    if len(asked) > 1:
        first, *_, last = taken.values()
        cells.append(spread([ours / theirs for ours, theirs in zip(last, first, strict=True)]))
    print(row(*cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--stores", default="duckdb", help=f"of {', '.join(STORES)}; with commas")
    parser.add_argument("--data", type=Path, help="a folder filled by an earlier run, or to be filled and kept")
    arguments = parser.parse_args()
    stores = arguments.stores.split(",")
    with tempfile.TemporaryDirectory(dir=".") as name:
        data = arguments.data or Path(name) / "data"
        if not data.exists():
            begin = time.perf_counter()
            fill(data, stores, arguments.events, datetime.now(UTC))
            print(f"filled in {time.perf_counter() - begin:,.0f} s (files written by DuckDB, then `whodid import`)\n")
        with sides(data, stores) as asked:
            print(describe(data), "\n")
            counts = {kind: side.server.scalar("SELECT count(*) FROM events") for kind, side in asked.items()}
            newest = min(side.server.scalar(NEWEST) for side in asked.values())
            titles = [cell for kind in asked for cell in (f"{kind}, ms", "processor ms")]
            ratio = ["ratio"] if len(asked) > 1 else []
            print(row("over HTTP, warm", "asked of DuckDB, ms", *titles, *ratio))
            print(row("---", *["---:"] * (1 + len(titles) + len(ratio))))
            wait_for_rest(asked)
            ask(asked, datetime.fromisoformat(newest), arguments.runs)
            for kind, side in asked.items():
                size = number(side.size_bytes / counts[kind])
                print(f"\n{kind}: {counts[kind]:,} events, {size} bytes each on disk", flush=True)


if __name__ == "__main__":
    main()
