"""`whodid import` of native and DSS files beside DuckDB's own `read_json` insert of the same file.

python -m bench.importing [--events 1000000] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb

from bench import files
from bench.machine import describe
from bench.measure import row, spread

KINDS = {"native": "native JSONL", "dss_log4j": "DSS audit.log (envelope A)"}


class Taken(NamedTuple):
    """Seconds of one import, by the clock and of all processors."""

    seconds: float
    busy_seconds: float


def duckdb_taken(path: Path, database: Path) -> Taken:
    """DuckDB creates its file and inserts the typed rows of `path`; what its own loader can do."""
    begin, busy = time.perf_counter(), time.process_time()
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET threads = 2")
        connection.execute("CREATE TABLE events AS SELECT * FROM read_json(?)", [str(path)])
        connection.execute("CHECKPOINT")
    taken = Taken(time.perf_counter() - begin, time.process_time() - busy)
    database.unlink()
    return taken


def whodid_taken(path: Path, data: Path) -> tuple[Taken, dict[str, Any]]:
    """The command as a user types it, from its start until everything is stored, with the processes it starts."""
    begin, busy = time.perf_counter(), _busy_seconds_of_children()
    done = subprocess.run(
        [sys.executable, "-m", "whodid", "import", str(path), "--data", str(data), "--output", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return Taken(time.perf_counter() - begin, _busy_seconds_of_children() - busy), summary


def _busy_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"{arguments.events:,} events a file, whole processes; {describe(folder)}\n")
        print(row("import", "whodid, events/s", "DuckDB read_json, events/s", "ratio", "asked"))
        print(row("---", "---:", "---:", "---:", "---:"))
        for kind, title in KINDS.items():
            path = files.write(kind, folder / f"{kind}.log", events=arguments.events)
            ours, theirs = [], []
            for run in range(arguments.runs):
                theirs.append(duckdb_taken(path, folder / "peer.duckdb"))
                taken, summary = whodid_taken(path, folder / f"{kind}-{run}")
                ours.append(taken)
            ratio = spread([their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)])
            rates = [spread([arguments.events / taken.seconds for taken in side]) for side in (ours, theirs)]
            print(row(title, *rates, ratio, "0.5"))
            busy = [[1e6 * taken.busy_seconds / arguments.events for taken in side] for side in (ours, theirs)]
            print(row("processor time, µs an event", *(f"{median(side):.1f}" for side in busy), "", ""), flush=True)
            print(row("", json.dumps(summary)[:200], "", "", ""))


if __name__ == "__main__":
    main()
