"""Loggers that post what they log to some address: `POST /log`.

Python's `logging.handlers.HTTPHandler` (a form), log4j2's HTTP appender with a JSON layout, Fluent Bit and Vector with
JSON, and whoever sends JSON objects or lines of text. `NAMES` says under which names a field of an event is looked for;
the first name that holds something fit counts, and every other name stays a parameter.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from whodid.errors import WhodidError
from whodid.receive.body import MEDIA
from whodid.receive.clients import python_record
from whodid.receive.clients.base import Request, Route, Taken
from whodid.receive.clients.native import (
    Fields,
    Identities,
    Told,
    check_count,
    decoded_of,
    event_text,
    json_text,
    level_of,
    list_of,
    members_of,
    take_text,
    take_time,
    text_of,
    time_of_nanos,
    value_of,
)

FORM: Final = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX: Final = 1_000

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "id": ("log.record.uid", "event.id"),
    "type": ("type", "event.name", "event.action", "eventType"),
    "description": ("message", "msg", "log", "body", "MESSAGE", "text"),
    "user": ("user", "user.name", "username", "userName", "user_name", "login"),
    "session": ("session", "session.id", "session_id", "sessionId"),
    "request_id": ("request_id", "requestId", "trace.id", "trace_id", "traceId", "correlation_id", "correlationId"),
    "node": ("host", "host.name", "hostname", "node", "_HOSTNAME"),
    "error_message": ("error_message", "error.message"),
    "error_stack_trace": ("error.stack_trace", "stack_trace", "stackTrace", "stacktrace", "exc_text", "exception"),
}
TIMES: Final = ("@timestamp", "timestamp", "time", "date", "ts", "datetime", "created", "timeMillis", "eventTime")
LEVELS: Final = ("level", "levelname", "log.level", "severity", "loglevel", "severity_text", "severityText")

# Numbers of levels: where they stand, and the least number of each level, the highest first.
NUMBERS: Final = (
    ("levelno", ((40, "error"), (30, "warning"), (20, "info"), (0, "debug"))),  # Python
    ("level", ((50, "error"), (40, "warning"), (30, "info"), (0, "debug"))),  # pino, bunyan
    ("PRIORITY", ((7, "debug"), (5, "info"), (4, "warning"), (0, "error"))),  # syslog, journald
)

# Smaller numbers are durations or counters, not epoch seconds since 1973.
_EPOCH_MIN: Final = 100_000_000
_JSON: Final = json.JSONDecoder()
_NOT_BETWEEN: Final = re.compile(r"[^ \t\r,]")


def read(request: Request) -> Taken:
    """The events of a request. Raises WhodidError("unsupported"), ("invalid"), ("too_large")."""
    identities = Identities()
    pieces: list[bytes] = []
    for record in _records(request):
        check_count(len(pieces) + 1)
        pieces.append(_event(record, identities))
    return Taken(decoded_of(pieces, request.received_at))


def _records(request: Request) -> Iterator[Told | bytes]:
    """Each record's members, or the text of what is none."""
    media_type = request.media_type
    if media_type == FORM:
        yield _form(request.body)
        return
    if media_type not in MEDIA:
        raise WhodidError(
            "unsupported",
            f"Log records cannot be read from {media_type[:100]!r}.",
            "Let the client send JSON (Fluent Bit: 'Format json'; Vector: encoding.codec = \"json\").",
        )
    for text in _texts(json_text(request.body).strip()):
        told = members_of(text)
        if told is None and media_type == "text/plain" and text[:1] not in b"{[":
            told = {"message": Raw(msgspec.json.encode(text.decode()))}
        yield text if told is None else told


def _texts(body: bytes) -> Iterator[bytes]:
    """The texts of an array's elements, of one object, or of lines; a line may hold several objects."""
    if body.startswith(b"["):
        yield from list_of(body, "list of records")
    elif members_of(body) is not None:
        yield body
    else:
        for line in filter(None, map(bytes.strip, io.BytesIO(body))):
            if members_of(line) is None and line.startswith(b"{"):
                yield from _objects_in(line)
            else:
                yield line


