"""The store goes away, the disk fills: senders keep their batches, and nothing is lost when the weather clears."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import absent
from support.postgresql import PostgreSQLServer
from support.posting import Sender, assert_exactly_once, wait_until_stored
from support.serving import ServerProcess

AWAY_S = float(os.environ.get("WHODID_AWAY_S", "5"))
WAIT_S = 60
DISK_MB = 96


@pytest.mark.postgresql
def test_postgresql_away_and_back(data: Path, free_port: int, own_postgresql_server: PostgreSQLServer) -> None:
    url = own_postgresql_server.create_database()
    server = ServerProcess(data, "--store", url, port=free_port).start()
    sender = Sender(server, "sender", seed=3)
    try:
        sender.start()
        time.sleep(0.5)
        own_postgresql_server.crash()
        before = len(sender.acknowledged)
        time.sleep(AWAY_S)
        _wait_for(lambda: len(sender.acknowledged) > before, "events are accepted while the store is away")
        own_postgresql_server.start()
        wait_until_stored(server, timeout_s=90)
        sender.finish()
        assert_exactly_once(server, [sender])
    finally:
        server.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of `DISK_MB` that can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", folder], capture_output=True)
    if mounted.returncode != 0:
        absent(f"a small tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_answers_507_and_goes_on_when_freed(small_disk: Path, free_port: int) -> None:
    environment = {"WHODID_DISK_FREE_BYTES_MIN": str(8 * 1024 * 1024)}
    server = ServerProcess(small_disk / "data", port=free_port, environment=environment).start()
    ballast = small_disk / "ballast"
    sender = Sender(server, "sender", seed=5)
    try:
        sender.start()
        time.sleep(0.5)
        _fill(ballast, leave_bytes=4 * 1024 * 1024)
        _wait_for(lambda: 507 in sender.refusals, "507 while the disk is full")
        assert not server.ended()
        before = len(sender.acknowledged)
        ballast.unlink()
        _wait_for(lambda: len(sender.acknowledged) > before, "acknowledgements after the disk was freed")
        sender.finish()
        assert_exactly_once(server, [sender])
    finally:
        server.kill()


def _fill(ballast: Path, *, leave_bytes: int) -> None:
    """Take space until so much is left; the server takes some at the same time."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while (free := _free_bytes(ballast.parent)) > leave_bytes:
            file.write(b"\0" * min(1024 * 1024, free - leave_bytes))


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _wait_for(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(0.05)
