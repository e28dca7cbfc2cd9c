"""An event as an OpenTelemetry log record.

==========================================  ====================================================================
of the event                                becomes
==========================================  ====================================================================
`type`                                      eventName
`time`, `received_at`                       timeUnixNano, observedTimeUnixNano (exact, where a parameter has them)
`level`                                     severityNumber and severityText, unless parameters have them; `whodid.level`
`description`, else the parameter `body`    body
`request_id` of 32 hex digits, parameters   traceId, spanId, flags
`trace_id`, `span_id`, `trace_flags`
`id`, `user`, `session`, `function`         attributes `log.record.uid`, `user.name`, `session.id`, `code.function.name`
`error_message`, `error_stack_trace`        attributes `exception.message`, `exception.stacktrace`
`orig_address`                              attribute `client.address`
`node`, `node_type`                         resource `host.name`, `service.name`
parameters `resource`, `scope`              resource, scope (as they came in over OTLP)
every other field                           attribute `whodid.FIELD`
every other parameter                       the attribute of its name; `whodid.parameters.NAME` where that is taken
==========================================  ====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from whodid.event import Event, Provenance, parameters_of
from whodid.targets.base import Offered

# OpenTelemetry's numbers; a level says more than a severity, so it goes along as well.
SEVERITIES: Final = {"debug": 5, "usage": 9, "info": 9, "audit": 9, "warning": 13, "error": 17}

ATTRIBUTES: Final = {
    "id": "log.record.uid",
    "user": "user.name",
    "session": "session.id",
    "function": "code.function.name",
    "error_message": "exception.message",
    "error_stack_trace": "exception.stacktrace",
    "orig_address": "client.address",
}
_ELSEWHERE: Final = frozenset({"time", "type", "description", "parameters", "node", "node_type", "received_at"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_SPAN: Final = re.compile(r"[0-9a-f]{16}")

Attributes = dict[str, Any]


class Record(NamedTuple):
    """A log record; ids are lower-case hex or empty."""

    time_ns: int
    observed_ns: int
    severity_number: int
    severity_text: str
    event_name: str
    body: Any
    attributes: Attributes
    trace_id: str
    span_id: str
    flags: int


class Around(NamedTuple):
    """What records have in common: attributes of their resource; name, version and attributes of their scope."""

    resource: Attributes
    scope_name: str
    scope_version: str
    scope: Attributes


def described(offered: Offered, line: bytes | None) -> tuple[Record, Around]:
    """The record of an event, and what it belongs to. With `line` that text is the body, and only ids go beside it."""
    event, provenance = offered.event, offered.provenance
    parameters = parameters_of(event) if line is None else {}
    around = _around(event, parameters)
    trace_id = _hex(parameters, "trace_id", _TRACE) or (event.request_id or "" if _is_trace(event.request_id) else "")
    record = Record(
        time_ns=_exact(parameters, "time_unix_nano", event.time),
        observed_ns=_exact(parameters, "observed_time_unix_nano", provenance.received_at),
        span_id=_hex(parameters, "span_id", _SPAN),
        trace_id=trace_id,
        flags=_whole(parameters, "trace_flags", 2**32),
        severity_number=_whole(parameters, "severity_number", 25) or SEVERITIES[event.level],
        severity_text=_text(parameters, "severity_text") or event.level,
        event_name=event.type,
        body=line.decode() if line is not None else event.description or parameters.pop("body", None),
        attributes=_fields(offered, provenance, trace_id) if line is None else {ATTRIBUTES["id"]: event.id},
    )
    for name, value in parameters.items():
        record.attributes[name if name not in record.attributes else f"whodid.parameters.{name}"] = value
    return record, around


def _fields(offered: Offered, provenance: Provenance, trace_id: str) -> Attributes:
    event = offered.event
    told = {name: getattr(event, name) for name in event.__struct_fields__ if name not in _ELSEWHERE}
    told |= {name: getattr(provenance, name) for name in provenance.__struct_fields__ if name not in _ELSEWHERE}
    told |= {"entities": msgspec.to_builtins(event.entities) or None, "seq": offered.seq}
    if trace_id and told["request_id"] == trace_id:
        del told["request_id"]
    return {ATTRIBUTES.get(name, f"whodid.{name}"): value for name, value in told.items() if value is not None}


def _around(event: Event, parameters: Attributes) -> Around:
    resource = _object(parameters, "resource")
    scope = _object(parameters, "scope")
    for name, value in (("service.name", event.node_type), ("host.name", event.node)):
        if value is not None:
            resource.setdefault(name, value)
    resource.setdefault("service.name", "whodid")
    name, version = (str(scope.pop(key, "") or "") for key in ("name", "version"))
    return Around(resource, name or "whodid", version, scope)


def _object(parameters: Attributes, name: str) -> Attributes:
    value = parameters.get(name)
    return dict(parameters.pop(name)) if isinstance(value, Mapping) else {}


def _exact(parameters: Attributes, name: str, at: datetime) -> int:
    """Nanoseconds since 1970 of a time: as a parameter tells it, if that is the same microsecond."""
    microseconds = (at - _EPOCH) // _MICROSECOND
    told = str(parameters.get(name, ""))
    # Longer digits are no time, and int() refuses very long ones.
    if told.isdecimal() and len(told) < 20 and int(told) // 1_000 == microseconds:
        del parameters[name]
        return int(told)
    return microseconds * 1_000


def _hex(parameters: Attributes, name: str, form: re.Pattern[str]) -> str:
    value = parameters.get(name)
    if isinstance(value, str) and form.fullmatch(value.lower()) and value.strip("0"):
        return str(parameters.pop(name)).lower()
    return ""


def _is_trace(request_id: str | None) -> bool:
    return request_id is not None and _TRACE.fullmatch(request_id) is not None and bool(request_id.strip("0"))


def _whole(parameters: Attributes, name: str, below: int) -> int:
    value = parameters.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < below:
        return int(parameters.pop(name))
    return 0


def _text(parameters: Attributes, name: str) -> str:
    return str(parameters.pop(name)) if isinstance(parameters.get(name), str) else ""
