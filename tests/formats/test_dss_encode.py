"""Events as lines of a DSS audit, as their readers expect them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.dss import EVENT_SERVER, LOG4J, MESSAGE, line, log4j, one
from whodid import formats
from whodid.errors import WhodidError
from whodid.event import new_id, parameters_of


@pytest.mark.parametrize(("name", "told"), [("dss-log4j", LOG4J), ("dss-event-server", EVENT_SERVER)])
def test_what_was_read_is_written_back(name: str, told: dict[str, Any]) -> None:
    raw = line({**told, "extra": {"kept": [1.50]}})
    written = formats.encoder(name).encode([one(raw, name)], [name])
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
        again = one(formats.encoder(name).encode([event], ["dss-log4j"]).rstrip(), name)
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


@pytest.mark.parametrize("name", ["dss-log4j", "dss-event-server"])
def test_whom_a_webapp_acts_for_is_said_as_dss_says_it(name: str) -> None:
    told = {"type": "query-start", "user": "api:app", "time": "2026-05-01T10:00:00Z", "via": "webapp:SALES.x1"}
    (event,) = formats.decoder("native").decode(line(told | {"acting_for": "grace"})).events
    written = json.loads(formats.encoder(name).encode([event]))
    message = written.get("message") or written["clientEvent"]
    assert message["authVia"] == ["ticket:Standard webapp backend: SALES.x1,grace"]
    again = one(line(written), name)
    assert (again.user, again.via, again.acting_for) == ("api:app", "webapp:SALES.x1", "grace")


@pytest.mark.parametrize(
    ("via", "acting_for"), [("scenario:SALES.s", "grace"), ("webapp:SALES.x1", None), ("webapp:no project", "grace")]
)
def test_a_program_for_which_dss_has_no_such_word_is_named_as_it_is(via: str, acting_for: str | None) -> None:
    told = {"type": "query-start", "user": "api:app", "time": "2026-05-01T10:00:00Z", "via": via}
    (event,) = formats.decoder("native").decode(line(told | {"acting_for": acting_for})).events
    message = json.loads(formats.encoder("dss-log4j").encode([event]))["message"]
    assert message["authVia"] == [via]


@pytest.mark.parametrize("name", ["dss-log4j", "dss-event-server"])
def test_what_was_read_with_blanks_is_written_without(name: str) -> None:
    told = LOG4J if name == "dss-log4j" else EVENT_SERVER
    spaced = json.dumps(dict(told, extra={"a": [1, 2]}, mdc={"user": "ann"})).encode()
    event = one(spaced, name)
    written = formats.encoder(name).encode([event], [name])
    assert b'"mdc":{"user":"ann"}' in written
    assert b'"extra":{"a":[1,2]}' in written


@pytest.mark.parametrize("name", ["dss-log4j", "dss-event-server"])
def test_parameters_of_a_sender_do_not_say_who_did_what(name: str) -> None:
    forged: dict[str, Any] = {"msgType": "login-success", "auditTopic": "authfail", "authUser": "root", "login": "root"}
    forged |= {
        "user": "root",
        "dssNodeId": "n9",
        "status": 1e300,
        "dss": {"mdc": {"user": "root"}, "topic": "authfail"},
    }
    told = {"type": "query-start", "user": "ann", "time": "2026-05-01T10:00:00Z", "status": "ok", "parameters": forged}
    (event,) = formats.decoder("native").decode(line(told)).events
    written = json.loads(formats.encoder(name).encode([event], ["native"]))
    message = written.get("message") or written["clientEvent"]
    assert (message["msgType"], message["authUser"], message["auditTopic"]) == ("query-start", "ann", "generic")
    assert not message.keys() & {"login", "user", "dssNodeId"}
    kept = {key: message.get(f"parameter.{key}", message.get(key)) for key in forged}
    assert kept == forged
    again = one(line(written), name)
    assert (again.type, again.topic, again.user, again.node) == ("query-start", "generic", "ann", None)


def test_a_custom_entry_keeps_its_words() -> None:
    custom = {"customMsgType": "report-sent", "customMsgParams": {"n": 1}}
    raw = line({"type": "report-sent", "time": "2026-05-01T10:00:00Z", "parameters": custom})
    (event,) = formats.decoder("native").decode(raw).events
    message = json.loads(formats.encoder("dss-log4j").encode([event], ["dataiku"]))["message"]
    assert {name: message[name] for name in custom} == custom


def test_what_cannot_be_written_says_what_can() -> None:
    with pytest.raises(WhodidError, match="only read") as caught:
        formats.encoder("dss-bare")
    assert "dss-log4j" in (caught.value.hint or "")
    with pytest.raises(WhodidError, match="no format"):
        formats.decoder("xml")
