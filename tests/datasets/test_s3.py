"""Importing from S3, against a server that speaks it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from support.imports import KeptSink, dss_lines, native_lines
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.importer import Importer
from whodid.datasets.sources import find
from whodid.errors import WhodidError

BUCKET = "customer-audit-log"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    made = boto3.resource("s3", endpoint_url=endpoint).Bucket(BUCKET)
    made.create()
    yield made
    made.objects.all().delete()
    made.delete()


def put(bucket: object, key: str, data: bytes) -> None:
    bucket.put_object(Key=key, Body=data)  # type: ignore[attr-defined]


def test_everything_below_a_prefix_comes_in_compressed_or_not(bucket: object, endpoint: str) -> None:
    put(bucket, "api/2026/03/01.log", dss_lines(range(1000)))
    put(bucket, "api/2026/03/02.log.gz", gzip.compress(dss_lines(range(1000, 30_000))))
    put(bucket, "design/2026/03/01.log", dss_lines(range(90_000, 90_010)))
    sink = KeptSink()
    with Importer(sink) as importer:
        for source in find([f"s3://{BUCKET}/api"], endpoint=endpoint).sources:
            importer.read(source)
        summary = importer.finish()
    assert sink.numbers == list(range(30_000))
    assert [file.name for file in summary.files] == [
        f"s3://{BUCKET}/api/2026/03/01.log",
        f"s3://{BUCKET}/api/2026/03/02.log.gz",
    ]


@pytest.mark.parametrize("prefix", ["logs/a", "logs/audit-1.log", "logs/audit"])
def test_a_prefix_is_the_begin_of_a_key_as_in_s3_itself(prefix: str, bucket: object, endpoint: str) -> None:
    put(bucket, "logs/audit-1.log", b"{}\n")
    put(bucket, "logs/other.log", b"{}\n")
    found = find([f"s3://{BUCKET}/{prefix}"], endpoint=endpoint)
    assert [source.name for source in found.sources] == [f"s3://{BUCKET}/logs/audit-1.log"]


def test_the_endpoint_may_come_from_the_environment(
    bucket: object, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    put(bucket, "a.log", b"{}\n")
    assert len(find([f"s3://{BUCKET}"]).sources) == 1


def test_objects_are_known_again(bucket: object, endpoint: str, tmp_path: Path) -> None:
    checkpoints, sink = Checkpoints(tmp_path / "files.db"), KeptSink()
    for upto, outcome in ((2000, "read"), (2000, "skipped"), (3000, "continued")):
        put(bucket, "a.log", native_lines(range(upto)))
        with Importer(sink, checkpoints) as importer:
            done = importer.read(find([f"s3://{BUCKET}/a.log"], endpoint=endpoint).sources[0])
        assert done.outcome == outcome
    assert sink.sent == 3000
    checkpoints.close()


def test_an_empty_prefix_is_a_problem_and_a_missing_bucket_an_error(bucket: object, endpoint: str) -> None:
    assert [problem.message for problem in find([f"s3://{BUCKET}/none"], endpoint=endpoint).problems] == [
        "no object is there"
    ]
    with pytest.raises(WhodidError, match="cannot be listed") as caught:
        find(["s3://no-such-bucket/x"], endpoint=endpoint)
    assert caught.value.code == "unavailable"
