"""Azure Blob Storage as a target: written to, killed in between, and read back."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from support.azurite import Azurite, blobs_of
from support.laid_out import filled, killed_until_done, target_of, unpacked
from whodid.errors import WhodidError


@pytest.fixture
def name() -> str:
    return f"audit-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def container(azure: Azurite, name: str) -> Any:
    return azure.container(name)


def numbers_in(container: Any) -> list[int]:
    blobs = ((path, data) for path, data in blobs_of(container).items() if not path.startswith("_"))
    return sorted(int(row["id"][-12:], 16) for path, data in blobs for row in unpacked(path, data))


def sent(options: dict[str, Any], tmp_path: Path, numbers: range) -> None:
    """Send events and close."""
    target = target_of("azure", tmp_path / "work", options)
    try:
        filled(target, numbers)
        target.flush()
    finally:
        target.close()


def test_the_same_layout_and_manifest_as_files(azure: Azurite, name: str, container: Any, tmp_path: Path) -> None:
    sent(azure.options(name, prefix="logs", folders="/%{topic}/%Y/%M/%D"), tmp_path, range(8))
    blobs = blobs_of(container)
    data = {path: body for path, body in blobs.items() if not path.startswith("logs/_")}
    assert {path.rpartition("/")[0] for path in data} == {"logs/generic/2026/11/20", "logs/apinode-query/2026/11/20"}
    manifest = next(json.loads(body) for path, body in blobs.items() if path.startswith("logs/_manifests/"))
    told = {f"logs/{file['path']}": file["sha256"] for file in manifest["files"]}
    assert {path: hashlib.sha256(body).hexdigest() for path, body in data.items()} == told


def test_a_large_file_goes_in_blocks_and_leaves_nothing_under_way(
    azure: Azurite, name: str, container: Any, tmp_path: Path
) -> None:
    options: dict[str, Any] = {**azure.options(name), "compression": "none", "folders": "/all", "single_bytes": 1_000}
    sent(options, tmp_path, range(100))
    assert numbers_in(container) == list(range(100))
    assert blobs_of(container, "_uploads") == {}


def test_a_name_that_is_taken_is_never_overwritten(azure: Azurite, name: str, container: Any, tmp_path: Path) -> None:
    target: Any = target_of("azure", tmp_path / "work", {**azure.options(name), "folders": "/all"})
    target.open()
    second = tmp_path / "second"
    second.write_bytes(b"second of the same name")
    for single_bytes in (1_000_000, 10):
        target.options = {**target.options, "single_bytes": single_bytes}
        container.put(f"all/x-{single_bytes}", b"first")
        target._upload(second, f"all/x-{single_bytes}", second.stat().st_size)
        assert bytes(container.get(f"all/x-{single_bytes}").bytes()) == b"first"
    target.close()


@pytest.mark.crash
@pytest.mark.parametrize(
    ("point", "single_bytes"),
    [("target.mid-deliver", 100_000), ("target.mid-deliver", 1_000), ("target.after-deliver", 100_000)],
    ids=["with some uploaded", "with a copy not cleaned up", "with all uploaded"],
)
def test_killed_at_any_point_each_event_is_there_once(
    azure: Azurite, name: str, container: Any, tmp_path: Path, point: str, single_bytes: int
) -> None:
    options = {**azure.options(name), "close_bytes": 12_000, "folders": "/%{topic}", "single_bytes": single_bytes}
    assert killed_until_done("azure", tmp_path / "work", options, point, 40) >= 1
    assert numbers_in(container) == list(range(40))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"account_key": "d3JvbmctYWNjb3VudC1rZXk="}, "forbidden"),
        ({"container": "nowhere-at-all"}, "not_found"),
        ({"endpoint": "http://127.0.0.1:1"}, "unavailable"),
    ],
)
def test_what_goes_wrong_is_told_without_the_secret(
    azure: Azurite, name: str, container: Any, tmp_path: Path, wrong: dict[str, str], code: str
) -> None:
    with pytest.raises(WhodidError) as caught:
        sent({**azure.options(name), **wrong}, tmp_path, range(2))
    assert caught.value.code == code
    assert "d3Jvbmc" not in str(caught.value)
    # What could not be sent is sent when it is mended, once.
    sent(azure.options(name), tmp_path, range(2))
    assert numbers_in(container) == [0, 1]
