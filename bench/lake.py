"""How fast the target iceberg takes whole segments, and what looking after its table costs.

    python -m bench.lake [--events 500000] [--runs 3]

Events lie within 72 minutes. The peers, in the same run: the files target with the same Parquet, and DuckDB turning the
same segments into Parquet by itself. Processor time is of this process: user and system; bytes are those of the Parquet
files, where they lie in a folder.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import files
from bench.machine import describe
from bench.measure import row, spread
from bench.postgresql_store import batches_of
from bench.targets import duckdb_rate, laid_out_rate
from support import lake
from support.postgresql import PostgreSQLServer
from support.s3 import s3_server

SMALL_COMMITS = 40


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and processor time in seconds."""
    begin = time.process_time()
    found = work()
    return found, time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory(dir=".") as name,
        tempfile.TemporaryDirectory(dir="/tmp") as short,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name).absolute()
        postgresql = PostgreSQLServer(Path(short)).start()
        stack.callback(postgresql.stop)
        path = files.write("native", folder / "events.jsonl", events=arguments.events, days=0.05, end=datetime.now(UTC))
        batches = batches_of(path, folder / "segments")
        s3 = stack.enter_context(s3_server())
        s3.bucket("bench")
        where = {name: value for name, value in s3.options("bench").items() if name != "bucket"}

        def iceberg(run: int, warehouse: Path | str, **more: Any) -> dict[str, Any]:
            return lake.lake_options(postgresql.create_database(), warehouse, upkeep_s=0.0, **more)

        shapes: dict[str, Callable[[int], tuple[str, dict[str, Any]]]] = {
            "iceberg, a folder": lambda run: ("iceberg", iceberg(run, folder / f"lake-{run}")),
            "iceberg, S3 (moto on this machine)": lambda run: ("iceberg", iceberg(run, f"s3://bench/{run}", **where)),
            "files: Parquet, one folder a day and topic": lambda run: (
                "files",
                {"path": str(folder / f"files-{run}"), "content": "parquet", "folders": "/%{topic}/%Y/%M/%D"},
            ),
        }
        print(f"{arguments.events:,} events in {len(batches)} segments; {describe(folder)}\n")
        print(row("target", "events/s", "processor µs an event", "bytes an event"))
        print(row("---", "---:", "---:", "---:"))
        for title, shape in shapes.items():
            rates, spent, sizes = [], [], []
            for run in range(arguments.runs):
                kind, options = shape(run)
                work = folder / f"work-{title.split()[1]}-{run}"
                rate, seconds = timed(partial(laid_out_rate, kind, options, work, batches))
                shutil.rmtree(work, ignore_errors=True)
                rates.append(rate)
                spent.append(seconds / arguments.events * 1e6)
                where_to = Path(str(options.get("path") or options["warehouse"]).removeprefix("file://"))
                sizes.append(sum(path.stat().st_size for path in where_to.rglob("*.parquet")) / arguments.events)
            print(row(title, spread(rates), f"{sorted(spent)[len(spent) // 2]:.2f}", spread(sizes)), flush=True)
        peers = [duckdb_rate(folder / f"peer-{run}", batches) for run in range(arguments.runs)]
        print(row("peer: DuckDB from segments to Parquet, one file", spread(peers), ""))
        options = iceberg(0, folder / "small", close_bytes=arguments.events * 536 // SMALL_COMMITS)
        rate, seconds = timed(lambda: laid_out_rate("iceberg", options, folder / "work-small", batches))
        print(row(f"iceberg, a folder, a snapshot a segment ({len(batches)})", f"{rate:,.0f}", f"{seconds:.2f} s"))
        begin = time.perf_counter()
        done, seconds = timed(lambda: lake.tidied(options, folder))
        rate = arguments.events / (time.perf_counter() - begin)
        print(row(f"putting its {done.small} small files together ({done.large})", f"{rate:,.0f}", f"{seconds:.2f} s"))


if __name__ == "__main__":
    main()
