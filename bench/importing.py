"""`whodid import` of native and DSS files beside DuckDB's own `read_json` insert of the same file.

python -m bench.importing [--events 1000000] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from bench import files
from bench.machine import describe
from bench.measure import row, spread

KINDS = {"native": "native JSONL", "dss_log4j": "DSS audit.log (envelope A)"}


def duckdb_seconds(path: Path, database: Path) -> float:
    """DuckDB creates its file and inserts the typed rows of `path`; what its own loader can do."""
    begin = time.perf_counter()
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET threads = 2")
        connection.execute("CREATE TABLE events AS SELECT * FROM read_json(?)", [str(path)])
        connection.execute("CHECKPOINT")
    taken = time.perf_counter() - begin
    database.unlink()
    return taken


def whodid_seconds(path: Path, data: Path) -> tuple[float, dict[str, Any]]:
    """The command as a user types it, from its start until everything is stored."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "whodid", "import", str(path), "--data", str(data), "--output", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return time.perf_counter() - begin, summary


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
                theirs.append(duckdb_seconds(path, folder / "peer.duckdb"))
                seconds, summary = whodid_seconds(path, folder / f"{kind}-{run}")
                ours.append(seconds)
            ratio = spread([their / our for our, their in zip(ours, theirs, strict=True)])
            rates = [spread([arguments.events / seconds for seconds in side]) for side in (ours, theirs)]
            print(row(title, *rates, ratio, "0.5"), flush=True)
            print(row("", json.dumps(summary)[:200], "", "", ""))


if __name__ == "__main__":
    main()
