"""Requests as records, and records as lines of a partition."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from support.journals import RECEIVED_AT, draft
from whodid.event import Rejection
from whodid.journal import frame
from whodid.journal.base import Draft
from whodid.journal.kafka_frames import SEQ_STEP, Part, apology, offset_of, parts_of, rejects_of, renumbered

STREAM = b'"kafka-topic-id-3"'


def of(*events: dict[str, Any]) -> Draft:
    told = [{"id": f"0190a000-0000-7000-8000-{n:012d}", "time": "2025-03-01T12:30:15Z", "type": "t", **event}
            for n, event in enumerate(events)]  # fmt: skip
    return Draft(received_at=RECEIVED_AT, events=msgspec.json.encode(told), count=len(told))


def parted(sent: Draft, key: str = "user", *, turn: int = 0, bytes_max: int = 1_000_000) -> list[Part]:
    return list(parts_of(sent, key, 6, turn, bytes_max))


def record(sent: Draft, seq: int = 41) -> bytes:
    return b"".join(frame.number(frame.prepare(sent, b'"server-a"'), seq))[:-1]


def test_events_of_one_user_are_one_part_with_the_senders_bytes() -> None:
    sent = of(*[{"user": "ada"}] * 5)
    assert parted(sent) == [Part(zlib.crc32(b"ada") % 6, b"ada", sent.events, 5)]


def test_events_of_many_users_are_parted_and_keep_their_order() -> None:
    users = [f"user{n % 20}" for n in range(100)]
    parts = parted(of(*({"user": user, "parameters": {"n": n}} for n, user in enumerate(users))))
    assert len(parts) == len({zlib.crc32(user.encode()) % 6 for user in users})
    assert sum(part.events_count for part in parts) == 100
    for part in parts:
        events = msgspec.json.decode(part.events)
        assert {zlib.crc32(event["user"].encode()) % 6 for event in events} == {part.partition}
        assert [event["parameters"]["n"] for event in events] == sorted(event["parameters"]["n"] for event in events)


@pytest.mark.parametrize(
    ("key", "event", "expected"),
    [
        ("entity", {"entities": [{"type": "query", "id": "7"}, {"type": "file", "id": "8"}]}, b"query:7"),
        ("session", {"session": "5e550000-0000-4000-8000-000000000001"}, b"5e550000-0000-4000-8000-000000000001"),
        ("node", {"node": "n-1"}, b"n-1"),
    ],
)
def test_other_keys(key: str, event: dict[str, Any], expected: bytes) -> None:
    (part,) = parted(of(event), key)
    assert (part.partition, part.key) == (zlib.crc32(expected) % 6, expected)


def test_events_without_a_key_take_turns() -> None:
    assert [parted(of({}, {}), "user", turn=turn)[0].partition for turn in range(7)] == [0, 1, 2, 3, 4, 5, 0]
    assert [parted(of({"user": "ada"}), "none", turn=turn)[0].partition for turn in (3, 4)] == [3, 4]


def test_large_drafts_are_cut_between_events() -> None:
    sent = of(*({"user": f"user{n}", "parameters": {"text": "x" * 900}} for n in range(100)))
    parts = parted(sent, "none", bytes_max=10_000)
    assert all(len(part.events) <= 10_001 for part in parts) and len(parts) > 9
    assert [event for part in parts for event in msgspec.json.decode(part.events)] == msgspec.json.decode(sent.events)


def test_rejections_go_in_parts_that_fit() -> None:
    rejects = [Rejection(index=n, code="invalid", message="m", raw="x" * 1_000) for n in range(20)]
    parts = list(rejects_of(rejects, 5_000))
    assert len(parts) > 4 and [one for part in parts for one in part] == rejects


def test_a_record_becomes_a_line_that_tells_partition_and_offset() -> None:
    sent = draft(3, key_id="k1", orig_address="10.1.2.3", format="dss-log4j")
    line = renumbered(record(sent), 4711, STREAM)
    assert line is not None and line.endswith(b"}\n")
    read = frame.decode(line[:-1])
    assert read.seq == 4711 * SEQ_STEP + 1 and offset_of(line[:-1]) == 4711
    assert read.provenance.receiver == "kafka-topic-id-3"
    assert (read.provenance.key_id, read.provenance.orig_address) == ("k1", "10.1.2.3")
    assert [event.id for event in read.events] == [event["id"] for event in msgspec.json.decode(sent.events)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"hello",
        b'{"id":"x"}',
        record(draft(2))[:-1],
        record(draft(2)).replace(b"query-start", b"query-stops", 1),
        record(draft(2)) + b"\n" + record(draft(2)),
    ],
)
def test_what_is_no_frame_is_told(value: bytes) -> None:
    assert renumbered(value, 1, STREAM) is None


@pytest.mark.parametrize(
    ("value", "kept", "encoding"), [(b"hello", "hello", "utf-8"), (b"\xff\xfe", "//4=", "base64"), (None, "", "utf-8")]
)
def test_an_apology_keeps_what_it_stands_for(value: bytes | None, kept: str, encoding: str) -> None:
    at = datetime(2026, 5, 4, tzinfo=UTC)
    read = frame.decode(apology(value, "no frame", "audit/3@7", 7, STREAM, at)[:-1])
    (reject,) = read.rejects
    assert (read.seq, read.events, read.provenance.received_at) == (7 * SEQ_STEP + 1, [], at)
    assert (reject.raw, reject.raw_encoding, reject.raw_size_bytes) == (kept, encoding, len(value or b""))
    assert (reject.message, reject.source) == ("no frame", "audit/3@7")
