"""POST /v1/events: what is answered, and what is on disk then."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from support.receiving import Answer, Receiver, event
from whodid.errors import CODES, WhodidError
from whodid.event import REQUEST_BYTES_MAX, parameters_of
from whodid.journal.base import Draft, Outcome
from whodid.receive.body import InFlight
from whodid.receive.recent import RecentIds

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "identity": lambda data: data,
}
NOTHING: dict[str, Any] = {"accepted": 0, "duplicates": 0, "filtered": 0, "rejected": []}


def assert_error(answer: Answer, code: str) -> dict[str, Any]:
    """The one shape of errors, complete."""
    error: dict[str, Any] = answer.json["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert all(error.values()), error
    assert error["code"] == code
    assert answer.status == CODES[code].status
    assert answer.headers["x-request-id"] == error["request_id"]
    return error


def ndjson(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in events)


def test_what_is_accepted_is_on_disk_when_the_answer_comes(receiver: Receiver) -> None:
    sent = [event(parameters={"n": number}) for number in range(3)]
    answer = receiver.post(sent)
    assert (answer.status, answer.json) == (200, NOTHING | {"accepted": 3})
    assert answer.headers["content-type"] == "application/json"
    assert "server" not in answer.headers
    kept = receiver.events()
    assert [each.id for each in kept] == [each["id"] for each in sent]
    assert [parameters_of(each) for each in kept] == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "text/plain;charset=UTF-8",
        "",
    ],
)
def test_an_event_is_read_from_every_media_type_that_can_hold_one(receiver: Receiver, content_type: str) -> None:
    assert receiver.post(event(), headers={"Content-Type": content_type}).json["accepted"] == 1


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl", "text/plain"])
def test_lines_are_events(receiver: Receiver, content_type: str) -> None:
    body = ndjson(event(), event(), event())
    assert receiver.post(body, headers={"Content-Type": content_type}).json["accepted"] == 3


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "application/xml", "application/json; charset=latin-1", "\xff"],
)
def test_other_media_types_are_refused(receiver: Receiver, content_type: str) -> None:
    error = assert_error(receiver.post(event(), headers={"Content-Type": content_type}), "unsupported")
    assert "application/json" in error["hint"]
    assert receiver.events() == []


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
def test_compressed_bodies_are_read(receiver: Receiver, encoding: str) -> None:
    plain = json.dumps([event() for _ in range(200)]).encode()
    packed = PACK[encoding](plain)
    assert receiver.post(packed, headers={"Content-Encoding": encoding}).json["accepted"] == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_packed_body_is_known_by_its_first_bytes_where_no_header_tells(receiver: Receiver, encoding: str) -> None:
    packed = PACK[encoding](json.dumps([event() for _ in range(3)]).encode())
    assert receiver.post(packed).json["accepted"] == 3
    bomb = PACK[encoding](b" " * (REQUEST_BYTES_MAX + 1))
    assert_error(receiver.post(bomb), "too_large")


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_called_empty_and_not_kept(receiver: Receiver, body: bytes) -> None:
    assert assert_error(receiver.post(body), "invalid")["message"] == "The body is empty."
    assert receiver.ingest.rejected == 0


def test_large_compressed_bodies_are_read(receiver: Receiver) -> None:
    noise = [event(description="".join(chr(97 + (n * k * 7919) % 26) for k in range(3_000))) for n in range(1_500)]
    packed = gzip.compress(json.dumps(noise).encode(), 1)
    assert len(packed) > 16 * 1024
    assert receiver.post(packed, headers={"Content-Encoding": "gzip"}).json["accepted"] == 1_500


@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        ("compress", b"x", "unsupported"),
        ("gzip", b"no gzip", "invalid"),
        ("gzip", gzip.compress(b"[]" * 10_000, mtime=0)[:-10], "invalid"),
        ("zstd", b"no zstd", "invalid"),
    ],
)
def test_broken_or_unknown_compression_is_refused(receiver: Receiver, encoding: str, body: bytes, code: str) -> None:
    assert_error(receiver.post(body, headers={"Content-Encoding": encoding}), code)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_decompression_bomb_is_stopped_at_the_limit(receiver: Receiver, encoding: str) -> None:
    plain = b" " * (4 * REQUEST_BYTES_MAX)
    bomb = PACK[encoding](plain)
    del plain
    tracemalloc.start()
    try:
        error = assert_error(receiver.post(bomb, headers={"Content-Encoding": encoding}), "too_large")
        assert tracemalloc.get_traced_memory()[1] < 3 * REQUEST_BYTES_MAX
    finally:
        tracemalloc.stop()
    assert "33,554,432" in error["message"] + error["hint"]


def test_more_events_than_the_limit_are_refused_as_a_whole(receiver: Receiver) -> None:
    error = assert_error(receiver.post(ndjson(*([event(id="x")] * 10_001))), "too_large")
    assert "10,000" in error["message"]
    assert receiver.events() == []


def test_as_many_events_as_the_limit_are_taken(receiver: Receiver) -> None:
    assert receiver.post([event() for _ in range(10_000)]).json["accepted"] == 10_000


def test_no_events_are_no_error(receiver: Receiver) -> None:
    assert (receiver.post([]).status, receiver.post([]).json) == (200, NOTHING)


def test_a_bad_event_rejects_itself_and_is_kept(receiver: Receiver) -> None:
    good = [event(), event()]
    answer = receiver.post([good[0], {"type": ""}, good[1], {"no": "type"}, 7])
    assert answer.status == 200
    assert answer.json["accepted"] == 2
    assert [(each["index"], set(each)) for each in answer.json["rejected"]] == [
        (index, {"index", "code", "message"}) for index in (1, 3, 4)
    ]
    assert [each.id for each in receiver.events()] == [each["id"] for each in good]
    assert [(each.index, each.raw) for each in receiver.rejects()] == [
        (1, '{"type":""}'),
        (3, '{"no":"type"}'),
        (4, "7"),
    ]


@pytest.mark.parametrize("body", [b"{", b"", b"nonsense", b"\xff\xfe", b'[{"type":"a"', b'{"type":NaN}', b"[" * 5_000])
def test_what_is_no_event_at_all_is_an_error_and_is_kept(receiver: Receiver, body: bytes) -> None:
    answer = receiver.post(body)
    if body == b"":
        assert answer.status in (200, 400)
        return
    assert_error(answer, "invalid")
    assert (answer.json["accepted"], len(answer.json["rejected"])) == (0, len(receiver.rejects()))
    assert len(receiver.rejects()) >= 1
    assert receiver.events() == []


def test_the_same_events_again_are_duplicates(receiver: Receiver) -> None:
    sent = [event() for _ in range(3)]
    receiver.post(sent)
    assert receiver.post(sent).json == NOTHING | {"duplicates": 3}
    assert receiver.post([*sent, event()]).json == NOTHING | {"accepted": 1, "duplicates": 3}
    assert len(receiver.events()) == 4


@pytest.mark.parametrize("clear_at_once", [True, False])
def test_an_event_that_could_not_be_kept_is_no_duplicate_the_next_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, clear_at_once: bool
) -> None:
    sent = [event()]

    def fail(draft: Draft, done: Callable[[Outcome], None]) -> None:
        full = WhodidError("full", "The disk is full.", "Free some space.", retry_after_s=5)
        if clear_at_once:
            raise full
        asyncio.get_running_loop().call_soon(done, full)

    with monkeypatch.context() as broken:
        broken.setattr(receiver.journal, "submit", fail)
        answer = receiver.post(sent)
        assert_error(answer, "full")
        assert answer.headers["retry-after"] == "5"
    assert receiver.post(sent).json == NOTHING | {"accepted": 1}


def test_a_restarted_receiver_takes_a_repeated_post(tmp_path: Path) -> None:
    sent = [event()]
    for _ in range(2):
        receiver = Receiver(tmp_path)
        receiver.start()
        assert receiver.post(sent).status == 200
        receiver.stop()
    receiver.start()
    assert {each.id for each in receiver.events()} == {sent[0]["id"]}
    receiver.stop()


def test_a_backlog_at_its_limit_asks_to_come_again(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path, backlog_bytes_max=2_000)
    receiver.start()
    try:
        assert receiver.post([event(description="x" * 3_000)]).status == 200
        answer = receiver.post([event()])
        assert_error(answer, "busy")
        assert int(answer.headers["retry-after"]) >= 1
    finally:
        receiver.stop()


def test_bytes_of_all_requests_together_are_bounded(receiver: Receiver) -> None:
    receiver.ingest.in_flight = InFlight(bytes_max=1_000)
    answer = receiver.post([event(description="x" * 2_000)])
    assert_error(answer, "busy")
    assert answer.headers["retry-after"] == "1"
    assert receiver.post([event()]).status == 200
    assert receiver.ingest.in_flight.held_bytes == 0


def test_a_failure_inside_says_so_without_details(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(draft: Draft, done: Callable[[Outcome], None]) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(receiver.journal, "submit", fail)
    answer = receiver.post([event()])
    assert_error(answer, "internal")
    assert b"secret" not in answer.body
    assert receiver.ingest.in_flight.held_bytes == 0


def test_a_request_id_is_given_back_or_made(receiver: Receiver) -> None:
    assert receiver.post([event()], headers={"X-Request-Id": "mine-7"}).headers["x-request-id"] == "mine-7"
    made = [
        receiver.post([event()], headers={"X-Request-Id": given}).headers["x-request-id"] for given in ("", "x" * 129)
    ]
    assert len(set(made)) == 2
    assert all(0 < len(each) < 40 for each in made)
    refused = receiver.post(b"{", headers={"X-Request-Id": "mine-8"})
    assert refused.json["error"]["request_id"] == "mine-8"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(receiver: Receiver, method: str) -> None:
    assert_error(receiver.post(b"", method=method), "method_not_allowed")


def test_where_it_came_from_is_kept(receiver: Receiver) -> None:
    key, secret = receiver.directory.create_key("etl", ["write"])
    before = datetime.now(UTC)
    receiver.post([event()], key=secret)
    receiver.journal.seal()
    (frame,) = receiver.journal.sealed()[0].frames()
    assert (frame.provenance.key_id, frame.provenance.orig_address) == (key.id, "127.0.0.1")
    assert before <= frame.provenance.received_at <= datetime.now(UTC)


def test_many_at_once_are_all_kept_once(receiver: Receiver) -> None:
    batches = [[event() for _ in range(20)] for _ in range(40)]
    answers: list[Answer] = []

    def send(number: int) -> None:
        answers.extend(receiver.post(batch) for batch in batches[number::8])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.json["accepted"] for answer in answers] == [20] * 40
    kept = [each.id for each in receiver.events()]
    assert sorted(kept) == sorted(each["id"] for batch in batches for each in batch)


def test_memory_of_recent_ids_is_bounded_and_keeps_the_latest() -> None:
    recent = RecentIds(ids_max=1_000)
    for number in range(100):
        recent.add([f"{number}-{each}" for each in range(100)])
        assert recent.any(["unknown", f"{number}-99"])
        assert len(recent) <= 1_000
    assert all(f"{number}-0" in recent for number in range(95, 100))
    assert "0-0" not in recent
