"""People who click through pages at once: the first byte of a page, and when all its tiles are there.

    python -m bench.clicking --file events.duckdb [--people 20] [--seconds 30] [--pause 2]

A server as a user starts it, on a copy of a store (see `bench.pages`). Each person opens a page by chance, gets its
tiles four at a time as a browser does, looks at it for a moment (`--pause`, on average) and opens the next.
"""

from __future__ import annotations

import argparse
import html
import http.client
import random
import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.machine import describe
from bench.measure import number, percentile, row
from bench.server import serving
from support.serving import ServerProcess
from whodid.web.pages.catalogue import PAGES

CONNECTIONS = 4
_SOURCE = re.compile(r'data-source="([^"]+)"')


class Opened(NamedTuple):
    """How a page came, in milliseconds: its first byte, its slowest tile, and all of it."""

    page: str
    first_byte_ms: float
    slowest_ms: float
    whole_ms: float


def addresses() -> list[str]:
    """Every page that is about nothing in particular."""
    return [page.path for page in PAGES if page.tiles and "{" not in page.path] + ["/events"]


def get(server: ServerProcess, path: str) -> tuple[float, float, str]:
    """When the first byte came, when the last, in milliseconds; and the text."""
    address = urlsplit(server.url)
    begin = time.perf_counter()
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {server.key}", "Accept": "text/html"})
        answer = connection.getresponse()
        first = time.perf_counter()
        text = answer.read().decode()
        assert answer.status == 200, (path, answer.status, text[:300])
        return 1e3 * (first - begin), 1e3 * (time.perf_counter() - begin), text
    finally:
        connection.close()


def open_page(server: ServerProcess, path: str) -> Opened:
    begin = time.perf_counter()
    first_byte_ms, _, text = get(server, path)
    sources = [html.unescape(source) for source in dict.fromkeys(_SOURCE.findall(text))]
    with ThreadPoolExecutor(CONNECTIONS) as browser:
        taken = list(browser.map(lambda source: get(server, source)[1], sources))
    return Opened(path, first_byte_ms, max(taken, default=0.0), 1e3 * (time.perf_counter() - begin))


def click(server: ServerProcess, seed: int, seconds: float, pause_s: float, opened: list[Opened]) -> None:
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    time.sleep(chance.uniform(0, pause_s))
    while time.monotonic() < end:
        opened.append(open_page(server, chance.choice(addresses())))
        time.sleep(chance.expovariate(1 / pause_s) if pause_s else 0.0)


def report(opened: list[Opened]) -> None:
    by_page = defaultdict(list)
    for one in opened:
        by_page[one.page].append(one)
    print(row("page", "opened", "first byte ms, p50", "p95", "whole page ms, p50", "p95"))
    print(row("---", "---:", "---:", "---:", "---:", "---:"))
    for page, those in [*sorted(by_page.items()), ("all", opened)]:
        figures = [
            number(percentile(values, share))
            for values in ([one.first_byte_ms for one in those], [one.whole_ms for one in those])
            for share in (0.5, 0.95)
        ]
        print(row(page, len(those), *figures))
    print("\nAsked: first byte 50 ms; 20 people at once below 1,000 ms (p95).")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pause", type=float, default=2.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        data = Path(name) / "data"
        data.mkdir()
        shutil.copy(arguments.file, data / "events.duckdb")
        with serving(data) as server:
            for path in addresses():
                open_page(server, path)
            opened: list[Opened] = []
            people = [
                threading.Thread(target=click, args=(server, seed, arguments.seconds, arguments.pause, opened))
                for seed in range(arguments.people)
            ]
            for person in people:
                person.start()
            for person in people:
                person.join()
            print(f"{arguments.people} people, {describe(Path(name))}\n")
            report(opened)


if __name__ == "__main__":
    main()
