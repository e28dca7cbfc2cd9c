"""Questions at 20 million events over 90 days on the DuckDB store: warm medians, and bytes an event on disk.

python -m bench.reads [--events 20000000] [--runs 9] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from bench import files
from bench.measure import number, row, spread
from bench.server import serving
from support.serving import ServerProcess

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
        "SELECT time, type, \"user\", entity_name FROM events WHERE time >= $end - INTERVAL '7 days' "
        "AND CAST(parameters AS VARCHAR) ILIKE '%value > 0.5688%' ORDER BY time DESC LIMIT 100",
        70,
    ),
}


def fill(data: Path, events: int, end: datetime) -> None:
    """Import `events` over 90 days in ten files, oldest first."""
    parts = 10
    for part in range(parts):
        path = files.write(
            "native", data.parent / "part.jsonl", events=events // parts, days=9,
            end=end - timedelta(days=9 * (parts - 1 - part)),
        )  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "whodid", "import", str(path), "--data", str(data)], check=True, capture_output=True
        )
        path.unlink()


def ask(server: ServerProcess, end: datetime, runs: int) -> None:
    for title, (sql, asked) in QUESTIONS.items():
        statement = {"sql": sql.replace("$end", f"TIMESTAMP '{end:%Y-%m-%d %H:%M:%S}'"), "limit": 1_000}
        taken = []
        for _ in range(runs + 2):
            begin = time.perf_counter()
            server.request("POST", "/v1/query", statement)
            taken.append((time.perf_counter() - begin) * 1e3)
        print(row(title, spread(taken[2:]), asked), flush=True)


def search(server: ServerProcess, end: datetime, runs: int) -> None:
    """What `whodid events --text` asks: eight columns, any case, the newest 100 events whole."""
    since = f"{end - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
    path = f"/v1/events?{urlencode({'text': 'value > 0.5688', 'since': since, 'limit': 100})}"
    taken = []
    for _ in range(runs + 2):
        begin = time.perf_counter()
        server.request("GET", path)
        taken.append((time.perf_counter() - begin) * 1e3)
    print(row("text anywhere in the events of 7 days, any case", spread(taken[2:]), 70), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--data", type=Path, help="a folder filled by an earlier run")
    arguments = parser.parse_args()
    end = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=".") as name:
        data = arguments.data or Path(name) / "data"
        if not data.exists():
            begin = time.perf_counter()
            fill(data, arguments.events, end)
            print(f"filled in {time.perf_counter() - begin:,.0f} s (files written by DuckDB, then `whodid import`)\n")
        with serving(data) as server:
            stored, newest = (server.scalar(f"SELECT {what} FROM events") for what in ("count(*)", "max(time)"))
            end = datetime.fromisoformat(newest)
            size = (data / "events.duckdb").stat().st_size
            print(row(f"{stored:,} events over 90 days, over HTTP, warm", "ms", "asked"))
            print(row("---", "---:", "---:"))
            ask(server, end, arguments.runs)
            search(server, end, arguments.runs)
            print(row("bytes/event on disk", number(size / stored), 170))


if __name__ == "__main__":
    main()
