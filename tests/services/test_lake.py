"""The lake as others see it: Spark on a cluster reads the same rows, and the reports tell the same there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from conftest import absent
from support import house, lake
from support.batches import Batches
from support.laid_out import target_of
from support.maven import MavenMissing
from support.postgresql import PostgreSQLServer
from support.relay import relay
from support.reporting import ASKED, SPAN, STORY, Memberships, asked, plain_rows, story_memberships
from support.s3 import S3Server, s3_server
from support.spark import QUICK, SparkMissing, jars, spark_cluster
from support.story import END, RECEIVED_AT
from support.targets import form_of
from support.trino import ENV as TRINO_WANTED
from support.trino import TrinoMissing, trino_server
from whodid import demo, reports
from whodid.dispatch.delivery import Part, PartsDelivery
from whodid.event import Event, Provenance
from whodid.plugins import STORES, load
from whodid.reports.engines import Engine, open_engine, statement
from whodid.stores.base import Store

# What was rejected is kept by the store alone.
NOT_IN_THE_LAKE = ("audit-losses", "rejects")
# Lists in JSON, windows of some rows, recursion: each says what the others do not.
A_FEW = ("interface-unused", "new-addresses", "origin")
ALL = os.environ.get("WHODID_LAKE_REPORTS") == "all"
CHOSEN = [report.name for report in reports.catalogue()] if ALL else [*A_FEW, *NOT_IN_THE_LAKE]
ZONES = ["Europe/Berlin"] if ALL else []
COUNTS = (
    "SELECT topic, count(*) AS n, count(DISTINCT id) AS ids, max(seq) AS last FROM {} GROUP BY topic ORDER BY topic"
)

# What a text has to be more than a text, if anything is.
TEXTS = [
    "it's",
    "\\",
    "\\'; DROP TABLE x --",
    'a "b" `c`',
    "${spark.app.name}",
    "\\u0041 \\n %_",
    "ž😀\n\t",
    ":x ?x $x",
    "",
]

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def told() -> list[Event]:
    return [*demo.generate(**STORY, end=END), *house.events()]


@pytest.fixture(scope="module")
def store(told: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("reports")
    store = load(STORES, "duckdb")(folder / "events.duckdb", journal_path=folder / "journal")
    store.write([Batches(folder / "journal").of(told, received_at=RECEIVED_AT)])
    yield store
    store.close()


def fill(options: dict[str, Any], folder: Path, told: list[Event]) -> None:
    """The story in the lake, as a server would have written it, in two snapshots."""
    import msgspec

    target = target_of("iceberg", folder, {**options, "partition": "topic"})
    target.open()
    provenance = Provenance(
        received_at=RECEIVED_AT, receiver="receiver-a", orig_address="10.0.0.1", key_id="key-1", format="native"
    )
    half = len(told) // 2
    for first, events in ((1, told[:half]), (half + 1, told[half:])):
        seqs = range(first, first + len(events))
        parts = [Part(provenance, seqs, [msgspec.json.encode(one) for one in events])]
        form = form_of()
        made = partial(tuple, parts)
        target.send(PartsDelivery("receiver-a", first, seqs[-1], count=len(events), parts=made, form=form))
        target.flush()
    target.close()


class Lake(NamedTuple):
    """The story's table: how its target reaches it, and what engines need to know."""

    options: dict[str, Any]
    catalog: str
    s3: S3Server


@pytest.fixture(scope="module")
def filled(
    told: list[Event], postgresql_server: PostgreSQLServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lake]:
    """Files on S3, the catalog in PostgreSQL, which Java reaches over TCP alone."""
    with s3_server() as s3, relay(next(postgresql_server.sockets.glob(".s.PGSQL.*[0-9]"))) as port:
        s3.bucket("lake")
        url = postgresql_server.create_database()
        where = {name: value for name, value in s3.options("lake").items() if name != "bucket"}
        options = lake.lake_options(url, "s3://lake/audit", **where)
        fill(options, tmp_path_factory.mktemp("lake"), told)
        # Many small files are read together.
        found = lake.table(options)
        found.transaction().set_properties({"read.split.open-file-cost": "1024"}).commit_transaction()
        database = url.partition("?")[0].rpartition("/")[2]
        yield Lake(options, f"jdbc:postgresql://127.0.0.1:{port}/{database}", s3)


