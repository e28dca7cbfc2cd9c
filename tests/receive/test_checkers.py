"""Large bodies that another process checks: nobody can tell from outside, whatever becomes of that process."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.receiving import LOCAL_KEY, Receiver, event, kept, read_answer, wait_until
from whodid.event import REQUEST_EVENTS_MAX, new_id
from whodid.policy.rule import RuleFields
from whodid.receive import checkers
from whodid.receive.checker import check, serve
from whodid.receive.checkers import BODY_BYTES_MIN, PAUSE_S_FIRST, Checker
from whodid.receive.slots import SLOT_BYTES, SLOTS, Checked

CHANGES: list[dict[str, Any]] = [
    {"id": "no UUID"},
    {"time": "2026-03-01T12:00:00+02:00"},
    {"unknown": 1},
    {"node": "dss-1"},
    {"node": "api-1", "node_type": "api"},
    {"parameters": {"text": "a\0b"}},
    {"error_hash": "no UUID"},
    {"description": "ünï"},
]


def large(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Events that are strict but for what is changed, in a body that is worth another process."""
    events = [event(**({"description": "x" * 400} | change)) for change in changes]
    return events + [event(description="x" * 400) for _ in range(BODY_BYTES_MIN // 400)]


def array(events: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode(events)


class Watched:
    """A receiver with one checker, which has started."""

    def __init__(self, folder: Path):
        self.receiver = Receiver(folder, checkers=1)
        self.receiver.start()
        self.checker: Checker = self.receiver.checkers._checkers[0]
        assert self.receiver.post(large()).status == 200
        wait_until(lambda: self.is_free)

    @property
    def is_free(self) -> bool:
        return len(self.checker._free) == SLOTS

    @property
    def pid(self) -> int:
        assert self.checker.pid is not None
        return self.checker.pid

    def send(self, events: list[dict[str, Any]], **headers: str) -> socket.socket:
        """Send a request and leave its answer for later."""
        connection = self.receiver.connect()
        body = array(events)
        given = {"Host": self.receiver.own, "Authorization": f"Bearer {LOCAL_KEY}", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in (given | headers).items())
        connection.sendall(f"POST /v1/events HTTP/1.1\r\n{head}\r\n".encode() + body)
        return connection

    def send_to_checker(self, events: list[dict[str, Any]]) -> socket.socket:
        """`send`, and the checker has it."""
        before = len(self.checker._waiting)
        connection = self.send(events)
        wait_until(lambda: len(self.checker._waiting) > before)
        return connection


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    opened = Watched(tmp_path)
    yield opened
    opened.receiver.stop()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Receiver, Receiver]]:
    """A receiver with a checker, and one that does everything itself."""
    watched = Watched(tmp_path_factory.mktemp("checked"))
    alone = Receiver(tmp_path_factory.mktemp("alone"), short_way=False)
    alone.start()
    with ExitStack() as running:
        running.callback(watched.receiver.stop)
        running.callback(alone.stop)
        kept(watched.receiver)
        yield watched.receiver, alone


def seen(receiver: Receiver, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    answer = receiver.post(body, headers=headers)
    told = answer.json
    told.get("error", {}).pop("request_id", None)
    return answer.status, told


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.sampled_from(CHANGES), max_size=3),
    headers=st.sampled_from([{}, {"Content-Type": "application/x-ndjson"}, {"Connection": "keep-alive"}]),
    repeats=st.booleans(),
    ending=st.sampled_from([b"", b"\r\n", b"]", b","]),
)
def test_it_is_answered_and_kept_as_without(
    both: tuple[Receiver, Receiver],
    changes: list[dict[str, Any]],
    headers: dict[str, str],
    repeats: bool,
    ending: bytes,
) -> None:
    events = large(*changes)
    if repeats:
        events.append(events[-1])
    as_lines = "Content-Type" in headers
    body = (b"\n".join(map(msgspec.json.encode, events)) if as_lines else array(events)) + ending
    assert len({msgspec.json.encode(seen(each, body, headers)) for each in both}) == 1
    assert len({msgspec.json.encode(seen(each, body, headers)) for each in both}) == 1, "and when it comes again"
    checked, alone = map(kept, both)
    assert checked == alone


def test_a_check_tells_distinct_ids_and_nodes() -> None:
    events = large({"node": "a"}, {"node": "a", "node_type": "api"}, {"node": "b"})
    checked = check(array(events))
    assert checked is not None
    assert sorted(checked.ids) == sorted(each["id"] for each in events)
    assert {(one.node, one.node_type, one.events, one.is_api) for one in checked.nodes} == {
        ("a", "api", 2, True),
        ("b", None, 1, False),
    }
    assert check(array([*events, events[0]])) is None
    assert check(array(events)[:-1]) is None


