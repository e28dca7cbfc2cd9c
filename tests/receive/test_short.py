"""The short way past ASGI: which requests take it, and that nobody can tell from outside."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.receiving import LOCAL_KEY, Answer, Receiver, event, is_closed, kept, read_answer, wait_until
from whodid.event import new_id
from whodid.journal.base import Draft, Outcome
from whodid.receive.ingest import Ingest
from whodid.receive.protocol import LimitedProtocol
from whodid.receive.short import BODY_BYTES_MAX

REPEATED = [new_id() for _ in range(3)]

CHANGES: list[dict[str, Any]] = [
    {},
    {"id": "no UUID"},
    {"id": REPEATED[0]},
    {"id": REPEATED[1]},
    {"time": "2026-03-01T12:00:00+02:00"},
    {"type": ""},
    {"topic": "security"},
    {"unknown": [1, {"a": None}]},
    {"parameters": {"text": "a\0b"}},
    {"parameters": 5},
    {"error_stack_trace": "Error: x\n  at y"},
    {"level": "loud"},
]
HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "application/x-ndjson"},
    {"Content-Type": "text/plain;charset=UTF-8"},
    {"Content-Type": "application/xml"},
    {"X-Request-Id": "mine-7"},
    {"Connection": "close"},
    {"Connection": "keep-alive"},
    {"Content-Encoding": "identity"},
    {"Content-Encoding": "gzip"},
    {"Origin": "https://elsewhere.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Authorization": "Bearer wrong"},
    {"Host": "elsewhere.example"},
]


def as_array(events: list[dict[str, Any]]) -> bytes:
    return json.dumps(events).encode()


def as_lines(events: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in events)


def as_broken(events: list[dict[str, Any]]) -> bytes:
    return json.dumps(events).encode()[:-3]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Receiver, str]]:
    """A receiver with the short way and one without, each with a key that is bound to a topic."""
    receivers = [Receiver(tmp_path_factory.mktemp("data"), short_way=way) for way in (True, False)]
    with ExitStack() as running:
        for receiver in receivers:
            receiver.start()
            running.callback(receiver.stop)
        yield {each: each.directory.create_key("etl", ["write"], topics=["generic"])[1] for each in receivers}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the bodies that the short way has taken."""
    sizes: list[int] = []
    at_once = Ingest.at_once

    def noting(self: Ingest, headers: Any, body: bytes, client: Any, done: Any) -> bool:
        if taken := at_once(self, headers, body, client, done):
            sizes.append(len(body))
        return taken

    monkeypatch.setattr(Ingest, "at_once", noting)
    return sizes


def request(receiver: Receiver, body: bytes, *lines: str, version: str = "1.1", path: str = "/v1/events") -> bytes:
    head = (f"POST {path} HTTP/{version}", f"Host: {receiver.own}", f"Authorization: Bearer {LOCAL_KEY}", *lines)
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", "")).encode() + body


def seen(answer: Answer) -> tuple[object, ...]:
    """An answer without what is its own."""
    body = answer.json
    body.get("error", {}).pop("request_id", None)
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "content-length")}
    return answer.status, headers, answer.headers["x-request-id"] == "mine-7", body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.sampled_from(CHANGES), max_size=4),
    write=st.sampled_from([as_array, as_array, as_lines, as_broken]),
    headers=st.lists(st.sampled_from(HEADERS), max_size=2),
    bound=st.booleans(),
)
def test_both_ways_answer_and_keep_the_same(
    both: dict[Receiver, str],
    changes: list[dict[str, Any]],
    write: Callable[[list[dict[str, Any]]], bytes],
    headers: list[dict[str, str]],
    bound: bool,
) -> None:
    body = write([event(**change) for change in changes])
    given_headers = {name: value for each in headers for name, value in each.items()}
    answers = []
    for receiver, key in both.items():
        answers.append(seen(receiver.post(body, key=key if bound else LOCAL_KEY, headers=given_headers)))
    assert answers[0] == answers[1]
    journals = [kept(each) for each in both]
    assert journals[0] == journals[1]
    counts = [(each.ingest.accepted, each.ingest.duplicates, each.ingest.rejected) for each in both]
    assert counts[0] == counts[1]


def test_plain_posts_take_the_short_way(taken: list[int], tmp_path: Path) -> None:
    with Running(tmp_path) as receiver, receiver.connect() as connection:
        for sent in ([event()], [event()] * 1 + [event() for _ in range(99)]):
            connection.sendall(request(receiver, as_array(sent)))
            assert read_answer(connection).json["accepted"] == len(sent)
    assert len(taken) == 2


