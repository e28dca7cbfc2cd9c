"""Whatever a client sends: events, rejections, or an error that was made on purpose; never anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whodid.errors import WhodidError
from whodid.event import Event
from whodid.receive.access import Caller
from whodid.receive.clients import ROUTES, Route
from whodid.receive.clients.base import Request

MEDIA = (
    b"application/x-protobuf", b"application/x-www-form-urlencoded", b"text/plain", b"application/json", b"",
)  # fmt: skip
READING = [route for route in ROUTES if route.read is not None]
NAMES = (
    "batch", "type", "event", "userId", "traits", "properties", "timestamp", "context", "messageId", "groupId", "name",
    "resourceLogs", "scopeLogs", "logRecords", "resource", "scope", "attributes", "key", "value", "stringValue", "body",
    "intValue", "arrayValue", "kvlistValue", "values", "timeUnixNano", "severityNumber", "severityText", "traceId",
    "exception", "stacktrace", "frames", "mechanism", "user", "level", "message", "event_id", "items", "platform",
    "distinct_id", "$exception_list", "$set", "$group_type", "$group_key", "$session_id", "uuid", "sent_at", "api_key",
    "eventType", "eventTime", "parameters", "parameter", "valueUuid", "params", "auditType", "stackTrace", "#type",
    "id", "instant", "epochSecond", "nanoOfSecond", "thrown", "extendedStackTrace", "levelno", "msg", "args",
    "duration_ms", "time", "log", "contexts", "trace", "trace_id", "logentry", "formatted", "length",
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["2026-05-01T12:00:00Z", "1780000000.5", "error", "é\0", "a" * 300, "5b8efff798038103" * 2]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), inner)
    ),
    max_leaves=25,
)


# Where a client's values stand, so that they are reached often enough.
AROUND = (
    "VALUE", "[VALUE]", '{"batch":[VALUE]}', '{"batch":[{"properties":VALUE,"event":"$exception","traits":VALUE}]}',
    '{"resourceLogs":[{"resource":VALUE,"scopeLogs":[{"scope":VALUE,"logRecords":[VALUE]}]}]}',
    '{"resourceLogs":[{"resource":{"attributes":[{"key":VALUE,"value":VALUE}]},"scopeLogs":[{"logRecords":[{}]}]}]}',
    '{"resourceLogs":[{"resource":{"attributes":VALUE},"schemaUrl":VALUE,"scopeLogs":[{"logRecords":[VALUE]}]}]}',
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"a","value":VALUE}],"body":VALUE}]}]}]}',
    '{}\n{"type":"event"}\nVALUE', '{}\n{"type":"log"}\n{"items":[VALUE,{"attributes":{"a":VALUE}}]}',
    '{"exception":{"values":[VALUE]},"user":VALUE,"timestamp":VALUE,"contexts":VALUE,"logentry":VALUE}',
    '{"exception":[{"type":VALUE,"stacktrace":{"frames":[VALUE,{"lineno":VALUE,"function":VALUE}]}}]}',
    '{"properties":{"$exception_list":[VALUE,{"stacktrace":{"frames":[VALUE]}}]},"event":"$exception"}',
    '{"eventType":VALUE,"parameters":[{"parameter":{"name":"a","type":"json"},"value":VALUE},VALUE]}',
    '{"params":{"a":VALUE},"level":VALUE,"time":VALUE,"message":VALUE,"instant":VALUE,"thrown":VALUE}',
    '{"instant":{"epochSecond":VALUE,"nanoOfSecond":VALUE},"thrown":{"extendedStackTrace":[VALUE]},"level":VALUE}',
)  # fmt: skip


def request_of(route: Route, body: bytes, media_type: bytes) -> Request:
    names = {part.strip("{*}"): "x" for part in route.path.split("/") if part.startswith("{")}
    caller = Caller("test", frozenset(("write",)))
    headers = {b"content-type": media_type}
    return Request(route.method, route.path, names, {}, headers, body, datetime.now(UTC), caller)


def check(route: Route, body: bytes, media_type: bytes) -> None:
    request = request_of(route, body, media_type)
    route.key(request)
    try:
        assert route.read is not None
        taken = route.read(request)
    except WhodidError as error:
        assert error.kind.status in (400, 413, 415)
        return
    events = msgspec.json.decode(taken.decoded.payload, type=list[Event])
    assert len({event.id for event in events}) == len(events) == taken.decoded.count
    assert b"\n" not in taken.decoded.payload


@pytest.mark.parametrize("route", READING, ids=lambda route: f"{route.client}{route.path}")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=VALUES, lone=st.booleans())
def test_any_json(route: Route, value: Any, lone: bool) -> None:
    text = json.dumps(value)
    if lone:
        text = text.replace('"', '"\\ud800', 2)
    for around in AROUND:
        body = around.replace("VALUE", text)
        check(route, body.encode(), b"application/json")


@pytest.mark.parametrize("route", READING, ids=lambda route: f"{route.client}{route.path}")
@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200), media_type=st.sampled_from(MEDIA))
def test_any_bytes(route: Route, body: bytes, media_type: bytes) -> None:
    check(route, body, media_type)
