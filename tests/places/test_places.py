"""One suite for every kind of place, and what is particular to folders and object storage."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import xxhash

from support.azurite import Azurite
from support.s3 import S3Server, s3_server
from whodid import durable
from whodid.errors import WhodidError
from whodid.places import KINDS, Place, open_place

CONTENT = {"2026/11/20/a.log": b"one\n", "2026/11/20/b.log": b"two\n" * 500_000, "2026/11/21/c.log": b""}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as started:
        yield started


@pytest.fixture(params=["folder", "moto", "swift", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place of each kind that holds `CONTENT`."""
    if request.param == "folder":
        for path, content in CONTENT.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        opened = open_place("folder", {"path": str(tmp_path)})
    elif request.param == "azure":
        azure: Azurite = request.getfixturevalue("azure")
        name = f"places-{xxhash.xxh3_64_hexdigest(request.node.nodeid.encode())}"
        container = azure.container(name)
        for path, content in CONTENT.items():
            container.put(f"logs/{path}", content)
        opened = open_place("azure", azure.options(name, prefix="logs"))
    else:
        server: S3Server = request.getfixturevalue("server" if request.param == "moto" else "swift")
        name = f"places-{xxhash.xxh3_64_hexdigest(request.node.nodeid.encode())}"
        bucket = server.bucket(name)
        for path, content in CONTENT.items():
            bucket.put_object(Key=f"logs/{path}", Body=content)
        opened = open_place("s3", server.options(name, prefix="logs"))
    yield opened
    opened.close()


def test_files_below_a_folder(place: Place) -> None:
    assert {file.path: file.size_bytes for file in place.files()} == {
        path: len(content) for path, content in CONTENT.items()
    }
    assert sorted(file.path for file in place.files("2026/11/20")) == ["2026/11/20/a.log", "2026/11/20/b.log"]
    assert list(place.files("2026/12")) == []


def test_a_file_is_read_whole(place: Place) -> None:
    for path, content in CONTENT.items():
        with place.open(path) as stream:
            assert stream.read() == content


def test_a_file_that_is_not_there(place: Place) -> None:
    with pytest.raises(OSError, match=r"cannot be read|No such file"):
        place.open("2026/nothing")


def test_a_changed_file_has_another_version(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    place = open_place("folder", {"path": str(tmp_path)})
    before = next(place.files())
    (tmp_path / "a.log").write_bytes(b"two, longer\n")
    assert next(place.files()).version != before.version


def test_nothing_outside_of_a_folder_is_reached(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "way").symlink_to(tmp_path)
    (root / ".hidden").write_text("x")
    place = open_place("folder", {"path": str(root)})
    assert list(place.files()) == []
    for path in ("../secret", "link", "/etc/passwd", "way/secret"):
        with pytest.raises(WhodidError, match="leads out of"):
            place.open(path)


def test_what_goes_while_a_folder_is_read_is_passed_over(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "c/d.log", "e.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"one\n")
    files = open_place("folder", {"path": str(tmp_path)}).files()
    assert next(files).path == "a.log"
    (tmp_path / "b.log").unlink()
    shutil.rmtree(tmp_path / "c")
    assert [file.path for file in files] == ["e.log"]


def test_a_wrong_secret_is_forbidden_and_does_not_show(server: S3Server) -> None:
    server.bucket("audit")
    options = server.options("audit") | {"secret_access_key": "wrong-secret-of-somebody"}
    with pytest.raises(WhodidError) as caught:
        list(open_place("s3", options).files())
    assert caught.value.code == "forbidden"
    assert "wrong-secret" not in str(caught.value)


def test_a_missing_bucket_is_not_found(server: S3Server) -> None:
    with pytest.raises(WhodidError) as caught:
        list(open_place("s3", server.options("nowhere")).files())
    assert caught.value.code == "not_found"
    with pytest.raises(WhodidError) as caught:
        list(open_place("folder", {"path": "/nowhere/at/all"}).files())
    assert caught.value.code == "not_found"


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("ftp", {}, "no kind of place"),
        ("folder", {}, "needs path"),
        ("folder", {"path": "audit"}, "not absolute"),
        ("folder", {"path": "/a", "bucket": "b"}, "no option 'bucket'"),
        ("s3", {"region": "eu-central-1"}, "needs bucket"),
        ("s3", {"bucket": 7}, "is no text"),
        ("azure", {"container": "c"}, "needs account"),
    ],
)
def test_bad_options_are_named(kind: str, options: dict[str, str], complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint) as caught:
        open_place(kind, options)
    assert caught.value.code == "invalid"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_every_kind_of_object_storage_opens_without_asking(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    given = {"bucket": "audit", "container": "audit", "account": "whodid", "account_key": "a2V5", "prefix": "logs/"}
    known = {option.name for option in KINDS[kind].options}
    place = open_place(kind, {name: value for name, value in given.items() if name in known})
    assert place.url == {"s3": "s3://audit/logs", "gcs": "gs://audit/logs", "azure": "az://audit/logs"}[kind]


def test_a_file_is_written_whole_and_replaces_none(place: Place) -> None:
    place.write("reports/2026/users.csv", b"person\r\nerika\r\n")
    with place.open("reports/2026/users.csv") as stream:
        assert stream.read() == b"person\r\nerika\r\n"
    with pytest.raises(WhodidError) as caught:
        place.write("reports/2026/users.csv", b"other")
    assert caught.value.code == "conflict"
    with place.open("reports/2026/users.csv") as stream:
        assert stream.read() == b"person\r\nerika\r\n"
    assert [file.path for file in place.files("reports")] == ["reports/2026/users.csv"]


def test_nothing_is_written_outside_of_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "way").symlink_to(tmp_path)
    place = open_place("folder", {"path": str(root)})
    for path in ("../secret.csv", "/tmp/secret.csv", "way/secret.csv"):
        with pytest.raises(WhodidError, match="leads out of"):
            place.write(path, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_what_does_not_fit_into_a_folder_leaves_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "sync", full)
    with pytest.raises(WhodidError, match="cannot be written") as caught:
        open_place("folder", {"path": str(tmp_path)}).write("users.csv", b"person\r\n")
    assert caught.value.code == "full"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WhodidError, match="cannot be written") as caught:
        open_place("folder", {"path": str(tmp_path)}).write("file/below.csv", b"x")
    assert caught.value.code == "forbidden"
    with pytest.raises(WhodidError) as caught:
        open_place("folder", {"path": str(tmp_path / "nowhere")}).write("a.csv", b"x")
    assert caught.value.code == "not_found"
