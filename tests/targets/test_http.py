"""The HTTP kinds: any endpoint, and another whodid."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from support.endpoint import Endpoint
from support.target_cases import Case, another_whodid
from support.targets import delivery_of, event, form_of
from whodid.dispatch.row import implementation, read_options
from whodid.errors import WhodidError
from whodid.targets.base import Context, Target


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as found:
        yield found


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Case]:
    with another_whodid(tmp_path) as found:
        yield found


def opened(kind: str, folder: Path, format: str = "native", **options: Any) -> Target:
    made: Any = implementation(kind)
    context = Context(name="t", id="i", folder=folder, receiver="r", format=format, node="n")
    target: Target = made(read_options(made.OPTIONS, options), context)
    target.open()
    return target


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("body", ["ndjson", "array"])
def test_bodies_are_lines_or_an_array_and_compressed(
    endpoint: Endpoint, tmp_path: Path, compression: str, body: str
) -> None:
    target = opened("http", tmp_path, url=endpoint.url, compression=compression, body=body, method="PUT",
                    headers="X-Tenant => acme, X-Kind => audit")  # fmt: skip
    sent = [event(), event()]
    target.send(delivery_of(sent))
    target.close()
    (request,) = endpoint.requests
    assert [one["id"] for one in request.events] == [one.id for one in sent]
    assert request.method == "PUT"
    assert request.headers.get("content-encoding") == {"none": None}.get(compression, compression)
    assert request.headers["x-tenant"] == "acme"
    assert request.headers["content-type"] == {"ndjson": "application/x-ndjson", "array": "application/json"}[body]


def test_lines_come_in_the_format_of_the_target(endpoint: Endpoint, tmp_path: Path) -> None:
    target = opened("http", tmp_path, "dss-event-server", url=endpoint.url)
    target.send(delivery_of([event(topic="generic", user="ada")], form=form_of(format="dss-event-server")))
    target.close()
    line = json.loads(endpoint.requests[0].body)
    assert line["origAddress"] == "10.1.2.3"
    assert line["clientEvent"]["msgType"] == "query-start"
    assert "serverTimestamp" in line


@pytest.mark.parametrize(
    ("status", "headers", "code", "wait_s"),
    [
        (429, {"retry-after": "7"}, "unavailable", 7),
        (503, {}, "unavailable", None),
        (500, {}, "unavailable", None),
        (408, {}, "unavailable", None),
        (401, {}, "unauthorized", None),
        (403, {}, "forbidden", None),
        (404, {}, "not_found", None),
        (405, {}, "invalid", None),
        (301, {"location": "https://elsewhere/"}, "invalid", None),
    ],
)
def test_answers_say_whether_trying_again_can_help(
    endpoint: Endpoint, tmp_path: Path, status: int, headers: dict[str, str], code: str, wait_s: int | None
) -> None:
    endpoint.answers = [(status, headers, b"because")]
    target = opened("http", tmp_path, url=f"{endpoint.url}?token=hunter2", key="hunter2")
    with pytest.raises(WhodidError) as caught:
        target.send(delivery_of([event()]))
    target.close()
    assert (caught.value.code, caught.value.retry_after_s) == (code, wait_s)
    assert caught.value.kind.temporary == (status in (429, 503, 500, 408))
    assert str(status) in caught.value.message and "because" in caught.value.message
    assert "hunter2" not in str(caught.value)


def test_one_event_that_is_refused_is_found_among_many(endpoint: Endpoint, tmp_path: Path) -> None:
    target = opened("http", tmp_path, url=endpoint.url)
    events = [event() for _ in range(20)]
    endpoint.refuses = {events[3].id, events[17].id}
    sent = target.send(delivery_of(events, first=100))
    target.close()
    assert [(refusal.seq, refusal.code) for refusal in sent.refused] == [(103, "invalid"), (117, "invalid")]
    assert sent.events == 18
    assert endpoint.ids() == [one.id for one in events if one.id not in endpoint.refuses]


def test_an_endpoint_that_refuses_everything_is_no_matter_of_the_events(endpoint: Endpoint, tmp_path: Path) -> None:
    target = opened("http", tmp_path, url=endpoint.url)
    events = [event() for _ in range(4)]
    endpoint.refuses = {one.id for one in events}
    with pytest.raises(WhodidError, match="refuses everything") as caught:
        target.send(delivery_of(events))
    assert not caught.value.kind.temporary
    target.close()


def test_an_endpoint_that_never_answers_times_out(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.hangs = threading.Event()
    target = opened("http", tmp_path, url=endpoint.url, timeout_s=0.2)
    began = time.monotonic()
    with pytest.raises(WhodidError) as caught:
        target.send(delivery_of([event()]))
    assert caught.value.kind.temporary
    assert time.monotonic() - began < 5
    target.close()


def test_a_call_that_hangs_is_broken_off(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.hangs = threading.Event()
    target = opened("http", tmp_path, url=endpoint.url, timeout_s=60)
    outcome: list[WhodidError] = []

    def send() -> None:
        try:
            target.send(delivery_of([event()]))
        except WhodidError as error:
            outcome.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    deadline = time.monotonic() + 10
    while thread.is_alive() and time.monotonic() < deadline:
        target.cancel()
        thread.join(0.05)
    assert not thread.is_alive()
    assert outcome[0].kind.temporary
    target.close()


@pytest.mark.parametrize("url", ["siem.example.com", "ftp://host/x", "http://", "http://host:port/"])
def test_an_address_has_to_be_one(tmp_path: Path, url: str) -> None:
    with pytest.raises(WhodidError, match="url is no address"):
        opened("http", tmp_path, url=url)


def test_an_address_holds_no_password(tmp_path: Path) -> None:
    with pytest.raises(WhodidError, match="url holds a user or a password") as refused:
        opened("http", tmp_path, url="https://bob:secret@siem.example.com/in")
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"


def test_another_whodid_keeps_ids_and_learns_the_origin(other: Case, tmp_path: Path) -> None:
    target = opened("whodid", tmp_path, **other.options, node="edge-7")
    events = [
        event(source="client", parameters=Raw(b'{"a":1}')),
        event(source="client", parameters=Raw(b"{ }"), node="own"),
        event(source="client", parameters=Raw(b'{"origin":{"receiver":"first"}}')),
    ]
    sent = target.send(delivery_of(events, first=5))
    again = target.send(delivery_of(events, first=5))
    target.close()
    assert sent.answer.startswith("200") and '"duplicates":3' in again.answer
    assert other.received() == [one.id for one in events]
    store = other.more["server"].engine.store
    sql = "SELECT node, CAST(parameters AS VARCHAR) AS parameters FROM events WHERE source = 'client' ORDER BY seq"
    rows = store.query(sql, trusted=True).table.to_pylist()
    assert [row["node"] for row in rows] == ["edge-7", "own", "edge-7"]
    first, second, third = (json.loads(row["parameters"]) for row in rows)
    assert first["a"] == 1
    assert first["origin"]["seq"] == 5
    assert (first["origin"]["receiver"], first["origin"]["orig_address"]) == ("receiver-a", "10.1.2.3")
    assert second.keys() == {"origin"}
    assert third == {"origin": {"receiver": "first"}}


def test_events_go_as_they_are_when_no_origin_is_wanted(other: Case, tmp_path: Path) -> None:
    target = opened("whodid", tmp_path, **other.options, origin="no")
    target.send(delivery_of([event(source="client", parameters=Raw(b'{"a":1}'))]))
    target.close()
    other.received()
    sql = "SELECT CAST(parameters AS VARCHAR) AS parameters FROM events WHERE source = 'client'"
    (row,) = other.more["server"].engine.store.query(sql, trusted=True).table.to_pylist()
    assert json.loads(row["parameters"]) == {"a": 1}


def test_what_a_key_may_not_write_is_refused_event_by_event(other: Case, tmp_path: Path) -> None:
    directory = other.more["server"].engine.directory
    _, key = directory.create_key("narrow", ["write"], topics=["generic"])
    target = opened("whodid", tmp_path, url=other.options["url"], key=key)
    events = [event(source="client"), event(source="client", topic="apinode-query")]
    sent = target.send(delivery_of(events, first=1))
    target.close()
    assert [(refusal.seq, refusal.code) for refusal in sent.refused] == [(2, "forbidden")]
    assert other.received() == [events[0].id]


def test_what_is_no_whodid_is_found_out(endpoint: Endpoint, tmp_path: Path) -> None:
    target = opened("whodid", tmp_path, url=endpoint.url)
    with pytest.raises(WhodidError, match="is no whodid server"):
        target.send(delivery_of([event()]))
    target.close()
    with pytest.raises(WhodidError, match="native format"):
        opened("whodid", tmp_path, "dss-log4j", url=endpoint.url)
