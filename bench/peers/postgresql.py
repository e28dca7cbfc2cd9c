"""PostgreSQL as an audit store by hand: INSERT … ON CONFLICT by 64 clients (pgbench), and COPY of the same events.

    python -m bench.peers.postgresql FOLDER

starts a server that keeps its data in a folder (of a short path), until it is interrupted, and says the URL of its
database `bench`, for `bench.pages --url`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from bench.measure import Spread, spread
from bench.payload import Bodies
from support.postgresql import PostgreSQLServer, binaries, short_folder

WIDE_TABLE = Path(__file__).with_name("wide_table.sql").read_text()


@contextmanager
def durable_server() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server that fsyncs, with otherwise default settings, until the block ends."""
    folder = short_folder()
    server = PostgreSQLServer(folder, durable=True)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def rates(folder: Path, runs: int, seconds: float) -> Iterator[tuple[str, int, Spread]]:
    """(name, events a transaction, events a second)."""
    with durable_server() as server:
        inserted = [_insert(server.create_database(), folder, seconds) for _ in range(runs)]
        yield "PostgreSQL INSERT … ON CONFLICT, 64 clients", 1, spread(inserted)
        for batch in (100, 1_000):
            copied = [_copy(server.create_database(), batch, seconds) for _ in range(runs)]
            yield "PostgreSQL COPY into a wide table, 5 indexes", batch, spread(copied)


def _insert(url: str, folder: Path, seconds: float) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WIDE_TABLE)
    script = folder / "insert.sql"
    script.write_text(Path(__file__).with_name("insert.sql").read_text())
    done = subprocess.run(
        [
            binaries() / "pgbench",
            "-n",
            "-c",
            "64",
            "-j",
            "1",
            "-T",
            str(int(seconds)),
            "-f",
            str(script),
            url,
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps ="))
    return float(line.split()[2])


def _copy(url: str, batch: int, seconds: float) -> float:
    """Rows a second through COPY of JSON into the wide table, one transaction a batch, one connection."""
    bodies = Bodies(batch)
    copied = 0
    with psycopg.connect(url) as connection:
        connection.execute(WIDE_TABLE)
        connection.commit()
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            copied += copy_batch(connection, bodies.next())
        taken = time.perf_counter() - begin
    return copied / taken


def copy_batch(connection: psycopg.Connection[tuple[object, ...]], body: bytes) -> int:
    """COPY the events of one body into `wide` and commit."""
    events = msgspec.json.decode(body)
    with connection.cursor() as cursor, cursor.copy("COPY wide FROM STDIN") as copy:
        for event in events:
            copy.write_row(
                (
                    event["id"],
                    event["time"],
                    event["type"],
                    event["session"],
                    event["user"],
                    event["entities"][0]["type"],
                    event["entities"][0]["id"],
                    event["entities"][0]["name"],
                    event["description"],
                    event["function"],
                    event["duration_ms"],
                    event["status"],
                    msgspec.json.encode(event["parameters"]).decode(),
                )
            )
    connection.commit()
    return len(events)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where it keeps its data, made if it is not there")
    server = PostgreSQLServer(parser.parse_args().folder.resolve(), durable=True).start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'bench'").fetchone():
            connection.execute("CREATE DATABASE bench TEMPLATE template0")
    print(server.url("bench"), flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    server.stop()


if __name__ == "__main__":
    main()
