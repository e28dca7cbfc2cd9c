"""One owner of a folder, known by name to everybody else."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from whodid.errors import WhodidError
from whodid.journal import lock
from whodid.journal.lock import FolderLock

HOLDER = """
import os, sys, time
from pathlib import Path
from whodid.journal.lock import FolderLock
sys.argv = ["/usr/local/bin/whodid", "serve", "--key", "SECRET"]
held = FolderLock.acquire(Path(os.environ["FOLDER"]), url="http://127.0.0.1:8400", key="SECRET")
if os.environ.get("FORK") and os.fork() == 0:
    time.sleep(60)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    return start(tmp_path)


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=os.environ | {"FOLDER": str(folder)} | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def stop(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_the_second_one_is_told_who_when_and_what_to_do(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    try:
        with pytest.raises(WhodidError) as refused:
            FolderLock.acquire(tmp_path)
    finally:
        stop(holder)
    error = refused.value
    assert error.code == "conflict"
    assert f"{tmp_path} is in use by process {holder.pid} (whodid serve), since 20" in error.message
    assert error.hint == f"Stop that process (kill {holder.pid}), or talk to it with --server http://127.0.0.1:8400."
    assert "SECRET" not in str(error)


def test_the_owner_can_be_asked_for(tmp_path: Path) -> None:
    assert lock.owner(tmp_path) is None
    assert lock.owner(tmp_path / "missing") is None
    holder = start(tmp_path)
    try:
        found = lock.owner(tmp_path)
        assert found is not None
        assert (found.pid, found.command, found.url) == (holder.pid, "whodid serve", "http://127.0.0.1:8400")
        assert found.key == "SECRET"
        assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600
    finally:
        stop(holder)
    assert lock.owner(tmp_path) is None


def test_a_killed_owner_leaves_nothing_to_clean_up(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    stop(holder)
    FolderLock.acquire(tmp_path).release()


def test_a_forked_child_does_not_keep_the_folder(tmp_path: Path) -> None:
    holder = start(tmp_path, FORK="1")
    try:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        FolderLock.acquire(tmp_path).release()
    finally:
        stop(holder)


def test_release_frees_the_folder_and_may_be_repeated(tmp_path: Path) -> None:
    first = FolderLock.acquire(tmp_path / "new" / "folder")
    first.release()
    first.release()
    second = FolderLock.acquire(tmp_path / "new" / "folder")
    assert lock.owner(tmp_path / "new" / "folder") is not None
    second.release()


def test_where_files_cannot_be_locked_it_says_what_can_be_done() -> None:
    script = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from whodid.errors import WhodidError\n"
        "try: import whodid.journal.disk\n"
        "except WhodidError as problem: print(problem.code, problem.hint)"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert told.startswith("unsupported On Windows run whodid in WSL") and "--server URL" in told


def test_what_becomes_known_later_is_added_to_the_record(tmp_path: Path) -> None:
    held = FolderLock.acquire(tmp_path, key="k")
    held.update(url="http://127.0.0.1:4711")
    found = lock.owner(tmp_path)
    assert found == held.owner and found is not None and (found.url, found.key) == ("http://127.0.0.1:4711", "k")
    held.release()


def test_those_who_only_look_do_not_get_in_the_way(tmp_path: Path) -> None:
    over = threading.Event()
    FolderLock.acquire(tmp_path).release()

    def look() -> None:
        while not over.is_set():
            lock.owner(tmp_path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(50):
            FolderLock.acquire(tmp_path).release()
    finally:
        over.set()
        looking.join()
