"""The spool: what waits on disk is sent later, in order, once, by whoever is there then."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.logging_server import Events, Scripted, parameters, spooled_events, spooled_files, wait_until
from support.serving import ServerProcess
from whodid.client import Logger
from whodid.client.spool import Spool, SpoolFull, body_of, lines_of

MakeLogger = Callable[..., Logger]

NOBODY = "http://127.0.0.1:9"

# Logs numbers for ever, one a millisecond, and prints each when it was logged.
PROGRAM = """
import sys, time
from whodid import Logger
logger = Logger(sys.argv[1], spool=sys.argv[2], flush_interval_ms=10, retry_min_ms=10, retry_max_ms=200,
                topic=sys.argv[3], node=sys.argv[4])
number = 0
while True:
    logger.audit("step", {"number": number})
    print(number, flush=True)
    number += 1
    time.sleep(0.001)
"""


def program(url: str, spool: Path, topic: str = "t", node: str = "n") -> subprocess.Popen[str]:
    script = spool.parent / "program.py"
    if not script.exists():
        # Only once: a process that starts meanwhile would read half of it.
        script.write_text(PROGRAM)
    command = [sys.executable, str(script), url, str(spool), topic, node]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_process_that_is_killed_leaves_its_events_to_the_next(tmp_path: Path) -> None:
    with Scripted() as server:
        server.then = (503, {}, {})
        first = program(server.url, tmp_path / "spool")
        wait_until(partial(_has_spooled, 200, tmp_path / "spool", first), "too little was spooled")
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = len(server.requests)
        server.then = (200, {}, None)
        second = program(server.url, tmp_path / "spool")
        wait_until(lambda: _spoken_by_both(server, before), "what the first left was not sent")
        second.kill()
        second.wait()
        numbers = [event["parameters"]["number"] for request in server.requests[before:] for event in request]
    start = numbers.index(0, 1)
    assert numbers[:start] == list(range(start)), "those of the first process come first, in order"
    assert start >= 200, "what was on disk before the kill is there"
    assert numbers[start:] == list(range(len(numbers) - start))


def _spoken_by_both(server: Scripted, before: int) -> bool:
    numbers = [event["parameters"]["number"] for request in server.requests[before:] for event in request]
    return numbers.count(0) == 2


def test_several_processes_send_every_event_once(free_port: int, tmp_path: Path) -> None:
    url, spool = f"http://127.0.0.1:{free_port}", tmp_path / "spool"
    processes = [program(url, spool, "shared", f"node-{number}") for number in range(4)]
    for process in processes:
        assert process.stdout is not None
        for _ in range(300):
            process.stdout.readline()
        wait_until(partial(_has_spooled, 100, spool, process), "too little was spooled")
    for process in processes[:2]:
        process.kill()
        process.wait()
    server = ServerProcess(tmp_path / "data", port=free_port).start()
    try:
        processes += [program(url, spool, "shared", f"node-{number}") for number in (4, 5)]
        heard = [300] * 4 + [1] * 2
        for process in processes[4:]:
            assert process.stdout is not None and process.stdout.readline()
        left = f"{{{processes[0].pid}, {processes[1].pid}}}"
        wait_until(lambda: not _files_of(spool, processes[:2]), f"the files of {left} were not sent", timeout_s=60)
        spoken = {}
        for number, process in list(enumerate(processes))[2:]:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == -signal.SIGINT
            assert process.stdout is not None
            spoken[f"node-{number}"] = len(process.stdout.read().split()) + heard[number]
        assert not spooled_files(spool)
        rows = _settled(server)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        server.kill()
    for node in {row["node"] for row in rows}:
        numbers = sorted(row["number"] for row in rows if row["node"] == node)
        assert numbers == list(range(len(numbers))), f"{node} lacks events or has some twice"
        assert len(numbers) >= spoken.get(node, 100)
    assert len({row["node"] for row in rows}) == 6


def _has_spooled(events: int, spool: Path, process: subprocess.Popen[str]) -> bool:
    return spooled_events(_files_of(spool, [process])) >= events


def _files_of(spool: Path, processes: list[subprocess.Popen[str]]) -> list[Path]:
    ids = {str(process.pid) for process in processes}
    return [path for path in spooled_files(spool) if path.parent.name.split("-")[3] in ids]


def _settled(server: ServerProcess) -> list[dict[str, Any]]:
    """The events of the topic, once no more of them come."""
    sql = "SELECT node, parameters FROM events WHERE topic = 'shared'"
    before = -1
    while True:
        rows = server.query(sql)
        if len(rows) == before:
            return [{"node": row["node"], **parameters(row)} for row in rows]
        before = len(rows)
        time.sleep(0.5)


def test_a_folder_that_cannot_be_read_keeps_no_other_from_being_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        ended = Spool(tmp_path, 1_000_000)
        ended.write(1, body_of([b'{"number": %d}' % number]))
        ended.close()
    first, second = sorted(spooled_files(tmp_path))
    read, broken = Path.read_bytes, {first}

    def reads(path: Path) -> bytes:
        if path in broken:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", reads)
    spool = Spool(tmp_path, 1_000_000)
    assert spool.adopt() == [(second, 1)]
    with pytest.raises(OSError, match="Input/output"):
        spool.adopt()
    broken.clear()
    assert spool.adopt() == [(first, 1)]
    assert spool.size_bytes == first.stat().st_size + second.stat().st_size
    spool.close()


def test_long_absence_makes_few_files(make_logger: MakeLogger, tmp_path: Path) -> None:
    logger = make_logger(NOBODY, flush_interval_ms=5)
    for number in range(60):
        logger.audit("step", {"number": number})
        time.sleep(0.006)
    wait_until(lambda: logger.stats().spooled == 60, "not on disk")
    assert len(spooled_files(tmp_path / "spool")) <= 3


def test_the_spool_is_bounded_and_what_does_not_fit_is_counted(make_logger: MakeLogger, tmp_path: Path) -> None:
    logger = make_logger(NOBODY, spool_bytes_max=20_000, buffer_events_max=500, batch_events_max=100)
    dice = random.Random(1)
    for _ in range(5_000):
        logger.audit("step", {"noise": dice.randbytes(50).hex()})

    def size_bytes() -> int:
        return sum(path.stat().st_size for path in spooled_files(tmp_path / "spool"))

    wait_until(lambda: size_bytes() > 10_000, "hardly anything on disk")
    stats = logger.stats()
    assert size_bytes() <= 20_000
    assert stats.dropped > 0
    assert stats.logged + stats.dropped == 5_000


def test_a_folder_that_cannot_be_written_keeps_events_in_memory(
    tmp_path: Path, make_logger: MakeLogger, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with Scripted((503, {}, {})) as server:
        logger = make_logger(server.url, spool=blocked)
        identifiers = [logger.audit("step") for _ in range(5)]
        assert logger.flush(10)
        assert server.ids[-5:] == identifiers
    assert "cannot be kept on disk" in caplog.text


def test_without_a_spool_events_wait_in_memory(make_logger: MakeLogger) -> None:
    with Scripted(*[(503, {}, {})] * 3) as server:
        logger = make_logger(server.url, spool=False, batch_events_max=10)
        identifiers = [logger.audit("step") for _ in range(100)]
        assert logger.flush(10)
        taken = server.ids[-100:]
        assert taken == identifiers


def test_half_a_batch_of_a_dying_process_is_mended(tmp_path: Path) -> None:
    dead = Spool(tmp_path, 10**6)
    path = dead.write(1, body_of([b'{"n":1}', b'{"n":2}']))
    dead.append(path, body_of([b'{"n":3}', b'{"n":4}'])[:-9])
    (path.parent / "000000000002.half").write_bytes(b"torn")
    dead.close()
    heir = Spool(tmp_path, 10**6)
    ((found, count),) = heir.adopt()
    lines, whole = lines_of(heir.read(found))
    assert whole and count == len(lines)
    assert lines[:2] == [b'{"n":1}', b'{"n":2}']
    heir.remove(found)
    heir.close()
    assert not spooled_files(tmp_path)


def test_a_living_process_keeps_its_folder(tmp_path: Path) -> None:
    living, other = Spool(tmp_path, 10**6), Spool(tmp_path, 10**6)
    path = living.write(1, body_of([b"{}"]))
    assert other.adopt() == []
    living.close()
    assert other.adopt() == [(path, 1)]
    assert Spool(tmp_path, 10**6).adopt() == []


def test_a_full_spool_says_so_and_loses_nothing_it_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100)
    path = spool.write(1, b"x" * 60)
    with pytest.raises(SpoolFull):
        spool.write(2, b"y" * 60)
    with pytest.raises(SpoolFull):
        spool.append(path, b"y" * 60)
    assert spool.read(path) == b"x" * 60
    spool.remove(path)
    assert spool.write(3, b"z" * 100)


def test_files_are_the_users_alone(make_logger: MakeLogger, tmp_path: Path) -> None:
    logger = make_logger(NOBODY, flush_interval_ms=5)
    logger.audit("secret")
    wait_until(lambda: bool(spooled_files(tmp_path / "spool")), "nothing was spooled")
    path = spooled_files(tmp_path / "spool")[0]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert os.getpid() == int(path.parent.name.split("-")[3])


def test_a_spooled_file_can_be_imported(make_logger: MakeLogger, tmp_path: Path, shared_server: ServerProcess) -> None:
    events = Events(shared_server)
    logger = make_logger(NOBODY, topic=events.topic, flush_interval_ms=5)
    for number in range(10):
        logger.audit("step", {"number": number})
        time.sleep(0.01)
    wait_until(lambda: logger.stats().spooled == 10, "not on disk")
    files = [str(path) for path in spooled_files(tmp_path / "spool")]
    subprocess.run(
        [sys.executable, "-m", "whodid", "import", *files, "--server", shared_server.url, "--key", shared_server.key],
        check=True,
        capture_output=True,
    )
    assert [row["parameters"]["number"] for row in events.stored(10)] == list(range(10))
