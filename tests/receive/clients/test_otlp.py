"""OpenTelemetry's own SDK and exporter against the server."""

from __future__ import annotations

import gzip
import itertools
import json
import struct
import threading
import time
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from support.clients import ClientServer, run_example

NANOS = 1_780_000_000_123_456_789
_microseconds = itertools.count(1)


@pytest.fixture
def provider(server: ClientServer) -> LoggerProvider:
    exporter = OTLPLogExporter(
        f"{server.url}/v1/logs", headers={"authorization": f"Bearer {server.key}"}, compression=Compression.Gzip
    )
    made = LoggerProvider(Resource.create({"service.name": "checkout", "host.name": "n1"}))
    made.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return made


def record(**fields: Any) -> dict[str, Any]:
    """A request in JSON with one record, of another microsecond each time."""
    told = {"timeUnixNano": str(NANOS + next(_microseconds) * 1000), "body": {"stringValue": "hi"}, **fields}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [told]}]}]}


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [{"key": name.replace("__", "."), "value": value} for name, value in values.items()]


def test_a_record_of_the_sdk_keeps_everything(server: ClientServer, provider: LoggerProvider) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("work") as span:
        provider.get_logger("shop.cart", "1.2").emit(
            LogRecord(
                timestamp=NANOS,
                observed_timestamp=NANOS + 1_000_000,
                severity_number=SeverityNumber.WARN2,
                severity_text="WARNING",
                body="Slow checkout",
                event_name="checkout-slow",
                attributes={"user.name": "ada", "n": 2**40, "share": 0.5, "ok": True, "items": ["a", "b"],
                            "raw": b"\xff\x00", "deep": {"x": {"y": [1, None]}}},
            )
        )  # fmt: skip
    (event,) = server.stored("otlp")
    context = span.get_span_context()
    assert context is not None
    assert event["type"] == "checkout-slow"
    assert event["level"] == "warning"
    assert event["description"] == "Slow checkout"
    assert event["time"] == "2026-05-28T20:26:40.123456Z"
    assert event["user"] == "ada"
    assert event["request_id"] == f"{context.trace_id:032x}"
    assert (event["node"], event["node_type"], event["source"]) == ("n1", "checkout", "server")
    told = event["parameters"]
    assert told["span_id"] == f"{context.span_id:016x}"
    assert told["trace_flags"] & 1
    assert told["time_unix_nano"] == str(NANOS)
    assert told["observed_time_unix_nano"] == str(NANOS + 1_000_000)
    assert (told["severity_number"], told["severity_text"]) == (14, "WARNING")
    assert (told["n"], told["share"], told["ok"], told["items"]) == (2**40, 0.5, True, ["a", "b"])
    assert told["raw"] == "/wA="
    assert told["deep"] == {"x": {"y": [1, None]}}
    assert told["resource"]["service.name"] == "checkout"
    assert told["scope"] == {"name": "shop.cart", "version": "1.2"}


