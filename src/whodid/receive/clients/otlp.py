"""OpenTelemetry logs over OTLP/HTTP: `POST /v1/logs`, protobuf or JSON.

========================================  ==================================================================
told                                      becomes
========================================  ==================================================================
`eventName`, attribute `event.name`       type (else `log`)
`severityNumber`, `severityText`          level (also kept as parameters)
`body`                                    description if it is text, else the parameter `body`
`traceId`, `spanId`                       request_id, the parameter `span_id`
attributes `user.*`, `enduser.id`         user; `session.id` → session; `exception.*` → the error
resource `service.name`, `host.name`      node_type, node (also in the parameter `resource`)
every other attribute                     the parameter of its name
resource, scope                           the parameters `resource`, `scope`
========================================  ==================================================================

A record has no id; it gets one of its content, so that a batch that is sent again changes nothing. Nanoseconds below
the microsecond stay in the parameter `time_unix_nano`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from whodid.errors import WhodidError
from whodid.formats.text import storable_numbers
from whodid.receive.clients import protobuf
from whodid.receive.clients.base import Answer, Outcome, Request, Route, Taken
from whodid.receive.clients.native import (
    Fields,
    Identities,
    check_count,
    decoded_of,
    event_text,
    join,
    json_text,
    level_of,
    time_of_nanos,
    uuid_of,
)

PROTOBUF: Final = "application/x-protobuf"

# Fields and the attributes they are taken from; the first that is text counts.
ATTRIBUTES: Final = (
    ("id", ("log.record.uid",)),
    ("type", ("event.name",)),
    ("user", ("user.name", "enduser.id", "user.id", "user.email")),
    ("session", ("session.id",)),
    ("error_message", ("exception.message",)),
    ("error_stack_trace", ("exception.stacktrace",)),
)

# Only these statuses make an OTLP client send again (OTLP 1.x, "Retryable Response Codes").
_RETRYABLE: Final = (429, 502, 503, 504)
_UNAVAILABLE: Final = 503

# What reading JSON that is not as OTLP says may raise.
_STRANGE: Final = (TypeError, ValueError, AttributeError, KeyError, OverflowError)

# google.rpc.Code of the errors that have one; else UNKNOWN.
_GRPC_CODES: Final = {"invalid": 3, "forbidden": 7, "busy": 8, "full": 8, "internal": 13, "unavailable": 14,
                      "unauthorized": 16}  # fmt: skip
_UNKNOWN: Final = 2


def read(request: Request) -> Taken:
    """The events of a request. Raises WhodidError("invalid"), WhodidError("unsupported")."""
    try:
        records = list(_records(_body(request)))
        check_count(len(records))
        identities = Identities()
        pieces = [_event(record, around, identities) for record, around in records]
    except RecursionError:
        raise WhodidError("invalid", "Values are nested too deep.", "Send flatter values.") from None
    return Taken(decoded_of(pieces, request.received_at))


def _body(request: Request) -> dict[str, Any]:
    if request.media_type == PROTOBUF:
        return protobuf.read("ExportLogsServiceRequest", request.body)
    if request.media_type != "application/json":
        raise WhodidError(
            "unsupported",
            f"OTLP cannot be read from {request.media_type[:100]!r}.",
            f"Send {PROTOBUF} or application/json; gRPC is not spoken here.",
        )
    try:
        body = msgspec.json.decode(storable_numbers(json_text(request.body)), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WhodidError("invalid", f"The body is no OTLP JSON: {error}.", "Send what an exporter sends.") from None
    return body


def _records(body: dict[str, Any]) -> Any:
    """Every log record with what was told around it (`resource`, `scope`)."""
    for resource_logs in _objects(body.get("resourceLogs")):
        resource = resource_logs.get("resource")
        for scope_logs in _objects(resource_logs.get("scopeLogs")):
            around = {
                "resource": _described(resource, resource_logs.get("schemaUrl")),
                "scope": _described(scope_logs.get("scope"), scope_logs.get("schemaUrl")),
            }
            records = scope_logs.get("logRecords")
            for record in records if isinstance(records, list) else ():
                yield record, {name: told for name, told in around.items() if told}


def _objects(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise WhodidError("invalid", "The body is no OTLP JSON: a list of objects is something else.")
    return value


def _described(told: Any, schema_url: Any) -> dict[str, Any]:
    """A resource or scope: its attributes by name, and whatever else it says."""
    if not isinstance(told, dict):
        found = {"told": told} if told else {}
    else:
        rest = {name: value for name, value in told.items() if name != "attributes" and value}
        try:
            found = join(_attributes(told.get("attributes")), rest)
        except _STRANGE:
            found = {"told": told}
    return join(found, {"schemaUrl": schema_url}) if schema_url else found


def _event(record: Any, around: dict[str, Any], identities: Identities) -> bytes:
    try:
        # `dict` alone would make one of a list of pairs, too.
        fields, parameters = _mapped({**record}, around)
    except _STRANGE:
        # Not as OTLP says; what it told is worth more than where it belongs.
        fields, parameters = {"type": "log", "level": "info", "source": "server"}, {"record": record, **around}
    text = event_text(fields, parameters)
    if isinstance(time := fields.get("time"), datetime) and "id" not in fields:
        return b'{"id":"%b",%b' % (identities.of(time, text).encode(), text[1:])
    return text


def _mapped(record: dict[str, Any], around: dict[str, Any]) -> tuple[Fields, dict[str, Any]]:
    parameters = _attributes(record.pop("attributes", None))
    fields: Fields = {"source": "server"}
    for name, attributes in ATTRIBUTES:
        found = next((one for one in attributes if isinstance(parameters.get(one), str) and parameters[one]), None)
        if found is not None:
            fields[name] = parameters.pop(found)
    if "id" in fields:
        fields["id"] = uuid_of(fields["id"]) or fields["id"]
    fields["type"] = record.pop("eventName", None) or fields.get("type") or "log"
    _time(record, fields, parameters)
    _level(record, fields, parameters)
    _trace(record, fields, parameters)
    if "body" in record:
        body = any_value(record.pop("body"))
        if isinstance(body, str):
            fields["description"] = body
        elif body is not None:
            join(parameters, {"body": body})
    if not fields.get("error_message") and isinstance(parameters.get("exception.type"), str):
        fields["error_message"] = parameters["exception.type"]
    _around(around, fields)
    rest = {name: value for name, value in record.items() if value not in (None, 0, "")}
    return fields, join(join(parameters, rest), around)


def _time(record: dict[str, Any], fields: Fields, parameters: dict[str, Any]) -> None:
    happened, observed = int(record.pop("timeUnixNano", 0) or 0), int(record.pop("observedTimeUnixNano", 0) or 0)
    nanos = happened or observed
    if nanos and (time := time_of_nanos(nanos)) is not None:
        fields["time"] = time
    for name, told in (("time_unix_nano", happened), ("observed_time_unix_nano", observed)):
        # As text: beyond 2^53 most readers of JSON lose digits.
        if told and ("time" not in fields or told != nanos or told % 1000):
            join(parameters, {name: str(told)})


def _level(record: dict[str, Any], fields: Fields, parameters: dict[str, Any]) -> None:
    number, text = record.pop("severityNumber", 0) or 0, record.pop("severityText", "")
    if isinstance(number, str):
        name = number.removeprefix("SEVERITY_NUMBER_").rstrip("234")
        level = level_of(name)
    else:
        level = next((name for least, name in _LEVELS if number >= least), None)
    told_error = "error_message" in fields or "error_stack_trace" in fields
    fields["level"] = level or level_of(text) or ("error" if told_error else "info")
    join(parameters, {name: told for name, told in (("severity_number", number), ("severity_text", text)) if told})


_LEVELS: Final = ((17, "error"), (13, "warning"), (9, "info"), (1, "debug"))


def _trace(record: dict[str, Any], fields: Fields, parameters: dict[str, Any]) -> None:
    trace, span = (str(record.pop(name, "") or "").lower() for name in ("traceId", "spanId"))
    if trace.strip("0"):
        fields["request_id"] = trace
    if span.strip("0"):
        join(parameters, {"span_id": span})
    if flags := record.pop("flags", 0):
        join(parameters, {"trace_flags": flags})


def _around(around: dict[str, Any], fields: Fields) -> None:
    """What the resource says of the node; it stays in the resource as well, where readers of OTLP look for it."""
    resource = around.get("resource", {})
    for name, attribute in (("node", "host.name"), ("node_type", "service.name")):
        if isinstance(resource.get(attribute), str) and resource[attribute]:
            fields[name] = resource[attribute][:200]
    if resource.get("telemetry.sdk.language") == "webjs":
        fields["source"] = "client"


def _attributes(told: Any) -> dict[str, Any]:
    found = {each["key"]: any_value(each.get("value")) for each in told or ()}
    if not all(isinstance(name, str) for name in found):
        raise TypeError("an attribute's key is no text")
    return found


def any_value(told: Any) -> Any:
    """The value of an OTLP AnyValue; bytes stay base64 text."""
    if not told:
        return None
    kind, value = next(iter(told.items()))
    if kind == "arrayValue":
        return [any_value(each) for each in value.get("values", ())]
    if kind == "kvlistValue":
        return _attributes(value.get("values"))
    if kind == "intValue":
        return int(value)
    return value


def accepted(request: Request, outcome: Outcome) -> Answer:
    """ExportLogsServiceResponse, in the media type of the request; it says what was rejected."""
    count = len(outcome.rejects)
    why = outcome.rejects[0].message if count else ""
    if request.media_type == PROTOBUF:
        partial = protobuf.write(1, protobuf.write(1, count) + protobuf.write(2, why)) if count else b""
        return Answer(200, partial, PROTOBUF)
    # 64-bit numbers are text in protobuf's JSON.
    told = {"partialSuccess": {"rejectedLogRecords": str(count), "errorMessage": why}} if count else {}
    return Answer(200, msgspec.json.encode(told))


def failed(request: Request, error: WhodidError, outcome: Outcome, identifier: bytes) -> Answer:
    """A google.rpc.Status; every temporary error gets a status that makes the client send again."""
    status = error.kind.status
    if error.kind.temporary and status not in _RETRYABLE:
        status = _UNAVAILABLE
    code, message = _GRPC_CODES.get(error.code, _UNKNOWN), f"{error} (request {identifier.decode()})"
    if request.media_type == PROTOBUF:
        return Answer(status, protobuf.write(1, code) + protobuf.write(2, message), PROTOBUF)
    return Answer(status, msgspec.json.encode({"code": code, "message": message}))


ROUTES: Final = (Route("otlp", "POST", "/v1/logs", read, accepted=accepted, failed=failed),)
