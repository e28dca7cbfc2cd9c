"""The live tail: what is stored comes, filtered; a reader goes on where it left off; nobody costs memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from support.reading import event
from support.web import WebServer
from whodid.journal.base import Draft
from whodid.reading import tail
from whodid.reading.filters import make_filter
from whodid.web import live

DEADLINE_S = 20.0


class Stream:
    """Server-sent events of one connection."""

    def __init__(self, response: httpx.Response):
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> dict[str, Any]:
        """The next event: its kind, id and data."""
        found: dict[str, Any] = {}
        deadline = time.monotonic() + DEADLINE_S
        for line in self._lines:
            assert time.monotonic() < deadline, "nothing came"
            name, _, value = line.partition(": ")
            if not line and "data" in found:
                return found
            if name in ("event", "id"):
                found[name] = value
            elif name == "data":
                found["data"] = json.loads(value)
        raise AssertionError("the stream ended")


@contextmanager
def following(server: WebServer, headers: dict[str, str] | None = None, **params: Any) -> Iterator[Stream]:
    with server.client.stream("GET", "/v1/events/stream", params=params, headers=headers or {}) as response:
        assert response.status_code == 200, response.read()
        yield Stream(response)


def soon(**given: Any) -> Any:
    return event(at=datetime.now(UTC), **given)


def test_what_is_stored_comes_and_what_the_filter_leaves_out_does_not(server: WebServer) -> None:
    with following(server, user="erika", type="live-*") as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        wanted = soon(type="live-edit", user="erika", parameters={"n": 1})
        server.store([soon(type="live-edit", user="otto"), soon(type="other", user="erika"), wanted])
        came = stream.next()
    assert came["event"] == "event"
    assert came["data"]["id"] == wanted.id
    assert came["data"]["parameters"] == {"n": 1}


def test_a_reader_goes_on_behind_the_last_event_it_saw(server: WebServer) -> None:
    with following(server, type="resume") as stream:
        server.store([soon(type="resume", user=str(number)) for number in range(3)])
        first = stream.next()
    server.store([soon(type="resume", user="3")])
    with following(server, {"last-event-id": first["id"]}, type="resume") as stream:
        came = [stream.next()["data"]["user"] for _ in range(3)]
    assert first["data"]["user"] == "0"
    assert came == ["1", "2", "3"]


def test_requests_that_were_numbered_in_another_order_than_they_came_are_all_seen(server: WebServer) -> None:
    follower = tail.Tail(server.engine.store, server.engine.directory, make_filter(type="crossing"))
    at = datetime.now(UTC)
    for user, later in (("first", timedelta(seconds=1)), ("second", timedelta())):
        body = msgspec.json.encode([soon(type="crossing", user=user)])
        server.engine.journal.append_blocking(Draft(received_at=at + later, events=body, count=1))
    server.engine.flush()
    look = follower.look()
    assert look is not None
    (mark, first), (_, second) = follower.events(look)
    assert (first["user"], second["user"]) == ("first", "second")
    follower = tail.Tail(server.engine.store, server.engine.directory, make_filter(type="crossing"), mark)
    rest = follower.look()
    assert rest is not None
    assert [one["user"] for _, one in follower.events(rest)] == ["second"]


def test_whoever_falls_behind_gets_the_newest_and_a_notice(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "ROWS_MAX", 5)
    with following(server, type="flood") as stream:
        server.store([soon(type="flood", user=str(number)) for number in range(20)])
        notice = stream.next()
        came = [stream.next()["data"]["user"] for _ in range(5)]
    assert notice["event"] == "skipped"
    assert came == [str(number) for number in range(15, 20)]


def test_a_reader_of_little_hears_from_a_server_that_stores_much(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if more was stored at each look.
    monkeypatch.setattr(live, "LOOK_ANYWAY_S", 0.0)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.1)
    with following(server, type="seldom") as stream:
        assert ": still here" in (next(stream._lines) for _ in range(10))


def test_old_events_that_are_imported_do_not_come(server: WebServer) -> None:
    with following(server, type="import*") as stream:
        server.store([event("imported", at=datetime.now(UTC) - timedelta(days=3))])
        server.store([soon(type="import-ended")])
        assert stream.next()["data"]["type"] == "import-ended"


@pytest.mark.parametrize("mark", ["x", "e30x!", "W10", "eyJhIjoteH0"])
def test_a_last_event_id_that_is_none_of_ours_is_refused(server: WebServer, mark: str) -> None:
    answer = server.client.get("/v1/events/stream", headers={"last-event-id": mark})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid"


def test_there_is_a_limit_of_readers_and_who_goes_makes_room(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while live._readers and time.monotonic() < deadline:
        time.sleep(0.05)
    monkeypatch.setattr(live, "READERS_MAX", 1)
    with following(server) as stream:
        next(iter(stream.response.iter_raw(1)))
        refused = server.client.get("/v1/events/stream")
        assert refused.status_code == 429
        assert "retry-after" in refused.headers
    while live._readers and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not live._readers
