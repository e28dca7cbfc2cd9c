"""Nodes: counted at the doors, written down, missed once by whoever watches, back once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.directories import DATABASES, directory_url
from whodid.agent.wire import Hello
from whodid.directory import Directory
from whodid.directory.nodes import NodeSeen
from whodid.errors import WhodidError
from whodid.event import Event, new_id
from whodid.receive.nodes import NodeBook
from whodid.receive.tally import tally

NOW = datetime.now(UTC)


class Known:
    """A directory that two servers share, and what it told of."""

    def __init__(self, url: str):
        self.told: list[tuple[str, str]] = []
        self.directories = [Directory.open(url, on_change=self._tell) for _ in range(2)]
        self.one, self.two = self.directories

    def _tell(self, event: Event) -> None:
        self.told.append((event.type, event.entities[0].id))


@pytest.fixture(params=DATABASES)
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Known]:
    opened = Known(directory_url(request.param, tmp_path, request))
    yield opened
    for directory in opened.directories:
        directory.close()


def event(node: str | None = None, **more: str) -> Event:
    return Event(id=new_id(), time=NOW, type="query-start", node=node, **more)  # type: ignore[arg-type]


def book_of(directory: Directory, **more: float) -> NodeBook:
    return NodeBook(directory, silent_s=more.get("silent_s", 60), quiet_s=more.get("quiet_s", 3600))


def test_nodes_appear_with_their_events(known: Known) -> None:
    book = book_of(known.one)
    assert tally([event(), event()]) is None
    counted = tally([event("a"), event("b", node_type="api"), event("a"), event()])
    assert counted is not None
    book.count(counted, "10.0.0.7", NOW)
    book.write()
    book.count(counted, "10.0.0.7", NOW + timedelta(seconds=5))
    book.write()
    a, b = known.two.nodes()
    assert (a.node, a.events, a.address, a.state, a.heartbeat_at) == ("a", 4, "10.0.0.7", "sending", None)
    assert (b.node, b.events, b.node_type) == ("b", 2, "api")
    assert b.last_seen - b.first_seen == timedelta(seconds=5)
    assert known.told == [("node-registered", "a"), ("node-registered", "b")]


def test_two_servers_add_up(known: Known) -> None:
    for directory in known.directories:
        book = book_of(directory)
        book.count(tally([event("a")] * 10) or [], None, NOW)
        book.write()
    assert known.one.node("a").events == 20
    assert known.told == [("node-registered", "a")]


def test_a_clock_is_compared_at_signs_of_life(known: Known) -> None:
    book = book_of(known.one)
    hello = Hello(agent="x", node="a", node_type="design", sent_at=NOW - timedelta(hours=1), waiting_events=7)
    book.hear(hello, "10.0.0.7", NOW, heartbeat=True)
    hello.sent_at = NOW - timedelta(hours=2)
    book.hear(hello, "10.0.0.7", NOW, heartbeat=False)
    book.write()
    node = known.one.node("a")
    assert (node.clock_ahead_ms, node.waiting_events, node.node_type) == (-3_600_000, 7, "design")


def test_silence_is_told_once_and_so_is_the_return(known: Known) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=100)
    known.one.note_nodes([
        NodeSeen(node="agent", at=long_ago, heartbeat_at=long_ago),
        NodeSeen(node="poster", at=long_ago, events=1),
        NodeSeen(node="alive", at=datetime.now(UTC), heartbeat_at=datetime.now(UTC)),
    ])  # fmt: skip
    known.told.clear()
    assert known.one.tell_silent(60, 3600) == ["agent"]
    assert known.two.tell_silent(60, 3600) == []
    assert known.two.tell_silent(60, 60) == ["poster"]
    assert known.one.node("agent").state == "silent"
    for directory in known.directories:
        directory.note_nodes([NodeSeen(node="agent", at=datetime.now(UTC), heartbeat_at=datetime.now(UTC))])
    assert known.one.node("agent").state == "sending"
    assert known.told == [("node-silent", "agent"), ("node-silent", "poster"), ("node-back", "agent")]


def test_no_limit_is_no_silence(known: Known) -> None:
    known.one.note_nodes([NodeSeen(node="a", at=NOW - timedelta(days=1000))])
    assert known.one.tell_silent(0, 0) == []


def test_a_retired_node_is_missed_no_more_until_it_sends_again(known: Known) -> None:
    known.one.note_nodes([NodeSeen(node="a", at=NOW - timedelta(days=10))])
    known.one.retire_node("a", by="ada")
    assert known.one.tell_silent(1, 1) == []
    assert known.one.nodes() == []
    assert [(node.node, node.state, node.retired_by) for node in known.one.nodes(retired=True)] == [
        ("a", "retired", "ada")
    ]
    known.one.note_nodes([NodeSeen(node="a", at=datetime.now(UTC), events=1)])
    assert known.one.node("a").state == "sending"
    assert [kind for kind, _ in known.told] == ["node-registered", "node-retired", "node-back"]


def test_a_node_that_nobody_knows(known: Known) -> None:
    with pytest.raises(WhodidError) as error:
        known.one.retire_node("x")
    assert error.value.code == "not_found"


def test_what_cannot_be_written_is_written_later(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_of(known.one)

    def away(_: object) -> None:
        raise WhodidError("unavailable", "away")

    book.count(tally([event("a", node_type="api")]) or [], "10.0.0.7", NOW)
    with monkeypatch.context() as patched:
        patched.setattr(known.one, "note_nodes", away)
        with pytest.raises(WhodidError):
            book.write()
    book.count(tally([event("a")]) or [], None, NOW)
    book.write()
    node = known.one.node("a")
    assert (node.events, node.node_type, node.address) == (2, "api", "10.0.0.7")


@pytest.mark.parametrize(
    ("fields", "is_api"),
    [({"node_type": "api"}, True), ({"topic": "apinode-query"}, True), ({"node_type": "design"}, False)],
)
def test_the_first_api_node_is_told(known: Known, fields: dict[str, str], is_api: bool) -> None:
    told: list[int] = []
    book = NodeBook(known.one, silent_s=60, quiet_s=60, on_api=lambda: told.append(1))
    for _ in range(2):
        book.count(tally([event("a", **fields)]) or [], None, NOW)
        book.look()
    assert told == [1] * is_api
