"""How fast targets that lay out files take whole segments.

    python -m bench.targets [--events 500000] [--runs 5]

Events lie within 72 minutes, as those of a running server do. The peer is DuckDB turning the same segments into
Parquet by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from bench import files
from bench.machine import describe
from bench.measure import row, spread
from bench.postgresql_store import batches_of
from support.batches import FileBatch
from support.s3 import s3_server
from support.targets import form_of
from whodid.dispatch.delivery import Part, PartsDelivery
from whodid.dispatch.segments import parts_of
from whodid.plugins import TARGETS, load
from whodid.targets.base import Context

SHAPES = (
    ("gz JSON, one folder an hour and topic", {"content": "lines", "compression": "gz"}, 200_000),
    ("zst JSON", {"content": "lines", "compression": "zst"}, None),
    ("gz JSON, one folder", {"content": "lines", "compression": "gz", "folders": "/all"}, None),
    ("Parquet, one folder a day and topic", {"content": "parquet", "folders": "/%{topic}/%Y/%M/%D"}, 250_000),
)


def delivery(batch: FileBatch) -> PartsDelivery:
    """A segment as dispatch hands it over."""

    def parts() -> Iterator[Part]:
        return parts_of(batch.path)

    last = max(part.seqs[-1] for part in parts())
    return PartsDelivery("receiver", 0, last, count=batch.count, parts=parts, form=form_of(), path=batch.path)


def laid_out_rate(kind: str, options: dict[str, Any], folder: Path, batches: list[FileBatch]) -> float:
    """Events a second, from the first delivery until the last file is closed and delivered."""
    implementation = load(TARGETS, kind)
    folder.mkdir(parents=True)
    context = Context("bench", "bench", folder, "receiver", "native", "node")
    defaults = {option.name: option.default for option in implementation.OPTIONS}
    target = implementation({**defaults, **options}, context)
    target.open()
    begin = time.perf_counter()
    for batch in batches:
        target.send(delivery(batch))
    target.flush()
    taken_s = time.perf_counter() - begin
    target.close()
    return sum(batch.count for batch in batches) / taken_s


def duckdb_rate(folder: Path, batches: list[FileBatch]) -> float:
    """DuckDB's own way from frames to Parquet, two threads, one file a segment."""
    folder.mkdir(parents=True)
    with duckdb.connect(config={"threads": 2}) as connection:
        begin = time.perf_counter()
        for batch in batches:
            connection.execute(
                f"COPY (SELECT unnest(events) FROM read_json('{batch.path}', format = 'newline_delimited', "
                f"maximum_object_size = 100000000)) "
                f"TO '{folder}/{batch.number}.parquet' (FORMAT parquet, COMPRESSION zstd)"
            )
        return sum(batch.count for batch in batches) / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=".") as name, contextlib.ExitStack() as stack:
        folder = Path(name).absolute()
        path = files.write("native", folder / "events.jsonl", events=arguments.events, days=0.05, end=datetime.now(UTC))
        batches = batches_of(path, folder / "segments")
        print(f"{arguments.events:,} events in {len(batches)} segments; {describe(folder)}\n")
        print(row("target", "events/s", "asked"))
        print(row("---", "---:", "---:"))
        for title, options, asked in SHAPES:
            rates = []
            for run in range(arguments.runs):
                given = {**options, "path": str(folder / f"{title}-{run}")}
                rates.append(laid_out_rate("files", given, folder / f"working-{title}-{run}", batches))
            print(row(f"files: {title}", spread(rates), f"≥ {asked:,}" if asked else ""), flush=True)
        server = stack.enter_context(s3_server())
        server.bucket("bench")
        rates = [
            laid_out_rate("s3", {**server.options("bench", prefix=f"run-{run}")}, folder / f"s3-{run}", batches)
            for run in range(arguments.runs)
        ]
        print(row("S3 (moto on this machine): gz JSON", spread(rates), "≥ 100,000"), flush=True)
        peers = [duckdb_rate(folder / f"peer-{run}", batches) for run in range(arguments.runs)]
        print(row("peer: DuckDB from segments to Parquet, one file", spread(peers), ""))


if __name__ == "__main__":
    main()
