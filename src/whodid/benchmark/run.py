"""Measuring a machine, step by step: the disk, taking events in, storing them, finding them."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from whodid.benchmark.machine import Machine, look, percentile, processor_s
from whodid.benchmark.server import OwnServer
from whodid.errors import WhodidError

SECONDS_LEAST: Final = 5.0
CONNECTIONS: Final = 64
BATCHES: Final = (1, 100, 1_000)
SUSTAINED_BATCH: Final = 500
SUSTAINED_CONNECTIONS: Final = 16
MARKS: Final = 10
ASKED: Final = 3
STORED_S_MAX: Final = 300.0

# Shares of the asked time.
_INGEST: Final = 0.1
_SUSTAINED: Final = 0.2

Progress = Callable[[str, float], None]
"""Told what begins, and how much of all is done (0 to 1)."""


class Question(NamedTuple):
    """A question to time; its key is what its time is called."""

    key: str
    title: str
    sql: str


QUESTIONS: Final = (
    Question(
        "people_by_day_ms", "people by day",
        'SELECT date_trunc(\'day\', time) AS day, count(DISTINCT "user") AS people FROM events GROUP BY 1',
    ),
    Question(
        "latest_of_one_ms", "the latest 100 of one thing",
        "SELECT * FROM events WHERE entity_type = 'query' AND entity_name = 'Query 7' ORDER BY time DESC LIMIT 100",
    ),
    Question(
        "percentiles_ms", "how long functions take",
        "SELECT function, quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS ms FROM events GROUP BY 1",
    ),
    Question(
        "text_ms", "a text in the parameters",
        "SELECT count(*) AS n FROM events WHERE CAST(parameters AS varchar) ILIKE '%value > 0.777%'",
    ),
)  # fmt: skip


class Measured(Struct, kw_only=True):
    """What a machine did. Rates are events a second; `processor_us` is what taking in and storing one event took of
    all processors, None where the system does not tell; `asked_events` is what questions were asked over."""

    machine: Machine
    seconds: float
    ingest_1: float
    ingest_1_p99_ms: float
    ingest_100: float
    ingest_1000: float
    store_load: float
    sustained: float
    processor_us: float | None
    visible_p50_ms: float
    visible_max_ms: float
    asked_events: int
    questions_ms: dict[str, float]
    bytes_per_event: float


def measure(folder: Path, seconds: float, progress: Progress) -> Measured:
    """Measure with a server of its own in `folder`, which must be empty; takes about `seconds`, and longer on a machine
    that stores slowly. Raises WhodidError("timeout") when that takes minutes."""
    progress("the disk", 0.0)
    machine = look(folder)
    progress("starting a server", 0.02)
    data = folder / "data"
    with OwnServer(data) as server:
        server.load(batch=100, seconds=0.5, connections=CONNECTIONS)
        rates = {}
        for place, batch in enumerate(BATCHES):
            progress(f"taking in, {batch:,} a request", 0.08 + place * 0.12)
            rates[batch] = server.load(
                batch=batch, seconds=seconds * _INGEST, connections=CONNECTIONS, client=place + 1
            )
        progress("storing what waits", 0.44)
        store_load = _store_load(server)
        progress("taking in and storing", 0.55)
        sustained, processor_us = _sustained(server, seconds * _SUSTAINED)
        progress("finding what was just posted", 0.85)
        waits_ms = [_until_found_ms(server) for _ in range(MARKS)]
        progress("asking", 0.92)
        events = _stored(server)
        questions = {one.key: _asked_ms(server, one) for one in QUESTIONS}
        progress("stopping", 0.97)
    size_bytes = sum(path.stat().st_size for path in data.glob("events.duckdb*"))
    progress("done", 1.0)
    return Measured(
        machine=machine,
        seconds=seconds,
        ingest_1=rates[1]["events_per_s"],
        ingest_1_p99_ms=rates[1]["p99_ms"],
        ingest_100=rates[100]["events_per_s"],
        ingest_1000=rates[1_000]["events_per_s"],
        store_load=store_load,
        sustained=sustained,
        processor_us=processor_us,
        visible_p50_ms=percentile(waits_ms, 0.5),
        visible_max_ms=max(waits_ms),
        asked_events=events,
        questions_ms=questions,
        bytes_per_event=size_bytes / events,
    )


def _stored(server: OwnServer) -> int:
    """How many events of the load are stored; what whodid itself records of being asked is left out."""
    return int(server.query("SELECT count(*) AS n FROM events WHERE source = 'client'")[0]["n"])


def _wait_stored(server: OwnServer) -> None:
    """Return when a fresh marked event is found: all that came before it is, too. Raises as `_wait_found`."""
    _wait_found(server, _mark(server), pause_s=0.05)


def _store_load(server: OwnServer) -> float:
    """Events a second that are stored while nothing else is done: what the steps before have left waiting."""
    begin, before = time.perf_counter(), _stored(server)
    _wait_stored(server)
    return (_stored(server) - before) / (time.perf_counter() - begin)


def _sustained(server: OwnServer, seconds: float) -> tuple[float, float | None]:
    """Events a second that are taken, stored and found, and processor time an event in µs."""
    before, used_s = _stored(server), processor_s(server.pid)
    begin = time.perf_counter()
    server.load(batch=SUSTAINED_BATCH, seconds=seconds, connections=SUSTAINED_CONNECTIONS, client=100)
    _wait_stored(server)
    taken_s = time.perf_counter() - begin
    events = _stored(server) - before
    after_s = processor_s(server.pid)
    processor_us = None if used_s is None or after_s is None else (after_s - used_s) * 1e6 / events
    return events / taken_s, processor_us


def _mark(server: OwnServer) -> str:
    identifier = str(uuid.uuid4())
    server.post({"id": identifier, "time": datetime.now(UTC).isoformat(), "type": "marked"})
    return identifier


def _until_found_ms(server: OwnServer) -> float:
    mark = _mark(server)
    begin = time.perf_counter()
    _wait_found(server, mark, pause_s=0.01)
    return (time.perf_counter() - begin) * 1e3


def _wait_found(server: OwnServer, mark: str, *, pause_s: float) -> None:
    """Return when an event is found. Raises WhodidError("timeout") when it is not within `STORED_S_MAX`."""
    deadline = time.monotonic() + STORED_S_MAX
    while not server.has(mark):
        if time.monotonic() > deadline:
            raise WhodidError(
                "timeout",
                f"What was taken in is not stored after {STORED_S_MAX:.0f} s.",
                "Measure for less time: --seconds 5",
            )
        time.sleep(pause_s)


def _asked_ms(server: OwnServer, question: Question) -> float:
    taken_ms = []
    for _ in range(ASKED):
        begin = time.perf_counter()
        server.query(question.sql)
        taken_ms.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(taken_ms)