@pytest.mark.parametrize(
    ("lines", "version", "path"),
    [
        (("Expect: 100-continue",), "1.1", "/v1/events"),
        (("Origin: http://127.0.0.1",), "1.1", "/v1/events"),
        (("Connection: close",), "1.1", "/v1/events"),
        (("Content-Encoding: identity",), "1.1", "/v1/events"),
        ((), "1.0", "/v1/events"),
        ((), "1.1", "/v1/events?x=1"),
        ((), "1.1", "/v1/%65vents"),
    ],
)
def test_what_is_out_of_the_ordinary_goes_the_long_way(
    taken: list[int], tmp_path: Path, lines: tuple[str, ...], version: str, path: str
) -> None:
    with Running(tmp_path) as receiver, receiver.connect() as connection:
        connection.sendall(request(receiver, as_array([event()]), *lines, version=version, path=path))
        assert read_answer(connection).status in (100, 200, 403)
    assert taken == []


def test_large_bodies_go_the_long_way(taken: list[int], tmp_path: Path) -> None:
    with Running(tmp_path) as receiver:
        padding = b" " * BODY_BYTES_MAX
        assert receiver.post(as_array([event()]) + padding).json["accepted"] == 1
    assert taken == []


def test_a_body_that_comes_in_parts_is_put_together(taken: list[int], tmp_path: Path) -> None:
    with Running(tmp_path) as receiver, receiver.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = request(receiver, as_array([event(description="x" * 500_000)]))
        for place in range(0, len(sent), 100_000):
            connection.sendall(sent[place : place + 100_000])
        assert read_answer(connection).json["accepted"] == 1
        assert [len(each.description or "") for each in receiver.events()] == [500_000]
    assert len(taken) == 1


def test_room_for_bodies_is_reserved_and_given_back(tmp_path: Path) -> None:
    with Running(tmp_path) as receiver:
        with receiver.connect() as connection:
            connection.sendall(request(receiver, b"[" + b" " * 900_000)[:-10])
            wait_until(lambda: LimitedProtocol.buffered_bytes >= 900_000)
        wait_until(lambda: LimitedProtocol.buffered_bytes == 0)


class Held:
    """Keeps a journal from telling that something is durable until it is let go."""

    def __init__(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
        self._submit = receiver.journal.submit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._durable: list[Callable[[], None]] | None = []
        monkeypatch.setattr(receiver.journal, "submit", self)

    def __call__(self, draft: Draft, done: Callable[[Outcome], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._submit(draft, partial(self._late, done))

    @property
    def count(self) -> int:
        return len(self._durable or ())

    def _late(self, done: Callable[[Outcome], None], outcome: Outcome) -> None:
        if self._durable is None:
            done(outcome)
        else:
            self._durable.append(partial(done, outcome))

    def let_go(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        told, self._durable = self._durable or [], None
        for tell in told:
            tell()


def test_requests_behind_one_on_the_short_way_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(tmp_path) as receiver, receiver.connect() as connection:
        held = Held(receiver, monkeypatch)
        for name in ("a", "b", "c"):
            connection.sendall(request(receiver, as_array([event()]), f"X-Request-Id: {name}"))
        wait_until(lambda: held.count == 1)
        held.let_go()
        received = b""
        while received.count(b'"accepted":1') < 3:
            received += connection.recv(65_536)
    assert [line[14:] for line in received.split(b"\r\n") if line.startswith(b"x-request-id")] == [b"a", b"b", b"c"]


def test_who_goes_away_before_the_answer_disturbs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(tmp_path) as receiver:
        held = Held(receiver, monkeypatch)
        with receiver.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
            connection.sendall(request(receiver, as_array([event()])))
            wait_until(lambda: held.count == 1)
        wait_until(lambda: not receiver.server.server_state.connections)
        held.let_go()
        wait_until(lambda: receiver.ingest.accepted == 1)
        assert receiver.ingest.in_flight.held_bytes == 0
        assert receiver.post([event()]).status == 200


def test_a_stop_answers_what_is_on_the_short_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(tmp_path) as receiver, receiver.connect() as connection:
        held = Held(receiver, monkeypatch)
        connection.sendall(request(receiver, as_array([event()])))
        wait_until(lambda: held.count == 1)
        receiver.server.should_exit = True
        wait_until(lambda: not receiver.server.servers[0].is_serving())
        held.let_go()
        answer = read_answer(connection)
        assert (answer.json["accepted"], answer.headers["connection"]) == (1, "close")
        assert is_closed(connection)


class Running:
    """A receiver for a block."""

    def __init__(self, folder: Path):
        self._receiver = Receiver(folder)

    def __enter__(self) -> Receiver:
        self._receiver.start()
        return self._receiver

    def __exit__(self, *_: object) -> None:
        self._receiver.stop()