def test_its_answer_fits_where_the_body_lay() -> None:
    events = [{"id": new_id(), "time": "2026-03-01T12:00:00Z", "type": "t", "node": f"{n:x}"} for n in range(600)]
    body = array(events)
    checked = check(body)
    assert isinstance(checked, Checked)
    assert len(msgspec.msgpack.encode(checked)) < len(body)


def test_its_nodes_are_noted(watched: Watched) -> None:
    with watched.send(large({"node": "dss-1", "node_type": "design"})) as connection:
        assert read_answer(connection).status == 200
    watched.receiver.nodes.write()
    assert [(one.node, one.events) for one in watched.receiver.directory.nodes()] == [("dss-1", 1)]


def test_who_answers_checks_itself_what_a_busy_checker_has_no_room_for(watched: Watched) -> None:
    os.kill(watched.pid, signal.SIGSTOP)
    with ExitStack() as open_connections:
        connections = [open_connections.enter_context(watched.send_to_checker(large())) for _ in range(SLOTS)]
        assert watched.receiver.post(large()).json["accepted"] == len(large())
        os.kill(watched.pid, signal.SIGCONT)
        assert [read_answer(each).json["accepted"] for each in connections] == [len(large())] * SLOTS
    assert watched.receiver.ingest.in_flight.held_bytes == 0
    assert watched.is_free


def test_what_a_killed_checker_had_is_accepted_and_another_one_is_started(watched: Watched) -> None:
    watched.checker._start_at_s = 0.0
    os.kill(watched.pid, signal.SIGSTOP)
    first = watched.pid
    with watched.send_to_checker(large()) as connection:
        os.kill(first, signal.SIGKILL)
        assert read_answer(connection).json["accepted"] == len(large())
    assert watched.receiver.post(large()).status == 200
    wait_until(lambda: watched.is_free)
    assert watched.pid != first
    assert watched.checker._start_at_s - time.monotonic() > PAUSE_S_FIRST, "later each time"
    assert watched.receiver.ingest.in_flight.held_bytes == 0


def test_a_checker_that_does_not_go_on_is_ended(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkers, "STUCK_S", 0.05)
    os.kill(watched.pid, signal.SIGSTOP)
    with watched.send_to_checker(large()) as connection:
        assert read_answer(connection).json["accepted"] == len(large())
    assert watched.checker.pid is None


def test_a_policy_that_comes_meanwhile_holds(watched: Watched) -> None:
    os.kill(watched.pid, signal.SIGSTOP)
    events = large({"type": "noise"})
    with watched.send_to_checker(events) as connection:
        watched.receiver.policies.create("quiet", RuleFields(switched_off=["noise"]), accept_unknown=True)
        os.kill(watched.pid, signal.SIGCONT)
        answer = read_answer(connection).json
    assert (answer["accepted"], answer["filtered"]) == (len(events) - 1, 1)


def test_too_many_events_are_refused_as_ever(watched: Watched) -> None:
    events = [{"id": new_id(), "time": "2026-03-01T12:00:00Z", "type": "t"} for _ in range(REQUEST_EVENTS_MAX + 1)]
    body = array(events)
    assert len(body) <= SLOT_BYTES
    with watched.send_to_checker(events) as connection:
        assert read_answer(connection).status == 413


def test_without_a_second_processor_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not checkers.Checkers().take(array(large()), lambda _: None)


def test_it_ends_with_whom_it_works_for(watched: Watched) -> None:
    process = watched.checker._process
    assert process is not None
    watched.receiver.stop()
    assert process.returncode == 0
    watched.receiver.start()


def test_it_ends_when_the_other_side_is_gone() -> None:
    own, theirs = socket.socketpair()
    with mmap.mmap(-1, SLOTS * SLOT_BYTES) as memory, theirs:
        working = threading.Thread(target=serve, args=(memory, theirs))
        working.start()
        own.close()
        working.join(10)
        assert not working.is_alive()


def test_one_that_cannot_be_started_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    receiver = Receiver(tmp_path, checkers=1)
    receiver.start()
    try:
        assert receiver.post(large()).status == 200
        wait_until(lambda: "could be started" in caplog.text)
        assert receiver.post(large()).status == 200
    finally:
        receiver.stop()
