"""What is exported arrives, however the server dies and however its targets behave."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.endpoint import Endpoint
from support.posting import Sender, assert_exactly_once, wait_until_stored
from support.serving import ServerProcess
from whodid.event import new_id

ROUNDS = int(os.environ.get("WHODID_CRASH_ROUNDS", "4"))
POINTS = ("dispatch.before-send", "dispatch.after-send", "dispatch.before-cursor", "dispatch.after-cursor")


@pytest.fixture
def central(tmp_path: Path) -> Iterator[ServerProcess]:
    """Another server, which targets send to."""
    server = ServerProcess(tmp_path / "central").start()
    yield server
    server.kill()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of something that accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def create(server: ServerProcess, name: str, kind: str, url: str, **fields: Any) -> None:
    status, answer = server.request(
        "POST", "/v1/targets", {"name": name, "kind": kind, "options": {"url": url}, **fields}
    )
    assert status == 201, answer


def status_of(server: ServerProcess, name: str) -> dict[str, Any]:
    status, answer = server.request("GET", f"/v1/targets/{name}")
    assert status == 200, answer
    found: dict[str, Any] = answer["status"]
    return found


def wait_until_sent(server: ServerProcess, name: str, timeout_s: float = 60.0) -> None:
    wait_until_stored(server)
    deadline = time.monotonic() + timeout_s
    while (status := status_of(server, name))["waiting_events"]:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)


def post(server: ServerProcess, count: int) -> list[str]:
    ids = [new_id() for _ in range(count)]
    events = [{"id": one, "time": "2026-11-20T10:00:00Z", "type": "query-start"} for one in ids]
    status, answer = server.request("POST", "/v1/events", events)
    assert (status, answer["accepted"]) == (200, count)
    return ids


@pytest.mark.crash
@pytest.mark.parametrize("point", POINTS)
def test_killed_while_sending(point: str, data: Path, free_port: int, central: ServerProcess) -> None:
    server = ServerProcess(data, port=free_port).start()
    create(server, "central", "whodid", central.url)
    server.stop()
    # The key of a process that is gone; programs on this machine need none.
    server.key = ""
    doomed = ServerProcess(data, port=free_port, environment={"WHODID_CRASH_AT": f"{point}:3"})
    sender = Sender(server, "sender", seed=11)
    try:
        doomed.start(wait=False)
        sender.start()
        assert doomed.process.wait(180) == -signal.SIGKILL, f"{point} was never reached"
        server.start()
        sender.finish()
        wait_until_sent(server, "central")
        assert_exactly_once(server, [sender])
        assert_exactly_once(central, [sender])
    finally:
        sender.finish()
        doomed.kill()
        server.kill()


@pytest.mark.crash
def test_killed_at_random_moments(data: Path, free_port: int, store_options: list[str], central: ServerProcess) -> None:
    chance = random.Random(4)
    server = ServerProcess(data, *store_options, port=free_port).start()
    create(server, "central", "whodid", central.url, start="beginning")
    sender = Sender(server, "sender", seed=12)
    try:
        sender.start()
        for round_ in range(ROUNDS):
            time.sleep(chance.uniform(0.1, 0.8))
            (central if round_ % 2 else server).kill()
            if round_ % 2:
                restarted = ServerProcess(central.data, port=int(central.url.rsplit(":", 1)[1])).start()
                central.__dict__.update(restarted.__dict__)
            else:
                server.start()
        sender.finish()
        wait_until_sent(server, "central")
        assert_exactly_once(central, [sender])
    finally:
        sender.finish()
        server.kill()


@pytest.mark.crash
def test_killed_between_the_dead_letters_and_the_cursor(data: Path, free_port: int) -> None:
    with Endpoint() as endpoint:
        server = ServerProcess(data, port=free_port).start()
        create(server, "siem", "http", endpoint.url)
        server.stop()
        doomed = ServerProcess(data, port=free_port, environment={"WHODID_CRASH_AT": "dispatch.after-dead-letters"})
        try:
            ids = [new_id() for _ in range(30)]
            endpoint.refuses = {ids[4], ids[5], ids[20]}
            doomed.start()
            events = [{"id": one, "time": "2026-11-20T10:00:00Z", "type": "login"} for one in ids]
            assert doomed.request("POST", "/v1/events", events)[0] == 200
            assert doomed.process.wait(180) == -signal.SIGKILL
            server.start()
            wait_until_sent(server, "siem")
            letters = server.request("GET", "/v1/targets/siem/dead-letters")[1]["dead_letters"]
            assert [letter["event"]["id"] for letter in letters] == [ids[4], ids[5], ids[20]]
            assert status_of(server, "siem")["dead_letters"] == 3
            assert set(ids) - endpoint.refuses <= set(endpoint.ids())
            assert not endpoint.refuses & set(endpoint.ids())
        finally:
            doomed.kill()
            server.kill()


def test_one_that_never_answers_holds_up_nobody(data: Path, free_port: int, silent: str) -> None:
    server = ServerProcess(data, port=free_port).start()
    try:
        with Endpoint() as endpoint:
            create(server, "silent", "http", silent, deadline_s=1)
            for number in range(5):
                create(server, f"good{number}", "http", f"{endpoint.url}/{number}")
            ids = [one for _ in range(20) for one in post(server, 50)]
            for number in range(5):
                wait_until_sent(server, f"good{number}")
            for number in range(5):
                got = [
                    event["id"]
                    for request in endpoint.requests
                    if request.path.endswith(f"/{number}")
                    for event in request.events
                ]
                assert [one for one in got if one in set(ids)] == ids
            deadline = time.monotonic() + 20
            while (status := status_of(server, "silent"))["last_error"] is None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert status["state"] in ("hung", "catching-up", "running", "starting")
            assert "did not answer within 1 s" in status["last_error"]
            assert status["waiting_events"] >= len(ids)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 20
    finally:
        server.kill()


def test_the_limit_of_the_journal_is_kept_and_nothing_is_lost(data: Path, free_port: int) -> None:
    environment = {"WHODID_DISPATCH_BACKLOG_BYTES_MAX": "50000"}
    server = ServerProcess(data, port=free_port, environment=environment).start()
    try:
        with Endpoint() as endpoint:
            create(server, "siem", "http", endpoint.url)
            endpoint.answers = [(503, {"retry-after": "2"}, b"")] * 4
            ids = [one for _ in range(40) for one in post(server, 50)]
            wait_until_stored(server)
            deadline = time.monotonic() + 20
            while server.request("GET", "/v1/status")[1]["journal"]["kept_bytes"] > 50_000:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert status_of(server, "siem")["waiting_events"] >= len(ids) - 2_000
            wait_until_sent(server, "siem")
            assert [one for one in endpoint.ids() if one in set(ids)] == ids
            assert status_of(server, "siem")["lost"] == 0
    finally:
        server.kill()
