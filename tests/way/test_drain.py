"""Stopping: not ready first, then what is under way is answered, then it is stored as far as time allows; exit 0."""

from __future__ import annotations

import ctypes
import http.client
import json
import platform
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from support.posting import Sender, assert_exactly_once
from support.serving import ServerProcess
from whodid.event import new_id
from whodid.stores.postgresql_schema import WRITE_LOCK

# The system call's number for x86-64 and others, which has no function of its own everywhere.
TGKILL = 131 if platform.machine() == "aarch64" else 234


def test_it_is_not_ready_before_it_stops_taking(data: Path, free_port: int) -> None:
    server = ServerProcess(data, port=free_port, environment={"WHODID_DRAIN_DELAY_MS": "1500"}).start()
    sender = Sender(server, "sender", seed=8)
    try:
        sender.start()
        assert server.request("GET", "/readyz?for=receiving")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while (answer := server.request("GET", "/readyz"))[0] == 200:
            assert time.monotonic() < deadline
        assert answer[0] == server.request("GET", "/readyz?for=receiving")[0] == 503
        assert "stopping" in answer[1]["error"]["message"]
        before = len(sender.acknowledged)
        deadline = time.monotonic() + 10
        while len(sender.acknowledged) == before:
            assert time.monotonic() < deadline, "posts are taken until balancers had time to look"
        assert server.process.wait(60) == 0
        server.start()
        sender.finish()
        assert_exactly_once(server, [sender])
    finally:
        server.kill()


def test_asked_as_soon_as_it_answers_it_ends_in_order(data: Path, free_port: int) -> None:
    server = ServerProcess(data, port=free_port).start(wait=False)
    try:
        deadline = time.monotonic() + 60
        while not _answers(free_port):
            assert time.monotonic() < deadline and not server.ended()
        assert server.stop() == 0
    finally:
        server.kill()


def test_a_signal_that_another_thread_takes_ends_it_too(data: Path) -> None:
    server = ServerProcess(data).start()
    try:
        # What it says last before it waits for a signal.
        deadline, log = time.monotonic() + 10, data.parent / f"{data.name}.log"
        while "may post and read" not in log.read_text():
            assert time.monotonic() < deadline
        process = server.process.pid
        threads = [int(task.name) for task in Path(f"/proc/{process}/task").iterdir()]
        other = next(thread for thread in threads if thread != process)
        assert ctypes.CDLL(None).syscall(TGKILL, process, other, int(signal.SIGTERM)) == 0
        assert server.process.wait(30) == 0
    finally:
        server.kill()


def test_a_request_that_is_under_way_is_answered(data: Path) -> None:
    server = ServerProcess(data).start()
    address = urlsplit(server.url)
    body = json.dumps({"id": new_id(), "time": "2026-11-20T10:00:00Z", "type": "query-start"}).encode()
    head = f"POST /v1/events HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as line:
            line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:20])
            # What is sent is read in order: once this is answered, the head above has been read.
            assert server.request("GET", "/healthz")[0] == 200
            server.process.send_signal(signal.SIGTERM)
            _wait_until_closed(address.hostname or "", address.port or 0)
            assert not server.ended()
            line.sendall(body[20:])
            answer = line.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"accepted":1' in answer
        assert server.process.wait(60) == 0
        server.start()
        assert server.scalar("SELECT count(*) FROM events WHERE type = 'query-start'") == 1
    finally:
        server.kill()


@pytest.mark.postgresql
def test_what_cannot_be_stored_in_time_waits_on_disk(data: Path, postgresql_url: str) -> None:
    server = ServerProcess(data, "--store", postgresql_url, environment={"WHODID_DRAIN_MS": "300"}).start()
    try:
        with psycopg.connect(postgresql_url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
            events = [{"id": new_id(), "time": "2026-11-20T10:00:00Z", "type": "query-start"} for _ in range(40)]
            assert server.request("POST", "/v1/events", events)[0] == 200
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 20
        assert list((data / "journal").glob("*.sealed"))
        server.start()
        deadline = time.monotonic() + 30
        while server.scalar("SELECT count(*) FROM events WHERE type = 'query-start'") < 40:
            assert time.monotonic() < deadline
    finally:
        server.kill()


def test_a_full_disk_is_told_before_anybody_posts_and_forgotten_when_there_is_room(data: Path) -> None:
    server = ServerProcess(data, environment={"WHODID_DISK_FREE_BYTES_MIN": str(2**60)}).start()
    try:
        for path in ("/readyz", "/readyz?for=receiving"):
            status, answer = server.request("GET", path)
            assert status == 503
            assert "disk is full" in answer["error"]["message"]
        assert server.request("GET", "/healthz")[0] == 200
    finally:
        server.kill()


def _answers(port: int) -> bool:
    """Whether the port is answered on: it is bound, and connections to it wait, before that."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", "/healthz")
        return line.getresponse().status == 200
    except OSError:
        return False
    finally:
        line.close()


def _wait_until_closed(host: str, port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise TimeoutError("the door is still open")
