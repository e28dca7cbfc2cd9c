"""Whatever the bytes: nothing raises, neighbours survive, and a payload is what a journal may keep."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whodid import formats
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.formats.base import Decoded
from whodid.formats.careful import careful_event
from whodid.formats.compression import open_stream
from whodid.formats.native import decode_body
from whodid.formats.strict import strict_events
from whodid.formats.text import BYTE_ORDER_MARK

SETTINGS = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
NAMES = list(formats.FORMATS)

MESSAGE = {"msgType": "dataset-read-data", "authUser": "ann", "projectKey": "S", "authVia": ["scenario=P.S"]}
SAMPLES: dict[str, dict[str, Any]] = {
    "native": {
        "id": new_id(1_700_000_000_000),
        "time": "2026-05-01T10:00:00.123Z",
        "type": "query-start",
        "session": new_id(1_700_000_000_001),
        "entities": [{"type": "query", "id": "7"}],
        "parameters": {"a": [1, {"b": "c"}], "n": 1.5},
    },
    "dss-log4j": {
        "logger": "dku.audit.generic",
        "message": MESSAGE,
        "mdc": {"apiCall": "f", "user": "ann"},
        "callTime": 9,
        "timestamp": "2020-02-19T16:05:02.441+0100",
    },
    "dss-event-server": {
        "clientEvent": MESSAGE | {"computeResourceUsage": {"id": "u", "context": {"projectKey": "P", "jobId": "J"}}},
        "origAddress": "127.0.0.1",
        "serverTimestamp": "2020-03-17T19:15:30.609+0100",
    },
    "dss-apinode": {"timestamp": "2020/02/19-16:05:02.441Z", "logger": "l", "message": MESSAGE},
    "dss-bare": MESSAGE | {"timestamp": "2020-02-19T15:05:02.441Z"},
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just("\ud800")
    | st.just("\x00"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def neighbour(name: str, mark: int) -> bytes:
    sample = dict(SAMPLES[name])
    if name == "native":
        sample["id"] = new_id(1_700_000_000_000 + mark)
        sample["user"] = f"mark{mark}"
    else:
        inner = next((key for key in ("message", "clientEvent") if key in sample), None)
        marked = {**(sample[inner] if inner else sample), "login": f"mark{mark}"}
        sample = {**sample, inner: marked} if inner else marked
    return encoded(sample)


def check(decoded: Decoded) -> None:
    assert b"\n" not in decoded.payload
    assert strict_events(decoded.payload) == decoded.events
    assert decoded.count == len(decoded.events) == sum(count for _, count in decoded.parts)
    assert sum(decoded.span.topics.values()) == decoded.count
    codes = {reject.code for reject in decoded.rejects}
    assert codes <= {
        "not_json", "not_utf8", "not_an_event", "too_large", "too_deep", "too_many",
        "no_type", "bad_time", "bad_field", "duplicate",
    }  # fmt: skip


def check_between_neighbours(name: str, middle: bytes) -> None:
    lines = b"\n".join([neighbour(name, 1), middle, neighbour(name, 2)])
    decoded = formats.decoder(name).decode(lines)
    check(decoded)
    users = [event.user for event in decoded.events]
    assert users[0] == "mark1"
    assert users[-1] == "mark2"
    filled = sum(1 for line in middle.split(b"\n") if line.strip())
    assert decoded.count + len(decoded.rejects) == 2 + filled
    if name == "native":
        body = decode_body(lines, "ndjson")
        check(body)
        assert body.count + len(body.rejects) == 2 + filled


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=300))
@SETTINGS
def test_arbitrary_bytes(name: str, data: bytes) -> None:
    check_between_neighbours(name, data)


@pytest.mark.parametrize("name", NAMES)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, 400),
            st.integers(0, 4),
            st.sampled_from(b'{}[]",:\\u0dE9-\x00\xff\n\r ') | st.integers(0, 255),
        ),
        min_size=1,
        max_size=6,
    )
)
@SETTINGS
def test_lines_with_flipped_lost_and_added_bytes(name: str, edits: list[tuple[int, int, int]]) -> None:
    line = encoded(SAMPLES[name])
    for place, lost, byte in edits:
        at = place % len(line)
        line = line[:at] + bytes([byte]) + line[at + lost :]
        line = line or b"x"
    check_between_neighbours(name, line)


@pytest.mark.parametrize("name", NAMES)
@given(changes=st.dictionaries(st.integers(0, 30), json_values, min_size=1, max_size=4), extra=st.text(max_size=6))
@SETTINGS
def test_fields_of_any_kind(name: str, changes: dict[int, object], extra: str) -> None:
    sample = json.loads(encoded(SAMPLES[name]))
    inner = next((sample[key] for key in ("message", "clientEvent", "parameters") if key in sample), sample)
    more = ("level", "user", "duration_ms", "login", "status", "sessionId", "datasetName", "error_stack_trace", extra)
    for place, value in changes.items():
        target = sample if place % 2 else inner
        keys = [*target, *more]
        target[keys[place % len(keys)]] = value
    check_between_neighbours(name, encoded(sample))


@given(data=st.binary(max_size=200), media=st.sampled_from(["json", "ndjson"]))
@SETTINGS
def test_arbitrary_bodies(data: bytes, media: Any) -> None:
    try:
        check(decode_body(data, media))
    except WhodidError as empty:
        assert empty.message == "The body is empty."
        assert media == "json" and not data.removeprefix(BYTE_ORDER_MARK).strip(b" \t\r\n")
    check(decode_body(b"[" + data, media))
    check(decode_body(b"[" + neighbour("native", 1) + b"," + data, media))


@given(parameters=st.dictionaries(st.text(max_size=8), json_values, max_size=5), user=st.text(max_size=20))
@SETTINGS
def test_strict_and_careful_reading_agree_and_survive_a_round_trip(parameters: dict[str, Any], user: str) -> None:
    raw = encoded(SAMPLES["native"] | {"parameters": parameters, "user": user})
    strict = strict_events(b"[%b]" % raw)
    decoded = decode_body(raw, "json")
    check(decoded)
    if strict:
        assert decoded.events == strict
        careful = careful_event(raw, default_time=strict[0].time)
        assert formats.encoder("native").encode([careful]) == formats.encoder("native").encode(strict)
    written = formats.encoder("native").encode(decoded.events)
    assert formats.decoder("native").decode(written).events == decoded.events


@pytest.mark.parametrize("name", ["dss-log4j", "dss-event-server"])
@given(extra=st.dictionaries(st.text(max_size=8), json_values, max_size=4))
@SETTINGS
def test_dss_lines_survive_a_round_trip(name: str, extra: dict[str, Any]) -> None:
    key = "message" if name == "dss-log4j" else "clientEvent"
    sample = json.loads(encoded(SAMPLES[name]))
    sample[key] = {**extra, **sample[key]}
    events = formats.decoder(name).decode(encoded(sample)).events
    if not events:
        return
    (event,) = events
    again = formats.decoder(name).decode(formats.encoder(name).encode([event], [name])).events[0]
    written = json.loads(formats.encoder(name).encode([again], [name]))
    assert written[key] == json.loads(formats.encoder(name).encode([event], [name]))[key]
    assert (again.time, again.type, again.user, again.via) == (event.time, event.type, event.user, event.via)


@given(head=st.binary(max_size=200))
@SETTINGS
def test_sniffing_finds_a_format_or_says_so(head: bytes) -> None:
    try:
        assert formats.sniff(head) in formats.FORMATS
    except WhodidError as error:
        assert error.code == "invalid"
    try:
        open_stream(io.BytesIO(head)).read()
    except WhodidError as error:
        assert error.code == "invalid"
