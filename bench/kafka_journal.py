"""Events acknowledged by three brokers (acks=all, min.insync.replicas=2), beside a bare producer of the same client.

python -m bench.kafka_journal [--seconds 10] [--runs 3] [--batch 500] [--brokers 3] [--http]

The peer hands the same bytes, a record a batch, to librdkafka with the same settings: what is left to the journal is
parting events by key, numbering and summing frames, and telling each sender. `--http` measures a whole receiver, too.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer

from bench.machine import describe
from bench.measure import number, percentile, row, spread
from bench.payload import Bodies
from bench.server import serving
from bench.sustained import result_of, start_load
from support.kafka import KafkaCluster, kafka_cluster
from whodid.errors import WhodidError
from whodid.journal.base import Draft
from whodid.journal.kafka import KafkaJournal

WAITING = 64
OPTIONS = "security=plaintext&partitions=6"


class Run(NamedTuple):
    """Events a second, processor time an event in µs (this process's only), and what a batch waited in ms."""

    events_per_s: float
    processor_us: float
    waits_ms: list[float]


def measured(seconds: float, batch: int, send: Callable[[float], list[float]]) -> Run:
    """One run of `send`, which sends until a time (perf_counter) and returns what each batch waited, in s."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    waits = send(begin + seconds)
    taken = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    events = len(waits) * batch
    return Run(events / taken, spent / events * 1e6, [wait * 1e3 for wait in waits])


@contextmanager
def opened(cluster: KafkaCluster, folder: Path, topic: str, key: str) -> Iterator[KafkaJournal]:
    journal = KafkaJournal(
        f"kafka://{cluster.bootstrap}/{topic}?{OPTIONS}&key={key}&min_insync={min(2, cluster.count)}",
        folder,
        group="bench",
        segment_bytes_max=64 * 1024 * 1024,
        segment_age_ms_max=300,
        backlog_bytes_max=1024**4,
        disk_free_bytes_min=0,
    )
    try:
        yield journal
    finally:
        journal.close()


def by_journal(journal: KafkaJournal, batch: int, waiting: int = WAITING) -> Callable[[float], list[float]]:
    """`waiting` tasks that append one draft after the other."""

    def send(end: float) -> list[float]:
        bodies = Bodies(batch)
        waits: list[float] = []

        async def task() -> None:
            while time.perf_counter() < end:
                draft = Draft(received_at=datetime.now(UTC), events=bodies.next(), count=batch)
                began = time.perf_counter()
                try:
                    await journal.append(draft)
                except WhodidError as error:
                    raise SystemExit(f"refused: {error}") from error
                waits.append(time.perf_counter() - began)

        async def tasks() -> None:
            await asyncio.gather(*(task() for _ in range(waiting)))

        asyncio.run(tasks())
        return waits

    return send


def by_peer(cluster: KafkaCluster, topic: str, batch: int, waiting: int = WAITING) -> Callable[[float], list[float]]:
    """A bare producer with as many batches on their way."""

    def send(end: float) -> list[float]:
        bodies = Bodies(batch)
        waits: list[float] = []
        settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": cluster.bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            "message.max.bytes": 8 * 1024 * 1024,
            "batch.size": 1_000_000,
        }
        producer = Producer(settings)
        sent = 0

        def delivered(began: float, _error: object, _message: object) -> None:
            waits.append(time.perf_counter() - began)

        while time.perf_counter() < end:
            if sent - len(waits) >= waiting:
                producer.poll(0.01)
                continue
            began = time.perf_counter()
            producer.produce(topic, bodies.next(), partition=sent % 6, on_delivery=partial(delivered, began))
            sent += 1
            producer.poll(0)
        producer.flush(30)
        return waits

    return send


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--http", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        with kafka_cluster(folder / "kafka", arguments.brokers) as cluster:
            print(f"{arguments.brokers} brokers on the same machine, acks=all; {describe(folder)}\n")
            print(row("batches of " + number(arguments.batch), "events/s", "µs an event here", "p50, p99 ms"))
            print(row("---", "---:", "---:", "---:"))
            compare(cluster, folder, arguments)
            if arguments.http:
                whole(cluster, folder, arguments)


def compare(cluster: KafkaCluster, folder: Path, arguments: argparse.Namespace) -> None:
    """The journal keyed by user, the same without keys, and the peer, in turns."""
    batch = arguments.batch
    with (
        opened(cluster, folder / "user", "user", "user") as keyed,
        opened(cluster, folder / "no", "no", "none") as free,
    ):
        ways = {
            "bare producer": by_peer(cluster, "no", batch),
            "journal, keyed by user": by_journal(keyed, batch),
            "journal, key=none": by_journal(free, batch),
        }
        for send in ways.values():
            measured(2.0, batch, send)
        runs: dict[str, list[Run]] = {way: [] for way in ways}
        for _ in range(arguments.runs):
            for way, send in ways.items():
                runs[way].append(measured(arguments.seconds, batch, send))
    for way, found in runs.items():
        waits = [wait for run in found for wait in run.waits_ms]
        rates = spread([run.events_per_s for run in found])
        spent = spread([run.processor_us for run in found])
        print(row(way, rates, spent, f"{percentile(waits, 0.5):.0f}, {percentile(waits, 0.99):.0f}"))


def whole(cluster: KafkaCluster, folder: Path, arguments: argparse.Namespace) -> None:
    """A receiver over HTTP, with its client on the same machine."""
    url = f"kafka://{cluster.bootstrap}/http?{OPTIONS}&min_insync={min(2, cluster.count)}"
    for name, more in (("receives only", "&writer=no"), ("and stores (DuckDB)", "")):
        with serving(folder / f"http{len(more)}", "--journal", url + more) as server:
            load = start_load(server, connections=WAITING, batch=arguments.batch, seconds=arguments.seconds)
            answer = result_of(load)
        waits = f"{answer['p50_ms']:.0f}, {answer['p99_ms']:.0f}"
        print(row(f"whodid serve, {name}; refused {answer['refused']}", number(answer["events_per_s"]), "", waits))


if __name__ == "__main__":
    main()
