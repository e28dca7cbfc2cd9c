"""Lines of a DSS audit in their four envelopes, and what decoding them gives."""

from __future__ import annotations

import json
from typing import Any

from whodid import formats
from whodid.event import Event
from whodid.formats.base import Decoded
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
