"""How many events a second are acknowledged after fdatasync, beside NATS JetStream and PostgreSQL on the same disk.

python -m bench.ingest [--runs 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.measure import Spread, row, spread
from bench.peers import nats, postgresql
from bench.server import serving

BATCHES = (1, 100, 1_000)
WANTED = {1: 18_000, 100: 400_000, 1_000: 500_000}


def load(url: str, key: str, **options: object) -> dict[str, Any]:
    """One run of the load client in a process of its own."""
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", url, f"--key={key}", *flags], check=True, capture_output=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def whodid(batch: int, runs: int, seconds: float, folder: Path) -> tuple[Spread, Spread]:
    """Events a second and p99 in ms, over `runs` fresh servers."""
    rates, tails = [], []
    for run in range(runs):
        with serving(folder / f"whodid-{batch}-{run}") as server:
            load(server.url, server.key, batch=batch, seconds=1)
            answer = load(server.url, server.key, batch=batch, seconds=seconds, client=1)
            if answer["refused"]:
                raise RuntimeError(f"refused: {answer['refused']}")
            rates.append(answer["events_per_s"])
            tails.append(answer["p99_ms"])
    return spread(rates), spread(tails)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"64 connections, client on the same machine; {describe(folder)}; medians of {arguments.runs} (range)\n")
        print(row("acknowledged after fdatasync", "events a request", "events/s", "p99 ms", "asked events/s"))
        print(row("---", "---:", "---:", "---:", "---:"))
        for batch in BATCHES:
            rate, tail = whodid(batch, arguments.runs, arguments.seconds, folder)
            print(row("whodid", batch, rate, tail, f"{WANTED[batch]:,}"), flush=True)
        if arguments.no_peers:
            return
        for peer in (nats, postgresql):
            for name, batch, measured in peer.rates(folder, arguments.runs, arguments.seconds):
                print(row(name, batch, measured, "", ""), flush=True)


if __name__ == "__main__":
    main()