def spark_settings(filled: Lake) -> dict[str, str]:
    """What Spark needs to know of the catalog and of S3; the rest makes it small."""
    catalog = "spark.sql.catalog.lake"
    return {
        "spark.jars": ",".join(map(str, jars())),
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": filled.catalog,
        f"{catalog}.jdbc.user": "postgres",
        f"{catalog}.jdbc.schema-version": "V1",
        f"{catalog}.warehouse": "s3://lake/audit",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.s3.endpoint": filled.s3.endpoint,
        f"{catalog}.s3.path-style-access": "true",
        f"{catalog}.s3.access-key-id": filled.s3.access_key_id,
        f"{catalog}.s3.secret-access-key": filled.s3.secret_access_key,
        f"{catalog}.client.region": "us-east-1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "512m",
        "spark.executor.extraJavaOptions": QUICK,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": "1",
        # Compiling each statement takes longer than reading so few rows.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }


@pytest.fixture(scope="module")
def answers(filled: Lake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Spark says, all of it asked in one session."""
    try:
        given = spark_settings(filled)
    except (SparkMissing, MavenMissing) as missing:
        absent(str(missing))
    with spark_cluster(tmp_path_factory.mktemp("spark")) as master:
        asked_for = {
            "url": master,
            "table": "lake.whodid.events",
            "settings": given,
            "questions": [COUNTS.format("lake.whodid.events")],
            "statements": ["CACHE TABLE events_read AS SELECT * FROM lake.whodid.events"],
            "cached": "events_read",
            "texts": TEXTS,
            "reports": CHOSEN,
            "zones": [None, *ZONES],
        }
        done = subprocess.run(
            [sys.executable, "-m", "support.lake_reports"],
            input=json.dumps(asked_for),
            capture_output=True,
            text=True,
            timeout=1_800,
            check=False,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parent.parent),
                "PYSPARK_PYTHON": sys.executable,
                "SPARK_LOCAL_IP": "127.0.0.1",
                "PYSPARK_SUBMIT_ARGS": f'--driver-java-options "{QUICK}" pyspark-shell',
            },
        )
    answer = next((line for line in done.stdout.splitlines() if line.startswith("ANSWER ")), None)
    assert answer is not None, done.stderr[-3_000:]
    told_back: dict[str, Any] = json.loads(answer.removeprefix("ANSWER "))
    return told_back


@pytest.fixture(scope="module")
def trino(filled: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    catalog = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.catalog-name": "lake",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": filled.catalog,
        "iceberg.jdbc-catalog.connection-user": "postgres",
        "iceberg.jdbc-catalog.default-warehouse-dir": "s3://lake/audit",
        "iceberg.jdbc-catalog.schema-version": "V1",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": filled.s3.endpoint,
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
        "s3.aws-access-key": filled.s3.access_key_id,
        "s3.aws-secret-key": filled.s3.secret_access_key,
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    try:
        with trino_server(tmp_path_factory.mktemp("trino"), port, catalog) as address:
            yield open_engine("trino", address, "lake.whodid.events", {})
    except (TrinoMissing, MavenMissing) as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def memberships() -> Memberships:
    return story_memberships()


def test_a_cluster_reads_the_same_rows_and_counts(answers: dict[str, Any], store: Store) -> None:
    assert answers["executors"] == 2
    expected = store.query(COUNTS.format("events"), trusted=True).table.to_pylist()
    assert answers["questions"][0] == expected


def test_texts_arrive_as_they_are(answers: dict[str, Any]) -> None:
    assert answers["texts"] == TEXTS


@pytest.mark.parametrize("name", [name for name in CHOSEN if name not in NOT_IN_THE_LAKE])
def test_a_report_tells_the_same_there(
    answers: dict[str, Any], store: Store, memberships: Memberships, name: str
) -> None:
    report = reports.report(name)
    for zone in [None, *ZONES] if report.takes_zone else [None]:
        given = asked(store, report, memberships, **({"zone": zone} if zone else {}))
        expected = json.loads(json.dumps([given.total, plain_rows(given, report)], default=str))
        assert answers["reports"][name if zone is None else f"{name} {zone}"] == expected


@pytest.mark.parametrize("name", NOT_IN_THE_LAKE)
def test_what_the_lake_does_not_hold_is_said(answers: dict[str, Any], name: str) -> None:
    assert "not in the lake" in answers["reports"][name]


def test_a_question_is_stopped_that_has_no_job_when_its_time_is_over(answers: dict[str, Any]) -> None:
    assert answers["late"] == "timeout: Spark was stopped after 1 ms."


@pytest.mark.skipif(TRINO_WANTED not in os.environ, reason=f"{TRINO_WANTED}=1 fetches 540 MB and runs it")
@pytest.mark.parametrize("name", [name for name in CHOSEN if name not in NOT_IN_THE_LAKE])
def test_trino_tells_it_too(trino: Engine, store: Store, memberships: Memberships, name: str) -> None:
    report = reports.report(name)
    # Common tables are read wherever they are named, so that six steps take Trino minutes.
    steps = {"depth": 2} if any(parameter.name == "depth" for parameter in report.parameters) else {}
    given, there = (
        asked(cast("Store", one), report, memberships, timeout_ms=600_000, **steps) for one in (store, trino)
    )
    assert there.total == given.total
    for one, other in zip(plain_rows(given, report), plain_rows(there, report), strict=True):
        assert {key: value for key, value in other.items() if not _is_about(value, one[key], report, key)} == {}


def _is_about(there: Any, here: Any, report: reports.Report, name: str) -> bool:
    """Percentiles are approximate there, and what is worked out of them with them; the rest is equal."""
    if isinstance(there, float) and isinstance(here, float) and "approx_percentile" in trino_text(report):
        return there == pytest.approx(here, rel=0.3, abs=1.0)
    return there == here or (isinstance(there, float) and there == pytest.approx(here, rel=1e-6))


def trino_text(report: reports.Report) -> str:
    given = {**SPAN, **ASKED.get(report.name, {})}
    return statement(report.name, "trino", "lake.whodid.events", **given).lower()
