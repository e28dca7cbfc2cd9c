"""The courier: keeps a batch until it is taken, waits as it is asked to, knows what will never be taken."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from support.agents import wait_for
from support.endpoint import Endpoint
from whodid.agent.courier import Courier, Pace
from whodid.agent.outbox import Outbox
from whodid.agent.settings import Settings
from whodid.agent.wire import EVENTS_PATH, Answer, Hello, packed
from whodid.datasets.handed import body_of
from whodid.journal.base import Draft
from whodid.web.openapi import description

YES: tuple[int, dict[str, str], bytes] = (200, {}, msgspec.json.encode(Answer(time=datetime.now(UTC))))


def error(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = {"error": {"code": code, "message": f"It is {code}.", "hint": None, "request_id": "x"}}
    return status, headers, json.dumps(body).encode()


class Collector(Endpoint):
    """Takes everything, unless it is told to answer otherwise to batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, dict[str, str], bytes]] = []
        self.tried_at: list[float] = []

    def _verdict(self, request):  # type: ignore[no-untyped-def]
        if request.path != EVENTS_PATH:
            return YES
        self.tried_at.append(time.monotonic())
        return self.batches.pop(0) if self.batches else YES

    @property
    def taken(self) -> list[bytes]:
        return [request.body for request in self.requests if request.path == EVENTS_PATH]


@pytest.fixture
def collector() -> Iterator[Collector]:
    endpoint = Collector()
    with endpoint:
        yield endpoint


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox", 1_000_000)


def put(outbox: Outbox, lane: str = "live") -> None:
    draft = Draft(received_at=datetime.now(UTC), events=b'[{"id":"x"}]', count=1, format="dss-log4j")
    outbox.put(lane, packed(body_of(draft)), 1, 0)  # type: ignore[arg-type]


def courier_of(outbox: Outbox, *servers: Endpoint, **more: int) -> Courier:
    urls = tuple(server.url.removesuffix("/in") for server in servers)
    settings = Settings(servers=urls, paths=("x",), state=Path("/nowhere"), heartbeat_s=0.2, **more)  # type: ignore[arg-type]
    waiting = {"waiting_events": 1, "waiting_bytes": 100_000}
    hello = lambda: Hello(agent="a", node="n", sent_at=datetime.now(UTC), **waiting)  # type: ignore[arg-type]  # noqa: E731
    courier = Courier(settings, outbox, hello)
    courier.start()
    return courier


def test_a_batch_is_hello_what_was_read_and_the_events(collector: Collector, outbox: Outbox) -> None:
    courier = courier_of(outbox, collector)
    put(outbox)
    wait_for(lambda: outbox.first() is None)
    courier.close()
    hello, handed, events = lines = collector.taken[0].split(b"\n")
    described = description()
    content = described["paths"][EVENTS_PATH]["post"]["requestBody"]["content"]["application/x-ndjson"]
    for line, schema in zip(lines[:2], content["schema"]["x-lines"], strict=False):
        Draft202012Validator({**schema, "components": described["components"]}).validate(json.loads(line))
    assert json.loads(hello)["node"] == "n"
    assert json.loads(handed)["format"] == "dss-log4j"
    assert events == b'[{"id":"x"}]'


def test_retry_after_is_kept_and_the_batch_comes_again(collector: Collector, outbox: Outbox) -> None:
    collector.batches = [error(429, "busy", **{"retry-after": "1"}), error(507, "full")]
    courier = courier_of(outbox, collector)
    put(outbox)
    wait_for(lambda: outbox.first() is None)
    courier.close()
    assert len(collector.tried_at) == 3
    assert collector.tried_at[1] - collector.tried_at[0] >= 1.0
    assert len(collector.taken) == 1


@pytest.mark.parametrize(
    "answer",
    [error(401, "unauthorized"), error(403, "forbidden"), (502, {}, b"<html>"), (404, {}, b"")],
    ids=["wrong key", "another node's key", "proxy", "no whodid"],
)
def test_what_may_be_mended_is_waited_out(
    collector: Collector, outbox: Outbox, answer: tuple[int, dict[str, str], bytes]
) -> None:
    collector.batches = [answer]
    courier = courier_of(outbox, collector)
    put(outbox)
    wait_for(lambda: courier.trouble is not None)
    wait_for(lambda: outbox.first() is None)
    courier.close()
    assert outbox.dead() == 0


def test_what_is_wrong_for_good_does_not_stand_in_the_way(collector: Collector, outbox: Outbox) -> None:
    collector.batches = [error(400, "invalid")]
    courier = courier_of(outbox, collector)
    put(outbox)
    put(outbox)
    wait_for(lambda: outbox.first() is None)
    courier.close()
    assert (outbox.dead(), len(collector.taken), courier.sent.refused_batches) == (1, 1, 1)


def test_a_batch_whose_file_is_gone_does_not_stand_in_the_way(
    collector: Collector, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    put(outbox)
    first = outbox.first()
    assert first is not None
    first.path.unlink()
    put(outbox)
    courier = courier_of(outbox, collector)
    wait_for(lambda: len(collector.taken) == 1)
    wait_for(lambda: outbox.first() is None)
    courier.close()
    assert f"{first.path} is gone" in caplog.text


def test_the_next_collector_is_asked_when_one_is_away(collector: Collector, outbox: Outbox) -> None:
    gone = Collector()
    gone._server.server_close()
    courier = courier_of(outbox, gone, collector)
    put(outbox)
    wait_for(lambda: outbox.first() is None)
    courier.close()
    assert len(collector.taken) == 1


def test_signs_of_life_go_on_while_nothing_is_written(collector: Collector, outbox: Outbox) -> None:
    courier = courier_of(outbox, collector)
    wait_for(lambda: len(collector.requests) >= 3)
    courier.close()
    assert collector.taken == []


def test_what_is_old_keeps_the_pace_and_what_is_live_does_not_wait(collector: Collector, outbox: Outbox) -> None:
    courier = courier_of(outbox, collector, rate_events_s=1)
    for _ in range(3):
        put(outbox, "backlog")
    wait_for(lambda: len(collector.taken) == 1)
    put(outbox)
    wait_for(lambda: outbox.waiting("live").batches == 0)
    assert outbox.waiting("backlog").batches == 2
    courier.close()


def test_the_pace_adds_up() -> None:
    pace = Pace(1_000, 0)
    assert pace.is_free()
    pace.spent(500, 10)
    assert 0.3 < pace.free_in_s() <= 0.5
    pace.spent(500, 10)
    assert 0.8 < pace.free_in_s() <= 1.0
