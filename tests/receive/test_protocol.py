"""Slow, broken and hostile clients: bounded, answered if possible, and without harm to others."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.receiving import LOCAL_KEY, Answer, Receiver, event, is_closed, read_answer, wait_until
from whodid.receive.protocol import LimitedProtocol


@pytest.fixture
def impatient(tmp_path: Path, short_way: bool) -> Iterator[Receiver]:
    """A receiver that waits for nobody long."""
    running = Receiver(tmp_path, short_way=short_way, header_timeout_ms=300, body_timeout_ms=300, connections_max=20)
    running.start()
    yield running
    running.stop()


def head(receiver: Receiver, *lines: str) -> bytes:
    given = ("POST /v1/events HTTP/1.1", f"Host: {receiver.own}", f"Authorization: Bearer {LOCAL_KEY}", *lines)
    return "".join(f"{line}\r\n" for line in (*given, "Content-Type: application/json", "")).encode()


def whole(receiver: Receiver, sent: Any, *lines: str) -> bytes:
    body = json.dumps(sent).encode()
    return head(receiver, f"Content-Length: {len(body)}", *lines) + body


def assert_error(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status
    error = answer.json["error"]
    assert error["code"] == code
    assert all(error[name] for name in ("message", "hint", "request_id"))


def assert_nothing_left(receiver: Receiver) -> None:
    wait_until(lambda: not receiver.server.server_state.connections)
    wait_until(lambda: not receiver.server.server_state.tasks)
    assert receiver.ingest.in_flight.held_bytes == 0
    assert LimitedProtocol.buffered_bytes == 0
    assert receiver.post([event()]).status == 200


@pytest.mark.parametrize("sent", [b"", b"POST /v1/events HT", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nA: b\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(impatient: Receiver, sent: bytes) -> None:
    with impatient.connect() as connection:
        connection.sendall(sent)
        began = time.monotonic()
        assert_error(read_answer(connection), 408, "timeout")
        assert time.monotonic() - began < 3
        assert is_closed(connection)
    assert_nothing_left(impatient)


def test_a_head_that_drips_is_not_waited_for(impatient: Receiver) -> None:
    with impatient.connect() as connection:
        began = time.monotonic()
        connection.sendall(b"POST /v1/events HTTP/1.1\r\n")
        connection.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - began < 5:
            try:
                connection.sendall(b"X: y\r\n")
                answer = connection.recv(1_000)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 3


def test_a_body_that_drips_is_not_waited_for(impatient: Receiver) -> None:
    with impatient.connect() as connection:
        connection.sendall(head(impatient, "Content-Length: 1000") + b"[")
        assert_error(read_answer(connection), 408, "timeout")
        assert is_closed(connection)
    assert impatient.events() == []
    assert_nothing_left(impatient)


def test_a_whole_request_in_pieces_is_taken(receiver: Receiver) -> None:
    request = whole(receiver, [event()])
    with receiver.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(0, len(request), 7):
            connection.sendall(request[place : place + 7])
        assert read_answer(connection).json["accepted"] == 1


def test_a_client_that_goes_away_leaves_nothing_behind(receiver: Receiver) -> None:
    for cut in (20, 150, -1, -100):
        with receiver.connect() as connection:
            connection.sendall(whole(receiver, [event(description="x" * 200)])[:cut])
    big = whole(receiver, [event(description="x" * 900_000) for _ in range(8)])
    with receiver.connect() as connection:
        connection.sendall(big[:5_000_000])
    assert_nothing_left(receiver)
    assert len(receiver.events()) == 1


def test_an_oversize_body_is_refused_before_it_is_read_and_the_connection_goes_on(receiver: Receiver) -> None:
    with receiver.connect() as connection:
        connection.sendall(head(receiver, f"Content-Length: {40 * 1024 * 1024}"))
        answer = read_answer(connection)
        assert_error(answer, 413, "too_large")
        assert "33,554,432" in answer.json["error"]["message"]
        blank = b" " * 1024 * 1024
        for _ in range(40):
            connection.sendall(blank)
        connection.sendall(whole(receiver, [event()]))
        assert read_answer(connection).status == 200
    assert_nothing_left(receiver)


def test_a_chunked_body_is_read_and_bounded(receiver: Receiver) -> None:
    body = json.dumps([event()]).encode()
    chunks = b"".join(b"1\r\n" + body[place : place + 1] + b"\r\n" for place in range(len(body))) + b"0\r\n\r\n"
    with receiver.connect() as connection:
        connection.sendall(head(receiver, "Transfer-Encoding: chunked") + chunks)
        assert read_answer(connection).json["accepted"] == 1
    with receiver.connect() as connection:
        connection.sendall(head(receiver, "Transfer-Encoding: chunked"))
        megabyte = b"100000\r\n" + b" " * 0x100000 + b"\r\n"

        def send() -> None:
            try:
                for _ in range(34):
                    connection.sendall(megabyte)
            except OSError:
                return

        sender = threading.Thread(target=send)
        sender.start()
        assert_error(read_answer(connection), 413, "too_large")
        sender.join(20)
    assert_nothing_left(receiver)


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: x",),
        ("Content-Length: -1",),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 99999999999999999999999",),
        ("A\0b: c",),
    ],
)
def test_contradictory_heads_are_refused(receiver: Receiver, lines: tuple[str, ...]) -> None:
    with receiver.connect() as connection:
        connection.sendall(head(receiver, *lines) + b"[]")
        assert_error(read_answer(connection), 400, "invalid")
        assert is_closed(connection)
    assert_nothing_left(receiver)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"SSH-2.0-x\r\n", b"\0" * 100, b"GET\r\n\r\n"])
def test_what_is_no_http_is_told_so(receiver: Receiver, sent: bytes) -> None:
    with receiver.connect() as connection:
        connection.sendall(sent)
        assert_error(read_answer(connection), 400, "invalid")


@pytest.mark.parametrize(
    "flood",
    [
        b"X: " + b"y" * 400_000,
        b"".join(b"X%d: y\r\n" % number for number in range(300)) + b"\r\n",
        b"".join(b"X%d: %s\r\n" % (number, b"y" * 1_000) for number in range(400)),
    ],
)
def test_heads_are_bounded(receiver: Receiver, flood: bytes) -> None:
    with receiver.connect() as connection:
        try:
            connection.sendall(head(receiver)[:-2] + flood)
        except ConnectionError:
            pass
        else:
            assert_error(read_answer(connection), 413, "too_large")
    assert_nothing_left(receiver)


@pytest.mark.parametrize("flood", [b"0\r\nX: " + b"y" * 600_000, b"1;" + b"y" * 600_000])
def test_what_surrounds_a_chunked_body_is_bounded(receiver: Receiver, flood: bytes) -> None:
    with receiver.connect() as connection:
        connection.sendall(head(receiver, "Transfer-Encoding: chunked"))
        try:
            connection.sendall(flood)
            answer = read_answer(connection)
        except ConnectionError:
            answer = Answer(0, {}, b"")
        assert answer.status in (0, 400, 413)
    assert_nothing_left(receiver)


def test_connections_are_bounded_and_free_again(impatient: Receiver) -> None:
    held = [impatient.connect() for _ in range(20)]
    try:
        with impatient.connect() as one_more:
            answer = read_answer(one_more)
            assert_error(answer, 503, "unavailable")
            assert answer.headers["retry-after"] == "1"
            assert is_closed(one_more)
    finally:
        for connection in held:
            connection.close()
    assert_nothing_left(impatient)


def test_pipelined_requests_are_answered_in_order(receiver: Receiver) -> None:
    with receiver.connect() as connection:
        requests = [whole(receiver, [event()] * 1, f"X-Request-Id: r{number}") for number in range(300)]
        connection.sendall(b"".join(requests))
        received = b""
        while received.count(b'"accepted":1') < 300:
            part = connection.recv(65_536)
            assert part
            received += part
    answered = [line.split(b": ")[1] for line in received.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert answered == [b"r%d" % number for number in range(300)]
    assert len(receiver.events()) == 300


def test_a_client_that_pipelines_without_reading_does_not_fill_the_memory(receiver: Receiver) -> None:
    request = whole(receiver, [])
    connection = receiver.connect()
    connection.settimeout(0.5)
    sent = 0
    try:
        while sent < 64 * 1024 * 1024:
            sent += connection.send(request * 500)
    except TimeoutError:
        pass
    queued = [len(vars(each)["pipeline"]) for each in list(receiver.server.server_state.connections)]
    connection.close()
    assert max(queued, default=0) < 20_000
    assert_nothing_left(receiver)


def test_who_expects_to_be_asked_is_asked(receiver: Receiver) -> None:
    body = json.dumps([event()]).encode()
    with receiver.connect() as connection:
        connection.sendall(head(receiver, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert read_answer(connection).status == 100
        connection.sendall(body)
        assert read_answer(connection).json["accepted"] == 1
    with receiver.connect() as connection:
        connection.sendall(head(receiver, "Content-Length: 99999999", "Expect: 100-continue"))
        answer = read_answer(connection)
        assert_error(answer, 413, "too_large")
        assert answer.headers["connection"] == "close"
        assert is_closed(connection)


def test_an_offer_to_speak_something_else_is_passed_over(receiver: Receiver) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with receiver.connect() as connection:
        for _ in range(2):
            connection.sendall(whole(receiver, [event()], *offer))
            assert read_answer(connection).json["accepted"] == 1
        connection.sendall(whole(receiver, [event()], *offer) + whole(receiver, [event()]))
        assert read_answer(connection).json["accepted"] == 1
    wait_until(lambda: len(receiver.events()) == 4)


def test_a_client_that_has_sent_everything_and_closes_its_side_is_answered(receiver: Receiver) -> None:
    with receiver.connect() as connection:
        connection.sendall(whole(receiver, [event()]))
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).json["accepted"] == 1
    assert_nothing_left(receiver)


def test_old_http_is_spoken(receiver: Receiver) -> None:
    body = json.dumps([event()]).encode()
    with receiver.connect() as connection:
        connection.sendall(b"POST /v1/events HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert read_answer(connection).json["accepted"] == 1
        assert is_closed(connection)


def test_large_bodies_come_through_whole(receiver: Receiver) -> None:
    sent = [event(description="x" * 1_000_000) for _ in range(30)]
    assert receiver.post(sent).json["accepted"] == 30
    assert [len(each.description or "") for each in receiver.events()] == [1_000_000] * 30
    assert_nothing_left(receiver)


def test_it_is_no_proxy(receiver: Receiver) -> None:
    with receiver.connect() as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n")
        assert_error(read_answer(connection), 400, "invalid")