def test_protobuf_and_json_say_the_same(server: ClientServer) -> None:
    told = record(
        timeUnixNano=str(NANOS),
        severityNumber=17,
        traceId="5B8EFFF798038103D269B633813FC60C",
        spanId="eee19b7ec3c1b174",
        flags=1,
        attributes=attributes(
            text={"stringValue": "ü\u0000"}, negative={"intValue": "-9007199254740993"}, nothing={},
            number={"doubleValue": 1e300}, infinite={"doubleValue": "Infinity"},
            several={"arrayValue": {"values": [{"boolValue": False}, {"kvlistValue": {"values": [
                {"key": "k", "value": {"bytesValue": "AAEC"}}]}}]}},
        ),
    )  # fmt: skip
    message = service.ExportLogsServiceRequest()
    one = message.resource_logs.add().scope_logs.add().log_records.add()
    one.time_unix_nano, one.severity_number, one.flags = NANOS, 17, 1
    one.body.string_value = "hi"
    one.trace_id, one.span_id = bytes.fromhex("5b8efff798038103d269b633813fc60c"), bytes.fromhex("eee19b7ec3c1b174")
    values = [one.attributes.add(key=key).value for key in
              ("text", "negative", "nothing", "number", "infinite", "several")]  # fmt: skip
    values[0].string_value, values[1].int_value = "ü\0", -9007199254740993
    values[3].double_value, values[4].double_value = 1e300, float("inf")
    values[5].array_value.values.add().bool_value = False
    inner = values[5].array_value.values.add().kvlist_value.values.add(key="k")
    inner.value.bytes_value = b"\0\1\2"

    answer = server.http.post("/v1/logs", json=told)
    assert (answer.status_code, answer.json()) == (200, {})
    answer = server.http.post(
        "/v1/logs", content=message.SerializeToString(), headers={"content-type": "application/x-protobuf"}
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"

    # The content is the same and the time is: it is the same event, and stored once.
    (event,) = server.stored("otlp")
    assert event["request_id"] == "5b8efff798038103d269b633813fc60c"
    assert event["parameters"]["several"] == [False, {"k": "AAEC"}]
    assert event["parameters"]["text"] == "ü␀"
    assert event["parameters"]["negative"] == -9007199254740993
    assert event["parameters"]["infinite"] == "Infinity"
    assert event["level"] == "error"


def test_equal_records_of_one_request_are_several_events(server: ClientServer) -> None:
    told = record()
    told["resourceLogs"][0]["scopeLogs"][0]["logRecords"] *= 3
    for _ in range(2):
        assert server.http.post("/v1/logs", json=told).status_code == 200
    assert len({event["id"] for event in server.stored("otlp")}) == 3
    assert len(server.stored("otlp")) == 3


def test_an_exception_becomes_an_error_with_its_group(server: ClientServer, provider: LoggerProvider) -> None:
    logger = provider.get_logger("shop")
    try:
        raise ValueError("no such cart")
    except ValueError as error:
        logger.emit(body="failed", severity_number=SeverityNumber.ERROR, exception=error)
    (event,) = server.stored("otlp")
    assert event["level"] == "error"
    assert event["error_message"] == "no such cart"
    assert "ValueError: no such cart" in event["error_stack_trace"]
    assert event["error_hash"] is not None
    assert event["parameters"]["exception.type"] == "ValueError"


def test_odd_records_lose_nothing(server: ClientServer) -> None:
    told = record(timeUnixNano="soon", body={"kvlistValue": {"values": attributes(a={"intValue": "1"})}})
    told["resourceLogs"][0]["scopeLogs"][0]["logRecords"] += [
        {"body": {"kvlistValue": {"values": attributes(a={"intValue": 1})}}, "newer": {"field": 1}},
        {"attributes": attributes(**{"x" * 300: {"stringValue": "y" * 5000}}), "eventName": "e" * 300},
        "no record",
    ]
    answer = server.http.post("/v1/logs", json=told)
    assert (answer.status_code, answer.json()) == (200, {})
    strange, structured, long, text = server.stored("otlp")
    assert strange["parameters"]["record"]["timeUnixNano"] == "soon"
    assert structured["parameters"] == {"body": {"a": 1}, "newer": {"field": 1}}
    assert structured["type"] == "log"
    assert long["type"] == "e" * 200
    assert long["parameters"] == {"x" * 300: "y" * 5000, "type": "e" * 300}
    assert text["parameters"]["record"] == "no record"


def test_what_one_record_breaks_is_told_as_partial_success(server: ClientServer) -> None:
    told = record()
    records = told["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    records.append({"attributes": attributes(**{f"a{n}": {"intValue": n} for n in range(1_001)})})
    answer = server.http.post("/v1/logs", json=told)
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert "1,000 parameters" in answer.json()["partialSuccess"]["errorMessage"]
    message = service.ExportLogsServiceRequest()
    every = message.resource_logs.add().scope_logs.add().log_records
    every.add(time_unix_nano=NANOS + next(_microseconds) * 1000)
    large = every.add()
    for number in range(1_001):
        large.attributes.add(key=f"a{number}")
    packed = gzip.compress(message.SerializeToString())
    answer = server.http.post(
        "/v1/logs", content=packed,
        headers={"content-type": "application/x-protobuf", "content-encoding": "gzip"},
    )  # fmt: skip
    partial = service.ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 1
    assert len(server.stored("otlp")) == 2


def test_the_exporter_sends_again_what_a_busy_server_did_not_take(
    server: ClientServer, provider: LoggerProvider
) -> None:
    logger = provider.get_logger("shop")
    with server.busy():
        sending = threading.Thread(target=logger.emit, args=(LogRecord(timestamp=NANOS, body="patient"),))
        sending.start()
        time.sleep(0.3)
        assert sending.is_alive()
    sending.join(30)
    assert [event["description"] for event in server.stored("otlp")] == ["patient"]


@pytest.mark.parametrize("code", ["full", "unavailable", "internal"])
def test_what_may_pass_gets_a_status_that_otlp_sends_again_for(server: ClientServer, code: str) -> None:
    with server.answering(code):
        answer = server.http.post("/v1/logs", json=record())
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("The test said so.")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"resourceLogs": 1}', "application/json"),
        (b'{"resourceLogs": [1]}', "application/json"),
        (b'{"a":' + b"[" * 5000, "application/json"),
        (b"\x0a\xff", "application/x-protobuf"),
        (b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "application/x-protobuf"),
        (b"\x08\x01", "application/x-protobuf"),
        (b"\x0b", "application/x-protobuf"),
    ],
)
def test_what_is_no_otlp_is_refused_for_good(server: ClientServer, body: bytes, media_type: str) -> None:
    answer = server.http.post("/v1/logs", content=body, headers={"content-type": media_type})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == media_type
    assert server.stored("otlp") == []


def test_values_nested_without_end_are_refused(server: ClientServer) -> None:
    value = b"\x0a\x01x"
    for _ in range(400):
        value = b"\x2a" + _length(b"\x0a" + _length(value))
    body = b"\x0a" + _length(b"\x12" + _length(b"\x12" + _length(b"\x2a" + _length(value))))
    answer = server.http.post("/v1/logs", content=body, headers={"content-type": "application/x-protobuf"})
    assert answer.status_code == 400
    assert b"nested" in answer.content


def test_keys_count_as_everywhere(server: ClientServer) -> None:
    assert server.http.post("/v1/logs", json=record(), headers={"authorization": "Bearer no"}).status_code == 401
    bound = server.new_key("only-n9", "write", nodes=["n9"])
    told = record()
    told["resourceLogs"][0]["resource"] = {"attributes": attributes(host__name={"stringValue": "n1"})}
    answer = server.http.post("/v1/logs", json=told, headers={"authorization": f"Bearer {bound}"})
    assert answer.status_code == 403
    assert json.loads(answer.content)["code"] == 7


def test_the_example_of_the_docs(server: ClientServer) -> None:
    run_example("otlp", server)
    (event,) = server.stored("otlp")
    assert event["description"] == "Report 7 opened"
    assert event["user"] == "ada"


def _length(data: bytes) -> bytes:
    written, size = bytearray(), len(data)
    while size > 0x7F:
        written.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(written) + struct.pack("B", size) + data
