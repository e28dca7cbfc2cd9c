"""DSS audit data: four envelopes in, with everything they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from support.dss import APINODE, BARE, EVENT_SERVER, LOG4J, MESSAGE, decode, ids, line, log4j, one
from whodid import formats
from whodid.event import foreign_id, parameters_of


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


def test_queries_as_the_documented_layout_of_an_api_node_writes_them_are_read_together() -> None:
    layout = b'{"timestamp" : "2020/02/19-16:05:02.44%dZ", "logger": "%b", "severity" : "INFO", "message" : %b}'
    message = {"msgType": "prediction-query", "serviceId": "churn", "features": {"a": 1}}
    lines = [layout % (number, b"dku.apinode.audit.queries", line(message)) for number in range(3)]
    decoded = decode("dss-apinode", *lines)
    assert [event.topic for event in decoded.events] == ["apinode-query"] * 3
    told = {"timestamp": "2020/02/19-16:05:02.440Z", "logger": "dku.apinode.audit.queries", "severity": "INFO"}
    assert parameters_of(decoded.events[0]) == {**message, "dss": told}
    assert len(decoded.parts) == 1


@pytest.mark.parametrize(
    ("name", "told"), [("dss-log4j", LOG4J), ("dss-event-server", EVENT_SERVER), ("dss-apinode", APINODE)]
)
def test_lines_that_python_wrote_again_are_read_together(name: str, told: dict[str, Any]) -> None:
    rewritten = decode(name, *(json.dumps({"number": number, **told}).encode() for number in range(3)))
    compact = decode(name, *(line({"number": number, **told}) for number in range(3)))
    assert list(map(parameters_of, rewritten.events)) == list(map(parameters_of, compact.events))
    assert (len(rewritten.parts), len(compact.parts)) == (1, 1)


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


def test_a_dss_field_of_an_event_without_an_envelope_is_none() -> None:
    forged = {"dss": {"mdc": {"user": "root"}, "topic": "authfail", "severity": "ERROR"}}
    event = one(line({**BARE, **forged}), "dss-bare")
    parameters = parameters_of(event)
    assert parameters == {**BARE, **forged, "event.dss": {}}
    written = json.loads(formats.encoder("dss-log4j").encode([event], ["dss-bare"]))
    assert written["message"] == {**BARE, **forged}
    assert (written["severity"], written["topic"], written["mdc"]) == ("INFO", event.topic, {"user": event.user})


@pytest.mark.parametrize(("told", "duration_ms"), [(15, 15), (15.0, 15), (0.5, 0.5), (-1, None), (1e300, None)])
def test_the_time_of_a_call_is_any_number(told: float, duration_ms: float | None) -> None:
    assert one(line(LOG4J | {"callTime": told})).duration_ms == duration_ms


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


@pytest.mark.parametrize("told", [{"projectKey": ""}, {"projectKey": None}, {"projectKey": "", "datasetName": "a"}])
def test_a_project_without_a_name_is_that_of_the_program(told: dict[str, Any]) -> None:
    event = one(log4j({"msgType": "dataset-read-data", "authVia": ["scenario=PROJ.SCEN"], **told}))
    assert ids(event)[-1] == ("project", "PROJ")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"datasetName": "OTHER.orders"}, ("dataset", "OTHER.orders")),
        ({"dataset": "OTHER.orders"}, ("dataset", "OTHER.orders")),
        ({"datasetName": "SALES.orders"}, ("dataset", "SALES.orders")),
        ({"datasetName": "orders"}, ("dataset", "SALES.orders")),
        ({"datasetName": "or.de.rs"}, ("dataset", "SALES.or.de.rs")),
        ({"managedFolderId": "OTHER.f1"}, ("folder", "OTHER.f1")),
        ({"savedModelId": "OTHER.m1"}, ("model", "OTHER.m1")),
        ({"jobId": "Build_a_2020-02-19T16-05-02.441"}, ("job", "SALES.Build_a_2020-02-19T16-05-02.441")),
        ({"notebookName": "My notes. Again"}, ("notebook", "SALES.My notes. Again")),
    ],
)
def test_what_is_named_with_another_project_is_of_that_project(told: dict[str, Any], expected: tuple[str, str]) -> None:
    event = one(log4j({"msgType": "x", "projectKey": "SALES", **told}))
    assert ids(event) == [expected, ("project", "SALES")]


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
        ({"msgType": "x"}, {"logger": "dku.apinode.audit.queries"}, "apinode-query", "usage", None),
        ({"msgType": "x"}, {"logger": "dku.apinode.audit.auth"}, "authfail", "audit", "denied"),
        ({"msgType": "x"}, {"logger": "dku.apinode.audit.admin"}, "generic", "audit", None),
        ({"msgType": "x"}, {"logger": "dku.apinode.audit.allcalls"}, "apicalls", "usage", None),
        ({"msgType": "prediction-query"}, {"logger": "dku.audit.generic"}, "apinode-query", "usage", None),
        ({"msgType": "prediction-query"}, {"topic": "generic"}, "generic", "usage", None),
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
