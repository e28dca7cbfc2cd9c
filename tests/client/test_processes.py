"""Ends, forks, threads, full buffers: what a program does that is not about logging."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.logging_server import Scripted, spooled_events, spooled_files, wait_until
from whodid.client import Logger
from whodid.errors import WhodidError

MakeLogger = Callable[..., Logger]


def run(source: str, *arguments: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; that Python warns of forks beside threads is no matter of ours."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", source, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


START = "import os, sys, threading, time\nfrom whodid import Logger\nlogger = Logger(sys.argv[1], spool=sys.argv[2])\n"


def test_everything_is_sent_at_exit(tmp_path: Path) -> None:
    with Scripted() as server:
        done = run(START + "for n in range(3000): logger.audit('step', {'n': n})", server.url, str(tmp_path / "spool"))
        assert (done.returncode, done.stderr) == (0, "")
        assert len(server.ids) == len(set(server.ids)) == 3_000
    assert not spooled_files(tmp_path)


def test_an_exit_without_a_server_is_quick_and_keeps_everything(tmp_path: Path) -> None:
    start = time.monotonic()
    done = run(START + "for n in range(3000): logger.audit('step')", "http://127.0.0.1:9", str(tmp_path / "spool"))
    assert done.returncode == 0
    assert time.monotonic() - start < 5
    assert spooled_events(spooled_files(tmp_path)) == 3_000


def test_what_exit_handlers_log_is_sent(tmp_path: Path) -> None:
    source = (
        "import atexit\natexit.register(lambda: logger.audit('after ours'))\n"
        + START
        + "atexit.register(lambda: logger.audit('before ours'))\n"
    )
    with Scripted() as server:
        done = run(source, server.url, str(tmp_path / "spool"))
        assert (done.returncode, done.stderr) == (0, "")
        descriptions = [event["description"] for request in server.requests for event in request]
    assert descriptions == ["before ours", "after ours"]


def test_an_exit_without_server_and_spool_ends_all_the_same() -> None:
    source = "import atexit\natexit.register(lambda: logger.audit('x'))\nfrom whodid import Logger\n"
    source += "logger = Logger('http://127.0.0.1:9', spool=False, exit_timeout_ms=300)\nlogger.audit('x')"
    start = time.monotonic()
    assert run(source).returncode == 0
    assert time.monotonic() - start < 5


def test_a_fork_sends_its_own_events_and_not_its_parents(tmp_path: Path) -> None:
    source = (
        START
        + """
for n in range(500): logger.audit('parent', {'n': n})
child = os.fork()
if child == 0:
    for n in range(500): logger.audit('child', {'n': n})
    sys.exit(0)
for n in range(500, 1000): logger.audit('parent', {'n': n})
assert os.waitpid(child, 0)[1] == 0
"""
    )
    with Scripted() as server:
        done = run(source, server.url, str(tmp_path / "spool"))
        assert (done.returncode, done.stderr) == (0, "")
        events = [event for request in server.requests for event in request]
    assert len({event["id"] for event in events}) == len(events) == 1_500
    for name, count in (("parent", 1_000), ("child", 500)):
        numbers = [event["parameters"]["n"] for event in events if event["description"] == name]
        assert numbers == list(range(count))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_send_before_they_end(method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        START
        + f"""
import multiprocessing
def work(number):
    logger.audit('child', {{'n': number}})
if __name__ == '__main__':
    logger.audit('parent')
    context = multiprocessing.get_context('{method}')
    children = [context.Process(target=work, args=(n,)) for n in range(3)]
    for child in children: child.start()
    for child in children: child.join()
