"""DSS audit data: four envelopes in, with everything they say; two of them out, as their readers expect them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from xxhash import xxh3_128_digest

from whodid import formats
from whodid.errors import WhodidError
from whodid.event import Event, content_id, foreign_id, new_id, parameters_of
from whodid.formats.base import Decoded
from whodid.formats.repeats import WINDOW_LINES
from whodid.formats.strict import strict_events

MESSAGE = {"msgType": "dataset-read-data", "authUser": "ann", "projectKey": "SALES", "datasetName": "orders"}
LOG4J = {
    "severity": "INFO",
    "logger": "dku.audit.generic",
    "message": MESSAGE,
    "mdc": {"apiCall": "/api/datasets", "user": "ann"},
    "callTime": 9,
    "timestamp": "2020-02-19T16:05:02.441+0100",
}
EVENT_SERVER = {
    "clientEvent": {**MESSAGE, "auditTopic": "generic"},
    "origAddress": "127.0.0.1",
    "serverTimestamp": "2020-03-17T19:15:30.609+0100",
}
APINODE = {
    "timestamp": "2020/02/19-16:05:02.441Z",
    "logger": "dku.audit.apinode-query",
    "severity": "INFO",
    "message": {"msgType": "prediction-query", "features": {"a": 1.5}, "result": [{"p": 0.2}], "context": {"who": "x"}},
}
BARE = {**MESSAGE, "timestamp": "2020-02-19T15:05:02.441Z"}


def line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def log4j(message: dict[str, Any] | None = None, **envelope: Any) -> bytes:
    return line({**LOG4J, "message": MESSAGE if message is None else message, **envelope})


def decode(name: str, *lines: bytes) -> Decoded:
    decoded = formats.decoder(name).decode(b"\n".join(lines) + b"\n")
    check(decoded)
    return decoded


def check(decoded: Decoded) -> None:
    """What a journal asks of every payload."""
    assert b"\n" not in decoded.payload
    assert strict_events(decoded.payload) == decoded.events
    assert decoded.count == len(decoded.events)
    times = [event.time for event in decoded.events]
    if times:
        assert sum(decoded.span.topics.values()) == decoded.count
        assert abs((min(times) - decoded.span.first).total_seconds()) < 0.001  # type: ignore[operator]
        assert abs((max(times) - decoded.span.last).total_seconds()) < 0.001  # type: ignore[operator]
        assert decoded.span.hours == {time.timestamp() // 3600 for time in times}


def one(raw: bytes, name: str = "dss-log4j") -> Event:
    decoded = decode(name, raw)
    assert not decoded.rejects, decoded.rejects
    assert decoded.count == 1
    return decoded.events[0]


def ids(event: Event) -> list[tuple[str, str]]:
    return [(entity.type, entity.id) for entity in event.entities]


def test_envelope_a() -> None:
    event = one(line(LOG4J))
    assert event.time == datetime(2020, 2, 19, 15, 5, 2, 441000, tzinfo=UTC)
    assert (event.type, event.level, event.topic, event.source) == ("dataset-read-data", "audit", "generic", "server")
    assert (event.user, event.function, event.duration_ms) == ("ann", "/api/datasets", 9)
    assert ids(event) == [("dataset", "SALES.orders"), ("project", "SALES")]
    assert parameters_of(event) == {**MESSAGE, "dss": {name: LOG4J[name] for name in LOG4J if name != "message"}}


def test_envelope_b() -> None:
    event = one(line(EVENT_SERVER), "dss-event-server")
    assert event.time == datetime(2020, 3, 17, 18, 15, 30, 609000, tzinfo=UTC)
    assert (event.type, event.topic, event.user, event.duration_ms) == ("dataset-read-data", "generic", "ann", None)
    told = {"origAddress": "127.0.0.1", "serverTimestamp": "2020-03-17T19:15:30.609+0100"}
    assert parameters_of(event)["dss"] == told


def test_envelope_c() -> None:
    event = one(line(APINODE), "dss-apinode")
    assert event.time == datetime(2020, 2, 19, 16, 5, 2, 441000, tzinfo=UTC)
    assert (event.type, event.level, event.topic) == ("prediction-query", "usage", "apinode-query")
    assert parameters_of(event)["features"] == {"a": 1.5}
    assert parameters_of(event)["context"] == {"who": "x"}


def test_envelope_d() -> None:
    event = one(line(BARE), "dss-bare")
    assert event.time == datetime(2020, 2, 19, 15, 5, 2, 441000, tzinfo=UTC)
    assert bytes(event.parameters) == line(BARE)


@pytest.mark.parametrize("where", ["first", "last", "last after a blank", "alone"])
def test_the_message_is_cut_out_wherever_it_stands(where: str) -> None:
    rest = {name: value for name, value in LOG4J.items() if name != "message"}
    told = {"message": MESSAGE, **rest} if where == "first" else {**rest, "message": MESSAGE}
    if where == "alone":
        told = {"message": {**MESSAGE, "timestamp": "2020-02-19T15:05:02.441Z"}}
    raw = line(told)
    if "blank" in where:
        raw = raw.replace(b',"message"', b', "message"')
    parameters = parameters_of(one(raw))
    assert parameters.pop("dss") == {name: value for name, value in told.items() if name != "message"}
    assert parameters == told["message"]


def test_a_key_message_elsewhere_does_not_mislead() -> None:
    told = {"mdc": {"message": {"x": 1}, "user": "bob"}, "message": MESSAGE, "timestamp": LOG4J["timestamp"]}
    event = one(line(told))
    assert parameters_of(event) == {**MESSAGE, "dss": {"mdc": told["mdc"], "timestamp": told["timestamp"]}}
    assert event.user == "ann"


def test_a_dss_field_of_the_message_is_kept() -> None:
    parameters = parameters_of(one(log4j({**MESSAGE, "dss": 7})))
    assert parameters["dss"] == 7
    assert parameters["event.dss"]["callTime"] == 9


def test_blanks_between_tokens_are_read() -> None:
    for raw in (json.dumps(LOG4J).encode(), line(LOG4J).replace(b",", b"\r,\t"), line(LOG4J).replace(b"}", b"} ")):
        event = one(raw)
        assert parameters_of(event)["dss"]["callTime"] == 9
        assert event.user == "ann"


def test_another_envelope_in_a_file_is_read_as_what_it_is() -> None:
    decoded = decode("dss-log4j", line(LOG4J), line(EVENT_SERVER), line(BARE), line(LOG4J | {"callTime": 1}))
    assert [event.user for event in decoded.events] == ["ann"] * 4
    assert not decoded.rejects


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("2020-02-19T16:05:02.441+0000", "2020-02-19T16:05:02.441"),
        ("2020-02-19T16:05:02.441+0530", "2020-02-19T10:35:02.441"),
        ("2020-02-19T16:05:02.441-0800", "2020-02-20T00:05:02.441"),
        ("2020-02-19T16:05:02.441+01:00", "2020-02-19T15:05:02.441"),
        ("2020-02-19T16:05:02.441Z", "2020-02-19T16:05:02.441"),
        ("2020-02-19T16:05:02Z", "2020-02-19T16:05:02"),
        (1582128302441, "2020-02-19T16:05:02.441"),
        (1582128302, "2020-02-19T16:05:02"),
    ],
)
def test_timestamps_with_any_offset(told: object, read: str) -> None:
    assert one(log4j(timestamp=told)).time == datetime.fromisoformat(read + "+00:00")


@pytest.mark.parametrize(
    ("message", "mdc", "user"),
    [
        ({"login": "l", "user": "u", "authUser": "a"}, "m", "l"),
        ({"user": "u", "authUser": "a"}, "m", "u"),
        ({"authUser": "a"}, "m", "a"),
        ({}, "m", "m"),
        ({"login": "", "authUser": "api:key1"}, "m", "api:key1"),
        ({"user": {"login": "deep"}, "authUser": "a"}, "m", "a"),
    ],
)
def test_who_did_it(message: dict[str, Any], mdc: str, user: str) -> None:
    assert one(log4j({"msgType": "x", **message}, mdc={"user": mdc})).user == user


@pytest.mark.parametrize(
    ("via", "expected", "project", "acting_for"),
    [
        (["scenario=PROJ.SCEN trigger=t"], "scenario:PROJ.SCEN", "PROJ", "ann"),
        ("ticket:python_trigger:PROJ.check", "trigger:PROJ.check", "PROJ", "ann"),
        (["ticket:Standard webapp backend: PROJ.app1"], "webapp:PROJ.app1", "PROJ", "ann"),
        (["ticket:Standard webapp backend: PROJ.app1,bob"], "webapp:PROJ.app1", "PROJ", "bob"),
        (["ticket:jupyter:PROJ.My notebook"], "notebook:PROJ.My notebook", "PROJ", "ann"),
        (["ticket:job:PROJ_1.abc"], "job:PROJ_1.abc", "PROJ_1", "ann"),
        (["ticket:plugin_ui_setup:"], "plugin:", None, "ann"),
        (["something new"], "something new", None, "ann"),
        (["odd", "scenario=P.S"], "scenario:P.S", "P", "ann"),
        ([], None, None, None),
        ({"odd": 1}, None, None, None),
    ],
)
def test_programs_that_act_for_people(
    via: Any, expected: str | None, project: str | None, acting_for: str | None
) -> None:
    event = one(log4j({"msgType": "dataset-read-data", "authUser": "ann", "authVia": via}))
    assert (event.via, event.acting_for) == (expected, acting_for)
    assert ids(event) == ([("project", project)] if project else [])
    assert parameters_of(event)["authVia"] == via


def test_an_api_key_acts_for_nobody() -> None:
    event = one(log4j({"msgType": "x", "authUser": "api:k", "authVia": ["scenario=P.S"]}))
    assert (event.user, event.acting_for) == ("api:k", None)


@pytest.mark.parametrize(
    ("message", "envelope", "topic", "level", "status"),
    [
        ({"msgType": "flow-object-build-failed"}, {}, "generic", "audit", "failed"),
        ({"msgType": "flow-object-build-success", "status": "OK"}, {}, "generic", "audit", "OK"),
        ({"msgType": "x", "auditTopic": "authfail"}, {}, "authfail", "audit", "denied"),
        ({"msgType": "x"}, {"topic": "generic-failure"}, "generic-failure", "error", "failed"),
        ({"msgType": "x"}, {"logger": "dku.audit.apicalls"}, "apicalls", "usage", None),
        ({"msgType": "login-failure"}, {"logger": None}, "authfail", "audit", "failed"),
        ({"msgType": "x"}, {"logger": "other"}, "other", "audit", None),
    ],
)
def test_topic_level_and_status(
    message: dict[str, Any], envelope: dict[str, Any], topic: str, level: str, status: str | None
) -> None:
    event = one(log4j(message, **envelope))
    if message["msgType"] == "login-failure":
        status = "denied"
    assert (event.topic, event.level, event.status) == (topic, level, status)


def test_types_missing_custom_and_odd() -> None:
    assert one(log4j({"authUser": "a"})).type == "apicall"
    custom = {"msgType": "custom", "customMsgType": "report-sent", "customMsgParams": {"n": 1}}
    assert one(log4j(custom)).type == "report-sent"
    assert one(log4j({"msgType": "undefined"})).type == "undefined"
    assert one(log4j({"msgType": 7})).type == "7"


def test_an_event_says_where_it_came_from_and_what_went_wrong() -> None:
    trace = "java.lang.Error: x\n\tat a.B.c(B.java:1)"
    told = {"msgType": "x", "dssNodeId": "n1", "sessionId": "s1", "requestId": "r1", "endpointId": "predict"}
    event = one(log4j(told | {"errorMessage": "x", "errorStackTrace": trace}))
    assert (event.node, event.session, event.request_id) == ("n1", foreign_id("s1"), "r1")
    assert (event.function, event.duration_ms) == ("predict", 9)
    assert (event.error_message, event.error_stack_trace) == ("x", trace)
    assert event.error_hash


def test_compute_usage_is_filed_by_its_context() -> None:
    usage = {
        "id": "u1",
        "type": "LOCAL_PROCESS",
        "context": {"type": "JOB_ACTIVITY", "projectKey": "P", "authIdentifier": "ann", "jobId": "J1"},
        "startTime": 1582128302441,
        "localProcess": {"pid": 1, "cpuTotalMS": 12, "vmRSSTotalMBS": 1.5},
    }
    message = {"msgType": "compute-resource-usage-start", "computeResourceUsage": usage}
    event = one(log4j(message, logger="dku.audit.compute-resource-usage"))
    assert (event.user, event.via, event.topic, event.level) == ("ann", "job:P.J1", "compute-resource-usage", "usage")
    assert ids(event) == [("job", "P.J1"), ("project", "P")]
    assert parameters_of(event)["computeResourceUsage"] == usage
    assert one(line(message), "dss-bare").time == datetime(2020, 2, 19, 16, 5, 2, 441000, tzinfo=UTC)
    odd = {"msgType": "compute-resource-usage-start", "computeResourceUsage": {"context": 5}, "projectKey": ["a"]}
    assert parameters_of(one(log4j(odd)))["computeResourceUsage"] == {"context": 5}


def test_lines_of_all_kinds_read_together_are_what_they_are_alone() -> None:
    usual = [log4j({**MESSAGE, "rows": rows}) for rows in range(20)]
    others = [
        log4j({**MESSAGE, "status": "failed", "dssNodeId": "design-1", "requestId": "r-1"}),
        log4j({**MESSAGE, "endpointId": "score", "error": "no such model"}, callTime=-1),
        log4j({**MESSAGE, "datasetName": "CRM.contacts"}),
        log4j({**MESSAGE, "datasetName": ""}),
        log4j({**MESSAGE, "recipeName": "compute_orders", "jobId": "job-7"}),
        log4j({"msgType": "project-open", "projectKey": "SALES"}),
        log4j({"msgType": "dataset-read-data", "datasetName": "orders"}),
        log4j({"msgType": "scenario-run", "authVia": ["scenario=SALES.nightly"]}, mdc=None),
        log4j({"msgType": "login"}, callTime="9", logger=None),
        log4j({"computeResourceUsage": {"context": {"projectKey": "SALES", "jobId": "j1"}}}),
        *(log4j(timestamp=told) for told in ("2020-02-19T16:05:02.441+0530", "2020-02-19 16:05:02Z", 1582128302441)),
    ]
    together = [line for pair in zip(usual, others, strict=False) for line in pair]
    assert decode("dss-log4j", *together).events == [decode("dss-log4j", line).events[0] for line in together]


def test_ids_come_from_time_and_content() -> None:
    raw = line(LOG4J)
    assert one(raw).id == content_id(1582124702441, xxh3_128_digest(raw))
    assert one(raw).id == one(raw + b"\r").id
    assert one(raw).id != one(log4j(callTime=10)).id


def test_equal_lines_are_events_of_their_own_and_the_same_again_in_the_same_file() -> None:
    other = log4j(callTime=1)
    lines = [line(LOG4J), other, line(LOG4J), line(LOG4J), log4j(callTime=2)]
    once = [event.id for event in decode("dss-log4j", *lines).events]
    assert len(set(once)) == 5
    assert once == [event.id for event in decode("dss-log4j", *lines).events]


def test_how_a_file_is_cut_into_runs_does_not_change_its_ids() -> None:
    lines = [log4j(callTime=number % 90) for number in range(700)]
    whole = [event.id for event in decode("dss-log4j", *lines).events]
    assert len(set(whole)) == 700
    for step in (1, 7, 256):
        found: list[str] = []
        state = b""
        for start in range(0, len(lines), step):
            decoder = formats.decoder("dss-log4j")
            decoder.restore(state)
            found += [event.id for event in decoder.decode(b"\n".join(lines[start : start + step])).events]
            state = decoder.state()
            assert len(state) <= 20 * WINDOW_LINES
        assert found == whole


BAD = [
    (b"nothing", "not_json"),
    (line(LOG4J)[:-20], "not_json"),
    (line(LOG4J).replace(b":9,", b":NaN,"), "not_json"),
    (b"[1]", "not_an_event"),
    (b'"text"', "not_an_event"),
    (log4j(message="just text"), "not_an_event"),  # type: ignore[arg-type]
    (log4j(message=[1]), "not_an_event"),  # type: ignore[arg-type]
    (log4j(timestamp=None), "bad_time"),
    (log4j(timestamp="2020-02-19T16:05:02.441"), "bad_time"),
    (log4j(timestamp="9999-12-31T23:59:59.999+0000"), "bad_time"),
    (log4j(timestamp="1601-01-01T00:00:00.000+0000"), "bad_time"),
    (log4j(timestamp="2020-02-30T16:05:02.441+0000"), "bad_time"),
    (log4j(timestamp="2020-02-19T16:05:99.441+0000"), "bad_time"),
    (log4j(timestamp="2020-02-19T16:05:02.x41+0000"), "bad_time"),
    (line({"msgType": "x"}), "bad_time"),
    (b"[" * 5000, "too_deep"),
    (line(LOG4J)[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
    (log4j({"msgType": "x", "t": "x" * 1024 * 1024}), "too_large"),
    (log4j({"msgType": "x"} | {f"p{number}": 1 for number in range(1001)}), "too_many"),
]


@pytest.mark.parametrize(("bad", "code"), BAD, ids=[f"{code}-{number}" for number, (_, code) in enumerate(BAD)])
def test_a_bad_line_rejects_itself_and_not_its_neighbours(bad: bytes, code: str) -> None:
    decoder = formats.decoder("dss-log4j")
    decoded = decoder.decode(b"\n\n".join([log4j(callTime=1), bad, log4j(callTime=2)]), first_line=21)
    check(decoded)
    assert [event.duration_ms for event in decoded.events] == [1, 2]
    (reject,) = decoded.rejects
    assert (reject.index, reject.line, reject.code, reject.raw_size_bytes) == (1, 23, code, len(bad))


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        (log4j({"msgType": "x", "f": "caf@"}).replace(b"@", b"\xe9"), "f", "caf\\xe9"),
        (log4j({"msgType": "x", "f": "@"}).replace(b"@", rb"\ud83d"), "f", "\\ud83d"),
        (log4j({"msgType": "x", "f": "@"}).replace(b"@", rb"\u0000"), "f", "␀"),
        (log4j({"msgType": "x", "f": "@"}).replace(b'"@"', b"1e99999"), "f", "1e99999"),
        (log4j({"msgType": "x", "f": 2**70}), "f", 2**70),
        (log4j({"msgType": "x", "f": "@"}).replace(b'"f"', b'"f":1,"f"'), "f", "@"),
        (log4j({"msgType": "x", "f": "ünï"}), "f", "ünï"),
        (log4j({"msgType": "x", "datasetName": {"a": 1}, "callPath": [1]}), "datasetName", {"a": 1}),
    ],
)
def test_odd_lines_are_read_without_loss(raw: bytes, name: str, value: object) -> None:
    event = one(raw)
    assert parameters_of(event)[name] == value
    assert (event.type, event.function, event.duration_ms) == ("x", "/api/datasets", 9)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert one(b"\xef\xbb\xbf" + line(LOG4J)).user == "ann"


@pytest.mark.parametrize(("name", "told"), [("dss-log4j", LOG4J), ("dss-event-server", EVENT_SERVER)])
def test_what_was_read_is_written_back(name: str, told: dict[str, Any]) -> None:
    raw = line({**told, "extra": {"kept": [1.50]}})
    written = formats.encoder(name).encode([one(raw, name)])
    assert written.endswith(b"\n")
    assert b": " not in written
    again = json.loads(written)
    expected = json.loads(raw)
    stamp = "serverTimestamp" if "serverTimestamp" in told else "timestamp"
    assert again.pop(stamp) == expected.pop(stamp).replace("T16:", "T15:").replace("T19:", "T18:").replace("+01", "+00")
    assert again.pop("topic", "generic") == "generic"
    assert again == expected


def test_written_and_read_again_an_event_says_the_same() -> None:
    event = one(log4j({**MESSAGE, "authVia": ["scenario=P.S"], "x": {"y": [1]}}, severity="WARN"))
    for name in ("dss-log4j", "dss-event-server"):
        again = one(formats.encoder(name).encode([event]).rstrip(), name)
        for field in ("time", "type", "level", "topic", "user", "via", "acting_for", "entities", "function"):
            if name == "dss-log4j" or field != "level":
                assert getattr(again, field) == getattr(event, field), field
        before, after = parameters_of(event), parameters_of(again)
        assert {key: after[key] for key in before if key != "dss"} == {k: v for k, v in before.items() if k != "dss"}


def test_events_from_elsewhere_are_written_in_dss_words() -> None:
    raw: dict[str, Any] = {
        "id": new_id(),
        "time": "2026-05-01T10:00:00.1239Z",
        "type": "query-start",
        "user": "ann",
        "level": "error",
    }
    raw |= {
        "function": "f",
        "duration_ms": 12.4,
        "entities": [{"type": "project", "id": "P"}, {"type": "query", "id": "Q"}],
    }
    (event,) = formats.decoder("native").decode(line(raw | {"parameters": {"rows": 3}})).events
    told = json.loads(formats.encoder("dss-log4j").encode([event]))
    assert list(told) == ["severity", "logger", "topic", "message", "mdc", "callTime", "timestamp"]
    assert (told["severity"], told["logger"], told["topic"]) == ("ERROR", "dku.audit.generic", "generic")
    assert told["mdc"] == {"apiCall": "f", "user": "ann"}
    assert (told["callTime"], told["timestamp"]) == (12, "2026-05-01T10:00:00.123+0000")
    message = told["message"]
    assert (message["msgType"], message["authUser"], message["projectKey"]) == ("query-start", "ann", "P")
    assert (message["queryId"], message["rows"]) == ("Q", 3)
    told = json.loads(formats.encoder("dss-event-server").encode([event]))
    assert list(told) == ["clientEvent", "origAddress", "serverTimestamp"]
    assert told["clientEvent"]["auditTopic"] == "generic"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (line(LOG4J), "dss-log4j"),
        (b"garbage\n" + line(LOG4J) + b"\n{", "dss-log4j"),
        (b"\xef\xbb\xbf" + line(EVENT_SERVER), "dss-event-server"),
        (line(APINODE), "dss-apinode"),
        (line(BARE), "dss-bare"),
        (b'{"type":"login"}', "native"),
        (b'{"id":"1","time":"2026-05-01T10:00:00Z","type":"login"', None),
        (b"", None),
        (b"a,b\n1,2", None),
    ],
)
def test_formats_are_known_by_their_lines(head: bytes, name: str | None) -> None:
    if name is None:
        with pytest.raises(WhodidError, match="--format"):
            formats.sniff(head)
    else:
        assert formats.sniff(head) == name


def test_formats_are_known_by_their_files_where_lines_tell_nothing() -> None:
    assert formats.sniff(b"{}", "/run/audit/audit.log.3.gz") == "dss-log4j"
    assert formats.sniff(b"", "queries.log") == "dss-apinode"


def test_what_cannot_be_written_says_what_can() -> None:
    with pytest.raises(WhodidError, match="only read") as caught:
        formats.encoder("dss-bare")
    assert "dss-log4j" in (caught.value.hint or "")
    with pytest.raises(WhodidError, match="no format"):
        formats.decoder("xml")
