"""Services that tests need. A missing one skips its tests with a reason, and fails them when CI=true."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from support.kafka import KafkaCluster, KafkaMissing, kafka_cluster
from support.postgresql import PostgreSQLMissing, PostgreSQLServer, short_folder

# A shell that starts the tests in the background lets them ignore Ctrl-C, and the programs they start with them.
signal.signal(signal.SIGINT, signal.default_int_handler)


def absent(reason: str) -> None:
    """Skip the test at home, fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """One PostgreSQL server for the whole run. Tests must not stop it; see `own_postgresql_server`."""
    yield from _server()


@pytest.fixture
def own_postgresql_server() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server of the test's own, to stop, crash and start again (1 s)."""
    yield from _server()


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer) -> str:
    """The URL of a fresh, empty database."""
    return postgresql_server.create_database()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One Kafka broker for the whole run (5 s). Tests must not stop it; see `support.kafka.kafka_cluster`."""
    try:
        with kafka_cluster(tmp_path_factory.mktemp("kafka")) as cluster:
            yield cluster
    except KafkaMissing as missing:
        absent(str(missing))


def _server() -> Iterator[PostgreSQLServer]:
    folder = short_folder()
    server = PostgreSQLServer(folder)
    try:
        try:
            server.start()
        except PostgreSQLMissing as missing:
            absent(str(missing))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