"""
    )
    with Scripted() as server:
        command = [sys.executable, str(script), server.url, str(tmp_path / "spool")]
        subprocess.run(command, check=True, timeout=30)
        events = [event for request in server.requests for event in request]
    assert sorted(event["description"] for event in events) == ["child", "child", "child", "parent"]


def test_many_threads_lose_nothing(make_logger: MakeLogger) -> None:
    with Scripted() as server:
        logger = make_logger(server.url, batch_events_max=100)
        threads = [threading.Thread(target=lambda: [logger.audit("step") for _ in range(1_000)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert logger.flush(20)
        assert len(set(server.ids)) == 8_000
        assert logger.stats().sent == 8_000


def test_flush_from_many_threads_returns_when_all_is_there(make_logger: MakeLogger) -> None:
    with Scripted() as server:
        logger = make_logger(server.url, flush_interval_ms=10_000)
        flushed: list[bool] = []

        def work() -> None:
            identifier = logger.audit("step")
            flushed.append(logger.flush(10) and identifier in server.ids)

        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert flushed == [True] * 10


def test_flush_says_when_its_time_is_not_enough(make_logger: MakeLogger) -> None:
    with Scripted() as server:
        server.then = (503, {"Retry-After": "30"}, {})
        logger = make_logger(server.url)
        logger.audit("step")
        start = time.monotonic()
        assert not logger.flush(0.2)
        assert 0.15 < time.monotonic() - start < 2


def test_a_full_buffer_drops_and_counts(make_logger: MakeLogger) -> None:
    logger = make_logger("http://127.0.0.1:9", spool=False, buffer_events_max=50, batch_events_max=10)
    for _ in range(1_000):
        logger.audit("step")
    stats = logger.stats()
    assert stats.logged + stats.dropped == 1_000
    assert 0 < stats.waiting <= 50 + 2 * 10 + 10


def test_a_full_buffer_raises_by_choice(make_logger: MakeLogger) -> None:
    logger = make_logger("http://127.0.0.1:9", spool=False, buffer_events_max=50, overflow="raise")
    with pytest.raises(WhodidError) as raised:
        for _ in range(10_000):
            logger.audit("step")
    assert raised.value.code == "full"
    assert raised.value.kind.temporary


def test_a_full_buffer_blocks_by_choice(make_logger: MakeLogger) -> None:
    with Scripted() as server:
        server.then = (503, {}, {})
        options = {"spool": False, "buffer_events_max": 50, "batch_events_max": 10, "overflow": "block"}
        logger = make_logger(server.url, retry_max_ms=50, **options)
        done = threading.Event()

        def log() -> None:
            for _ in range(500):
                logger.audit("step")
            done.set()

        thread = threading.Thread(target=log)
        thread.start()
        assert not done.wait(0.3), "it has to wait for room"
        server.then = (200, {}, None)
        assert done.wait(20), "it goes on when there is room"
        thread.join()
        assert logger.flush(20)
        assert logger.stats().sent == 500 and logger.stats().dropped == 0


def test_a_buffer_is_bounded_in_bytes_too(make_logger: MakeLogger) -> None:
    logger = make_logger("http://127.0.0.1:9", spool=False, buffer_bytes_max=100_000)
    for _ in range(1_000):
        logger.audit("x" * 1_000)
    stats = logger.stats()
    assert stats.dropped > 800


def test_logging_never_waits_for_a_server_that_hangs(make_logger: MakeLogger) -> None:
    goes_on = threading.Event()

    def hang(events: list[object]) -> tuple[int, dict[str, str], None]:
        return (200, {}, None) if goes_on.wait(60) else (503, {}, None)

    with Scripted() as server:
        server.then = hang
        logger = make_logger(server.url, batch_events_max=100)
        start = time.perf_counter()
        for _ in range(10_000):
            logger.audit("step")
        assert time.perf_counter() - start < 10
        assert logger.stats().dropped == 0
        goes_on.set()
        assert logger.flush(20)
        assert logger.stats().sent == 10_000


def test_a_del_that_logs_does_not_lock_up(make_logger: MakeLogger) -> None:
    with Scripted() as server:
        logger = make_logger(server.url)

        class Loud:
            def __del__(self) -> None:
                logger.audit("gone")

        lock = logger._carrier.buffer._lock  # type: ignore[union-attr]
        with lock:
            del Loud
            logger.audit("within")
        assert logger.flush(10)


UNCAUGHT = """
import asyncio
logger.catch_uncaught()
async def task():
    raise KeyError('in a task')
async def main():
    found = asyncio.create_task(task())
    await asyncio.sleep(0.01)
    del found
asyncio.run(main())
def work():
    raise ValueError('in a thread')
thread = threading.Thread(target=work, name='worker')
thread.start()
thread.join()
raise RuntimeError('in the program')
"""


def test_uncaught_exceptions_are_logged_and_still_told(tmp_path: Path) -> None:
    with Scripted() as server:
        done = run(START + UNCAUGHT, server.url, str(tmp_path / "spool"))
        events = [event for request in server.requests for event in request]
    assert done.returncode == 1
    for text in ("in a task", "in a thread", "in the program"):
        assert text in done.stderr
    found = {event["parameters"]["uncaught"]: event for event in events}
    assert found["task"]["error_message"] == "'in a task'"
    assert found["thread"]["parameters"]["thread"] == "worker"
    assert "RuntimeError: in the program" in found["program"]["error_stack_trace"]


def test_an_interrupt_is_no_error(tmp_path: Path) -> None:
    source = (
        START + "logger.catch_uncaught()\nlogger.audit('x')\nlogger.flush()\nprint('up', flush=True)\ntime.sleep(60)"
    )
    with Scripted() as server:
        command = [sys.executable, "-c", source, server.url, str(tmp_path / "spool")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=20)
        wait_until(lambda: len(server.ids) == 1, "the event did not come")
