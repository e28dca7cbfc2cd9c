"""OTLP as a target: read by OpenTelemetry's own package, and by whodid's own door."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from msgspec import Raw
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from support.endpoint import Endpoint, Request
from support.target_cases import Case, otlp_door
from support.targets import delivery_of, event, form_of
from whodid.dispatch.row import implementation, read_options
from whodid.errors import WhodidError
from whodid.event import Entity, Event
from whodid.targets.base import Context, Target

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
AT = datetime(2026, 5, 4, 10, 11, 12, 131415, tzinfo=UTC)


class Collector(Endpoint):
    """An OTLP receiver that rejects records by their id, and says how many."""

    def __init__(self) -> None:
        super().__init__()
        self.rejects: set[str] = set()

    def _verdict(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if self.answers:
            return self.answers.pop(0)
        rejected = len(self.rejects & {attributes(one)["log.record.uid"] for one in records(request)})
        if request.headers["content-type"] == "application/json":
            told = (
                {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": "too odd"}} if rejected else {}
            )
            return 200, {"content-type": "application/json"}, json.dumps(told).encode()
        partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message="too odd" if rejected else "")
        answer = ExportLogsServiceResponse(partial_success=partial if rejected else None)
        return 200, {"content-type": "application/x-protobuf"}, answer.SerializeToString()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    with made:
        yield made


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Case]:
    with otlp_door(tmp_path, "protobuf") as found:
        yield found


def parsed(request: Request) -> dict[str, Any]:
    """A request as OTLP/JSON, whatever it came as."""
    if request.headers["content-type"] == "application/json":
        told: dict[str, Any] = json.loads(request.body)
        return told
    told = MessageToDict(ExportLogsServiceRequest.FromString(request.body))
    for one in _records(told):
        # Protobuf's own JSON has them in base64, OTLP's in hex.
        for name in {"traceId", "spanId"} & one.keys():
            one[name] = base64.b64decode(one[name]).hex()
    return told


def _records(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for logs in told.get("resourceLogs", []) for scope in logs["scopeLogs"] for one in scope["logRecords"]]


def records(request: Request) -> list[dict[str, Any]]:
    return _records(parsed(request))


def attributes(told: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values()), None) for pair in told.get("attributes", ())}


def opened(url: str, format: str = "native", **options: Any) -> Target:
    kind: Any = implementation("otlp")
    context = Context(name="t", id="i", folder=Path("/nonexistent"), receiver="r", format=format, node="n")
    target: Target = kind(read_options(kind.OPTIONS, {"url": url, **options}), context)
    target.open()
    return target


def sent(url: str, *events: Event, format: str = "native", **options: Any) -> Any:
    target = opened(url, format, **options)
    try:
        return target.send(delivery_of(list(events), form=form_of(format=format)))
    finally:
        target.close()


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_record_says_what_the_event_said(collector: Collector, encoding: str) -> None:
    one = event(
        time=AT,
        level="error",
        user="žofie 😀",
        session="018f0000-0000-7000-8000-000000000001",
        description="what @x did",
        error_message="no\u2028way",
        request_id="req-1",
        duration_ms=1.5,
        entities=[Entity(type="dataset", id="a/b", role="input")],
        parameters=Raw(
            b'{"trace_id":"%b","span_id":"%b","trace_flags":1,"n":-3,"big":123456789012345678901,"yes":true,'
            b'"nothing":null,"list":[1,"a",{"b":2.5}],"user.name":"other","severity_number":21,"severity_text":"FATAL"}'
            % (TRACE.encode(), SPAN.encode())
        ),
    )
    sent(collector.url, one, encoding=encoding)
    (request,) = collector.requests
    (record,) = records(request)
    assert (record["traceId"], record["spanId"], record["flags"]) == (TRACE, SPAN, 1)
    assert record["eventName"] == "query-start"
    assert record["timeUnixNano"] == str(int(AT.timestamp()) * 10**9 + 131_415_000)
    assert record["severityNumber"] in (21, "SEVERITY_NUMBER_FATAL") and record["severityText"] == "FATAL"
    assert record["body"] == {"stringValue": "what @x did"}
    told = attributes(record)
    assert told["log.record.uid"] == one.id and told["user.name"] == "žofie 😀"
    assert told["session.id"] == one.session and told["exception.message"] == "no\u2028way"
    assert told["whodid.request_id"] == "req-1" and told["whodid.duration_ms"] == 1.5
    assert told["whodid.level"] == "error" and told["client.address"] == "10.1.2.3"
    assert (told["n"], told["big"], told["yes"], told["nothing"]) == ("-3", "123456789012345678901", True, None)
    assert told["whodid.parameters.user.name"] == "other"
    assert [next(iter(value)) for value in told["list"]["values"]] == ["intValue", "stringValue", "kvlistValue"]
    assert "trace_id" not in told and "severity_number" not in told


def test_neighbours_from_the_same_place_share_a_resource(collector: Collector) -> None:
    nodes = [("n1", "api"), ("n1", "api"), ("n2", "api"), (None, None)]
    sent(collector.url, *(event(node=node, node_type=kind) for node, kind in nodes))
    groups = parsed(collector.requests[0])["resourceLogs"]
    assert [attributes(group["resource"]) for group in groups] == [
        {"host.name": "n1", "service.name": "api"},
        {"host.name": "n2", "service.name": "api"},
        {"service.name": "whodid"},
    ]
    assert [len(group["scopeLogs"][0]["logRecords"]) for group in groups] == [2, 1, 1]


def test_a_trace_id_may_be_the_request_id(collector: Collector) -> None:
    sent(
        collector.url, event(request_id=TRACE), event(request_id="0" * 32), event(parameters=Raw(b'{"span_id":"xyz"}'))
    )
    first, second, third = records(collector.requests[0])
    assert first["traceId"] == TRACE and "whodid.request_id" not in attributes(first)
    assert "traceId" not in second and attributes(second)["whodid.request_id"] == "0" * 32
    assert "spanId" not in third and attributes(third)["span_id"] == "xyz"


def test_other_formats_are_the_body(collector: Collector) -> None:
    one = event()
    sent(collector.url, one, format="cloudevents")
    (record,) = records(collector.requests[0])
    assert json.loads(record["body"]["stringValue"])["specversion"] == "1.0"
    assert attributes(record) == {"log.record.uid": one.id}


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_what_came_by_otlp_leaves_as_it_came(door: Case, collector: Collector, encoding: str) -> None:
    """In by the door, out by the target, in by the door: nothing is lost on the way."""
    sent(door.options["url"], event(time=AT, user="ada", node="n1", node_type="api", level="warning",
         description="text", parameters=Raw(b'{"a":{"b":[1,2.5,null,"x"]},"span_id":"%b","time_unix_nano":"%d"}'
         % (SPAN.encode(), int(AT.timestamp()) * 10**9 + 131_415_007)), request_id=TRACE),
         key=door.options["key"], encoding=encoding)  # fmt: skip
    door.received()
    sql = """SELECT type, time, level, "user", node, node_type, description, request_id, error_message,
        CAST(parameters AS VARCHAR) AS parameters FROM events WHERE format = 'otlp'"""
    (row,) = door.more["server"].engine.store.query(sql, trusted=True).table.to_pylist()
    parameters = json.loads(row["parameters"])
    assert (row["type"], row["level"], row["user"], row["node"]) == ("query-start", "warning", "ada", "n1")
    assert (row["node_type"], row["description"], row["request_id"]) == ("api", "text", TRACE)
    assert row["time"] == AT.replace(tzinfo=None)
    assert parameters["a"] == {"b": [1, 2.5, None, "x"]} and parameters["span_id"] == SPAN
    assert parameters["time_unix_nano"].endswith("131415007")


@pytest.mark.parametrize("digits", ["²", "1" * 5_000])
def test_digits_that_are_no_time_stay_a_parameter(collector: Collector, digits: str) -> None:
    one = event(time=AT, parameters=Raw(json.dumps({"time_unix_nano": digits}).encode()))
    sent(collector.url, one)
    (record,) = records(collector.requests[0])
    assert record["timeUnixNano"] == str(int(AT.timestamp()) * 10**9 + AT.microsecond * 1_000)
    assert attributes(record)["time_unix_nano"] == digits


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_what_is_rejected_in_part_is_found(collector: Collector, encoding: str) -> None:
    events = [event() for _ in range(9)]
    collector.rejects = {events[2].id, events[7].id}
    outcome = sent(collector.url, *events, encoding=encoding)
    assert [(one.seq, one.code) for one in outcome.refused] == [(3, "invalid"), (8, "invalid")]
    assert "too odd" in outcome.refused[0].message
    assert outcome.events == 7
    got = {attributes(one)["log.record.uid"] for request in collector.requests for one in records(request)}
    assert got == {one.id for one in events}


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "unavailable"), (502, "unavailable"), (503, "unavailable"), (504, "unavailable"), (500, "conflict"),
     (408, "conflict"), (401, "unauthorized"), (403, "forbidden"), (404, "not_found")],
)  # fmt: skip
def test_only_what_otlp_says_is_sent_again(collector: Collector, status: int, code: str) -> None:
    body = Status(code=14, message="not today").SerializeToString()
    collector.answers = [(status, {"retry-after": "3", "content-type": "application/x-protobuf"}, body)]
    with pytest.raises(WhodidError, match="not today") as caught:
        sent(collector.url, event(), key="hunter2")
    assert caught.value.code == code
    assert caught.value.retry_after_s == (3 if code == "unavailable" else None)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_requests_are_packed(collector: Collector, compression: str) -> None:
    outcome = sent(collector.url, event(description="é" * 500_000), compression=compression)
    assert collector.requests[0].headers.get("content-encoding") == (None if compression == "none" else "gzip")
    assert (outcome.size_bytes < 100_000) == (compression == "gzip")
    assert len(records(collector.requests[0])[0]["body"]["stringValue"]) == 500_000


def test_what_is_no_receiver_is_found_out(collector: Collector) -> None:
    collector.answers = [(200, {"content-type": "text/html"}, b"<h1>hello</h1>")]
    with pytest.raises(WhodidError, match="no OTLP receiver"):
        sent(collector.url, event())
    collector.answers = [(200, {"content-type": "application/x-protobuf"}, b"\xff\xff")]
    with pytest.raises(WhodidError, match="none of OTLP"):
        sent(collector.url, event())


def test_a_bare_address_gets_the_usual_path(door: Case) -> None:
    target: Any = opened(door.options["url"])
    assert target._url == f"{door.options['url']}/v1/logs"
    target.close()
