"""Services that tests need. A missing one skips its tests with a reason, and fails them when CI=true."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.azurite import Azurite, azurite
from support.clickhouse import ClickHouseMissing, ClickHouseServer
from support.javascript import JavaScriptMissing, browser
from support.kafka import KafkaCluster, KafkaMissing, kafka_cluster
from support.postgresql import PostgreSQLMissing, PostgreSQLServer, short_folder
from support.webhooks import Receiver, receiver

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from support.mail import MailBox
    from support.s3 import S3Server

# A shell that starts the tests in the background lets them ignore Ctrl-C, and the programs they start with them.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Thousands of tests and their modules are here to stay: looking through them for garbage again and again takes time.
gc.set_threshold(50_000, 20, 100)

# The files that take longest. They begin first, so that at the end no worker is left alone with one of them.
LONGEST = (
    "services/test_lake.py",
    "way/test_crash.py",
    "reports/test_every_report.py",
    "way/test_kafka_journal.py",
    "way/test_dispatch.py",
    "contracts/test_store_hours.py",
    "way/test_receivers.py",
    "way/test_agent.py",
    "contracts/test_target.py",
    "contracts/test_store.py",
    "contracts/test_store_reading.py",
    "browser/test_pages.py",
    "way/test_rolling_upgrade.py",
    "web/test_fuzz.py",
    "browser/test_settings.py",
    "targets/test_iceberg.py",
    "targets/test_object_storage.py",
    "targets/test_kafka.py",
)

# What `--unit` leaves out at once: nearly every test talks to a server, a store or a program, or takes long.
BEYOND_UNITS = (
    "agent", "benchmark", "browser", "cli", "client", "contracts", "demo", "dispatch/test_model.py", "js",
    "reading/test_filters.py", "receive", "reports/test_engines.py", "retention", "services", "targets", "way", "web",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "the unit part alone, within a minute: tests that open no store and start no program; others are skipped"
    parser.addoption("--unit", action="store_true", help=words)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what `--unit` would skip nearly all of."""
    name = collection_path.relative_to(Path(__file__).parent).as_posix()
    return True if config.getoption("unit") and name in BEYOND_UNITS else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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
def empty_postgresql_url(postgresql_server: PostgreSQLServer) -> str:
    """The URL of a fresh database without anything in it."""
    return postgresql_server.create_database()


@pytest.fixture(scope="session")
def empty_postgresql_store(postgresql_server: PostgreSQLServer) -> str:
    """The name of a database with an empty store, to make others of: its tables take half a second."""
    from whodid.stores.postgresql import PostgreSQLStore

    url = postgresql_server.create_database()
    PostgreSQLStore(url).close()
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer, empty_postgresql_store: str) -> str:
    """The URL of a fresh database with an empty store."""
    return postgresql_server.create_database(empty_postgresql_store)


@pytest.fixture(scope="session", autouse=True)
def units_alone(pytestconfig: pytest.Config) -> Iterator[None]:
    """With `--unit`, a test that opens a store or starts a program is skipped when it does."""
    from whodid.stores import duckdb_engine

    def skip(*_: object, **__: object) -> None:
        pytest.skip("needs more than its unit (--unit)")

    with pytest.MonkeyPatch.context() as patched:
        if pytestconfig.getoption("unit"):
            patched.setattr(duckdb_engine, "connect", skip)
            patched.setattr(subprocess.Popen, "__init__", skip)
        yield


@pytest.fixture(scope="session", autouse=True)
def empty_stores_are_copied(
    units_alone: None, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Files of embedded stores that are not there yet become copies of an empty one, whose tables take 0.3 s."""
    from whodid.stores import duckdb_engine
    from whodid.stores.duckdb import DuckDBStore

    if pytestconfig.getoption("unit"):
        yield
        return
    folder = tmp_path_factory.mktemp("empty")
    empty = folder / "events.duckdb"
    DuckDBStore(empty, journal_path=folder / "journal").close()
    connect = duckdb_engine.connect

    def connected(path: Path, **options: Any) -> Any:
        if not path.exists() and path.parent.is_dir():
            shutil.copyfile(empty, path)
        return connect(path, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(duckdb_engine, "connect", connected)
        yield


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One ClickHouse engine for the whole run (1 s). Tests must not stop it; see `own_clickhouse_server`."""
    yield from _clickhouse(tmp_path_factory.mktemp("clickhouse"))


@pytest.fixture
def own_clickhouse_server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """A ClickHouse engine of the test's own, to stop, kill and start again (1 s)."""
    yield from _clickhouse(tmp_path)


@pytest.fixture
def clickhouse_url(clickhouse_server: ClickHouseServer) -> Iterator[str]:
    """The URL of a store in a fresh database."""
    url = clickhouse_server.fresh_url()
    yield url
    clickhouse_server.drop(url)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One Kafka broker for the whole run (5 s). Tests must not stop it; see `support.kafka.kafka_cluster`."""
    try:
        with kafka_cluster(tmp_path_factory.mktemp("kafka")) as cluster:
            yield cluster
    except KafkaMissing as missing:
        absent(str(missing))


# Playwright keeps an event loop running in this thread: no longer than its tests, others want one of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser (1 s)."""
    try:
        from playwright.sync_api import sync_playwright

        path = browser()
    except (ImportError, JavaScriptMissing) as missing:
        absent(str(missing))
        raise
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailBox]:
    """A mail server that keeps what it gets."""
    from support.mail import mail_server

    with mail_server(tmp_path_factory.mktemp("mail")) as started:
        yield started


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A server that webhooks are posted to."""
    with receiver() as started:
        yield started


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server by OpenStack Swift for the whole run (3 s). Names of buckets are the caller's to keep apart."""
    # Loaded here: boto3 takes a second, and few tests need it.
    from support.swift import SwiftMissing, swift_server

    try:
        with swift_server(tmp_path_factory.mktemp("swift")) as server:
            yield server
    except SwiftMissing as missing:
        absent(str(missing))


@pytest.fixture(scope="session")
def azure() -> Iterator[Azurite]:
    """One Azure Blob Storage for the whole run (2 s). Names of containers are the caller's to keep apart."""
    try:
        with azurite() as server:
            yield server
    except JavaScriptMissing as missing:
        absent(str(missing))


def _clickhouse(folder: Path) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(folder / "data")
    try:
        try:
            server.start()
        except ClickHouseMissing as missing:
            absent(str(missing))
        yield server
    finally:
        server.stop()


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
