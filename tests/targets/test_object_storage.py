"""Object storage as a target: against a server that checks secrets and names, and killed in between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.laid_out import filled, killed_until_done, target_of, unpacked
from support.s3 import S3Server, s3_server
from support.swift import swift_server
from whodid.errors import WhodidError
from whodid.places.objects import explained

POINTS = ("target.before-commit", "target.after-commit", "target.mid-deliver", "target.after-deliver")


@pytest.fixture(scope="module", params=["moto", "swift"])
def server(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    """Two servers that have nothing in common."""
    if request.param == "swift":
        yield request.getfixturevalue("swift")
        return
    with s3_server() as started:
        yield started


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> Any:
    name = f"audit-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    return server.bucket(name)


def numbers_in(bucket: Any) -> list[int]:
    found = (one for one in bucket.objects.all() if not one.key.startswith("_"))
    return sorted(int(row["id"][-12:], 16) for one in found for row in unpacked(one.key, one.get()["Body"].read()))


def sent(server: S3Server, made: Any, tmp_path: Path, numbers: range, **options: Any) -> str:
    """Send events and close; what the target answered."""
    target = target_of("s3", tmp_path / "work", server.options(made.name) | options)
    try:
        filled(target, numbers)
        return target.flush()
    finally:
        target.close()


def test_the_same_layout_and_manifest_as_files(server: S3Server, bucket: Any, tmp_path: Path) -> None:
    sent(server, bucket, tmp_path, range(8), prefix="logs", folders="/%{topic}/%Y/%M/%D")
    keys = {one.key: one.get()["Body"].read() for one in bucket.objects.all()}
    data = {key: body for key, body in keys.items() if not key.startswith("logs/_")}
    assert {key.rpartition("/")[0] for key in data} == {"logs/generic/2026/11/20", "logs/apinode-query/2026/11/20"}
    manifest = next(json.loads(body) for key, body in keys.items() if key.startswith("logs/_manifests/"))
    told = {f"logs/{file['path']}": file for file in manifest["files"]}
    assert {key: hashlib.sha256(body).hexdigest() for key, body in data.items()} == {
        key: file["sha256"] for key, file in told.items()
    }


def test_a_large_file_goes_in_parts_and_leaves_nothing_under_way(server: S3Server, bucket: Any, tmp_path: Path) -> None:
    options = {"compression": "none", "folders": "/all", "single_bytes": 1_000}
    sent(server, bucket, tmp_path, range(100), **options)
    assert numbers_in(bucket) == list(range(100))
    assert not [one.key for one in bucket.objects.all() if one.key.startswith("_uploads")]


def test_a_name_that_is_taken_is_never_overwritten(server: S3Server, bucket: Any, tmp_path: Path) -> None:
    options = {**server.options(bucket.name), "folders": "/all"}
    target: Any = target_of("s3", tmp_path / "work", options)
    target.open()
    for single_bytes in (1_000_000, 10):
        target.options = {**target.options, "single_bytes": single_bytes}
        bucket.put_object(Key=f"all/x-{single_bytes}", Body=b"first")
        working = tmp_path / "second"
        working.write_bytes(b"second of the same name")
        target._upload(working, f"all/x-{single_bytes}", working.stat().st_size)
        assert bucket.Object(f"all/x-{single_bytes}").get()["Body"].read() == b"first"
    target.close()


def test_encryption_is_asked_for(server: S3Server, bucket: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["server"] == "swift":
        with pytest.raises(WhodidError, match="Server-side encryption is not supported") as caught:
            sent(server, bucket, tmp_path, range(2), encryption="AES256")
        assert not caught.value.kind.temporary
        return
    sent(server, bucket, tmp_path, range(2), folders="/all", encryption="AES256")
    key = next(one.key for one in bucket.objects.all() if one.key.startswith("all/"))
    assert bucket.Object(key).server_side_encryption == "AES256"


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_each_event_is_there_once(
    server: S3Server, bucket: Any, tmp_path: Path, point: str
) -> None:
    options = {**server.options(bucket.name), "close_bytes": 6_000, "folders": "/%{topic}/%Y"}
    assert killed_until_done("s3", tmp_path / "work", options, point, 60) >= 1
    assert numbers_in(bucket) == list(range(60))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_access_key": "wrong-secret-of-somebody"}, "forbidden"),
        ({"bucket": "nowhere-at-all"}, "not_found"),
        ({"endpoint": "http://127.0.0.1:1"}, "unavailable"),
    ],
)
def test_what_goes_wrong_is_told_without_the_secret(
    server: S3Server, bucket: Any, tmp_path: Path, wrong: dict[str, str], code: str
) -> None:
    with pytest.raises(WhodidError) as caught:
        sent(server, bucket, tmp_path, range(2), **wrong)
    assert caught.value.code == code
    assert "wrong-secret" not in str(caught.value)


def test_who_may_read_only_is_told_so(tmp_path: Path) -> None:
    with s3_server() as everything:
        everything.bucket("audit")
        reader = everything.with_rights("s3:ListBucket", "s3:GetObject")
        target = target_of("s3", tmp_path / "work", reader.options("audit"))
        filled(target, range(2))
        with pytest.raises(WhodidError, match="they may not do this") as caught:
            target.flush()
        target.close()
    assert (caught.value.code, caught.value.kind.temporary) == ("forbidden", False)


def test_after_an_outage_it_goes_on_with_the_same_files(server: S3Server, bucket: Any, tmp_path: Path) -> None:
    with pytest.raises(WhodidError):
        sent(server, bucket, tmp_path, range(30), endpoint="http://127.0.0.1:1")
    sent(server, bucket, tmp_path, range(30))
    assert numbers_in(bucket) == list(range(30))


def test_a_clock_that_is_off_is_told_and_waited_out(tmp_path: Path, swift: S3Server) -> None:
    with swift_server(tmp_path, clock_ahead_s=3_600) as ahead:
        target = target_of("s3", tmp_path / "work", ahead.options("audit"))
        filled(target, range(2))
        with pytest.raises(WhodidError, match=r"RequestTimeTooSkewed.*clock is off") as caught:
            target.flush()
        target.close()
    assert caught.value.kind.temporary


@pytest.mark.parametrize("status", [403, 404, 503])
def test_numbers_in_names_and_addresses_are_no_answers(status: int) -> None:
    """A port, a name or an id that holds the digits of a status says nothing about what went wrong."""
    text = f"Error performing PUT http://127.0.0.1:4{status}/audit/audit-01a1{status}.gz in 403.404ms - "
    assert explained(OSError(text + "HTTP error: error sending request"), "s3://audit", "").code == "unavailable"
    answered = explained(OSError(text + "Server returned non-2xx status code: 503 Slow: <x>"), "s3://audit", "")
    assert answered.code == "unavailable"