def _objects_in(line: bytes) -> Iterator[bytes]:
    """JSON objects that follow each other without anything between them; the rest is the last element."""
    text, at = line.decode(), 0
    while at < len(text):
        try:
            _, end = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = len(text)
        yield text[at:end].encode()
        # By place: what is left may be as long as a request, and is not copied for each object.
        following = _NOT_BETWEEN.search(text, end)
        at = following.start() if following is not None else len(text)


def _form(body: bytes) -> Told:
    """The fields of a form, in which everything is text."""
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        raise WhodidError("invalid", f"The form has more than {FORM_FIELDS_MAX:,} fields.", "Send JSON.") from None
    record = python_record.readable(dict(pairs))
    return {name: Raw(json_text(msgspec.json.encode(value))) for name, value in record.items()}


def _event(record: Told | bytes, identities: Identities) -> bytes:
    if isinstance(record, bytes):
        return record
    fields: Fields = {"source": "server"}
    _thrown(record, fields)
    for name, names in NAMES.items():
        if name not in fields:
            fields[name] = take_text(record, *(one for one in names if _is_text(record.get(one))))
    fields["type"] = fields["type"] or "log"
    fields["time"] = _time(record)
    failed = fields["error_message"] or fields["error_stack_trace"]
    fields["level"] = _level(record) or ("error" if failed else "info")
    duration_ms = value_of(record.get("duration_ms"))
    if isinstance(duration_ms, int | float) and not isinstance(duration_ms, bool) and duration_ms >= 0:
        fields["duration_ms"] = record.pop("duration_ms")
    text = event_text(fields, record)
    # Only a time that is finer than a millisecond tells two equal records from one that is sent again.
    if fields["id"] is None and fields["time"] is not None and fields["time"].microsecond % 1000:
        return b'{"id":"%b",%b' % (identities.of(fields["time"], text).encode(), text[1:])
    return text


def _is_text(raw: Raw | None) -> bool:
    return raw is not None and bytes(raw).lstrip().startswith(b'"')


def _time(record: Told) -> datetime | None:
    nanos = _log4j2_nanos(members_of(record.get("instant")) or {})
    if nanos is not None and (time := time_of_nanos(nanos)) is not None:
        if nanos % 1000 == 0:
            del record["instant"]
        return time
    return take_time(record, *(name for name in TIMES if _may_be_time(record.get(name))))


def _log4j2_nanos(instant: Told) -> int | None:
    seconds, nanos = value_of(instant.get("epochSecond")), value_of(instant.get("nanoOfSecond"))
    return seconds * 10**9 + nanos if isinstance(seconds, int) and isinstance(nanos, int) else None


def _may_be_time(raw: Raw | None) -> bool:
    value = value_of(raw)
    return isinstance(value, str) or (isinstance(value, int | float) and abs(value) >= _EPOCH_MIN)


def _level(record: Told) -> str | None:
    for name in LEVELS:
        told = value_of(record.get(name))
        level = level_of(told)
        if level is not None:
            if level == told:
                del record[name]
            return level
    for name, least in NUMBERS:
        number = text_of(record.get(name))
        if number is not None and number.isdecimal() and len(number) < 6:
            return next(level for least_number, level in least if int(number) >= least_number)
    return None


def _thrown(record: Told, fields: Fields) -> None:
    """log4j2's `thrown`: the error's message and stack trace; the whole stays a parameter."""
    value = value_of(record.get("thrown"))
    if not isinstance(value, dict):
        return
    told = [str(value[name]) for name in ("name", "message") if value.get(name)]
    fields["error_message"] = ": ".join(told) or None
    trace = value.get("extendedStackTrace")
    if isinstance(trace, str):
        fields["error_stack_trace"] = trace
    elif isinstance(trace, list):
        lines = [_java_frame(each) for each in trace if isinstance(each, dict)]
        fields["error_stack_trace"] = "\n".join([": ".join(told), *lines])


def _java_frame(frame: dict[str, Any]) -> str:
    place = f"{frame.get('file') or 'Unknown Source'}:{frame.get('line', '?')}"
    return f"\tat {frame.get('class', '?')}.{frame.get('method', '?')}({place})"


ROUTES: Final = (Route("log", "POST", "/log", read),)
