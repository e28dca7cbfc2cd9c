"""How full the requests to CloudWatch Logs are while events come in, and how fast it takes what waits.

    python -m bench.cloudwatch [--seconds 20] [--rates 2000 10000]

The service is moto over HTTP in a process of its own, as strict as the real one; events of 520 bytes go to one stream,
and to three by type.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.measure import number, row
from bench.server import serving
from bench.sustained import result_of, start_load
from support.cloudwatch import cloudwatch
from whodid.targets.cloudwatch import BATCH_BYTES_MAX, BATCH_EVENTS_MAX

STREAMS = {"one stream": "* => all", "three by type": "query-* => queries, error => errors, * => others"}


def serve() -> None:
    """The service; after each line of its input it prints the requests that came since the line before."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with cloudwatch() as service:
        print(json.dumps(service.options()), flush=True)
        for _ in sys.stdin:
            taken, service.puts = service.puts, []
            print(json.dumps(taken), flush=True)


class Service:
    """The service in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench.cloudwatch", "--serve"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.options: dict[str, Any] = self._line()

    def puts(self) -> list[tuple[int, int]]:
        """Events and bytes of the requests since the last time."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        found: list[tuple[int, int]] = self._line()
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def fullness(puts: list[tuple[int, int]]) -> float:
    """Percent of what the service allows, by bytes or events, whichever is nearer: the mean of all requests."""
    shares = [max(events / BATCH_EVENTS_MAX, size_bytes / BATCH_BYTES_MAX) for events, size_bytes in puts]
    return 100 * sum(shares) / max(1, len(shares))


def measured(service: Service, folder: Path, streams: str, rate: float, seconds: float) -> None:
    with serving(folder) as server:
        options = {**service.options, "streams": STREAMS[streams]}
        body = {"name": "logs", "kind": "cloudwatch", "options": options}
        status, answer = server.request("POST", "/v1/targets", body)
        assert status == 201, answer
        load = start_load(server, connections=16, batch=100, seconds=seconds, rate=rate)
        # What the start and the end leave half empty is not load.
        time.sleep(seconds / 4)
        service.puts()
        oldest_s = 0.0
        until = time.monotonic() + seconds / 2
        while time.monotonic() < until:
            time.sleep(0.5)
            status_of = server.request("GET", "/v1/targets/logs")[1]["status"]
            oldest_s = max(oldest_s, status_of["oldest_waiting_s"])
        puts = service.puts()
        answer = result_of(load)
    told = f"{streams}, {number(answer['events_per_s'])} events/s"
    print(row(f"requests are full to, %: {told}", f"{fullness(puts):.0f} ({len(puts)} requests)", "≥ 90"))
    print(row(f"oldest that waits, s: {told}", f"{oldest_s:.1f}", ""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[2_000.0, 10_000.0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        print(f"DuckDB store, client and service on the same machine; {describe(folder)}\n")
        print(row("CloudWatch Logs", f"{arguments.seconds:.0f} s", "asked"))
        print(row("---", "---:", "---"))
        service = Service()
        try:
            for streams in STREAMS:
                for rate in arguments.rates:
                    folder_of_run = folder / f"{len(streams)}-{rate:.0f}"
                    measured(service, folder_of_run, streams, rate, arguments.seconds)
        finally:
            service.close()


if __name__ == "__main__":
    main()
