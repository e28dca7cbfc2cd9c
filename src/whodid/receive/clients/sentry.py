"""Sentry's SDKs: `POST /api/PROJECT/envelope/` (and `/store/` of older ones).

====================================  ==================================================================
told                                  becomes
====================================  ==================================================================
event with exceptions                 an event of type `error`: message, stack trace, group
event with a message, log             an event of type `log`
`event_id`, `timestamp`, `level`      id, time, level
project                               routing_key
`user` (username, email, id)          user
`transaction`, `server_name`          function, node
trace id                              request_id
everything else, frames too           parameters of their names
session, transaction, attachment, …   counted, not stored
====================================  ==================================================================

Source: Sentry's developer documentation (envelopes, event payloads) and the requests of sentry-sdk 2.75.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from whodid.errors import WhodidError
from whodid.receive.clients import frames
from whodid.receive.clients.base import Answer, Outcome, Request, Route, Taken, json_answer
from whodid.receive.clients.native import (
    Fields,
    Identities,
    Told,
    check_count,
    decoded_of,
    event_text,
    join,
    json_text,
    level_of,
    list_of,
    members_of,
    object_of,
    take_text,
    take_time,
    text_of,
    uuid_of,
    value_of,
)

ITEMS_MAX: Final = 10_000

# Kinds of items that are counted by name; what a stranger makes up is `other`.
COUNTED: Final = frozenset(
    {
        *("transaction", "span", "session", "sessions", "attachment", "client_report", "check_in", "feedback"),
        *("profile", "profile_chunk", "replay_event", "replay_recording", "user_report"),
        *("statsd", "metric_buckets", "trace_metric"),
    }
)

_KEY: Final = re.compile(r"sentry_key\s*=\s*([^\s,]+)")
_SIGN: Final = re.compile(rb"\S")

# Names of a person in Sentry's `user`, and in the attributes of its logs.
_USER: Final = ("username", "email", "id")
_USER_ATTRIBUTES: Final = ("user.name", "user.email", "user.id")


class Item(NamedTuple):
    """A part of an envelope."""

    kind: str
    header: Told
    payload: bytes


def key(request: Request) -> str | None:
    """The public key of the DSN: in X-Sentry-Auth, in Authorization, or in the query."""
    for name in (b"x-sentry-auth", b"authorization"):
        told = request.headers.get(name, b"").decode("latin-1")
        if told[:7].lower() == "sentry " and (found := _KEY.search(told)) is not None:
            return found.group(1)
    return request.query.get("sentry_key")


def read(request: Request) -> Taken:
    """The events of an envelope. Raises WhodidError("invalid")."""
    counted: Counter[str] = Counter()
    pieces: list[bytes] = []
    identities = Identities()
    for item in _items(request.body):
        if item.kind == "event":
            pieces.append(_event(json_text(item.payload), request.names["project"]))
        elif item.kind == "log":
            pieces += _logs(json_text(item.payload), request.names["project"], identities)
        else:
            count = value_of(item.header.get("item_count"))
            counted[item.kind if item.kind in COUNTED else "other"] += (
                count if isinstance(count, int) and 0 < count < 1_000_000 else 1
            )
        check_count(len(pieces))
    return Taken(decoded_of(pieces, request.received_at), counted)


def read_event(request: Request) -> Taken:
    """The one event of an older SDK."""
    return Taken(decoded_of([_event(json_text(request.body), request.names["project"])], request.received_at))


def _items(body: bytes) -> Iterator[Item]:
    head, at = _line(body, 0)
    object_of(head)
    # An item's length counts the bytes as they were sent, and its payload may be no text at all. By place: what is left
    # may be as long as a request, and is not copied for each item.
    count = 0
    while (found := _SIGN.search(body, at)) is not None:
        line, at = _line(body, found.start())
        header = object_of(line)
        size_bytes = value_of(header.get("length"))
        if isinstance(size_bytes, int) and 0 <= size_bytes <= len(body) - at:
            payload, at = body[at : at + size_bytes], at + size_bytes
        else:
            payload, at = _line(body, at)
        count += 1
        if count > ITEMS_MAX:
            raise WhodidError("too_large", f"The envelope holds more than {ITEMS_MAX:,} items.", "Send several.")
        yield Item(text_of(header.get("type")) or "unknown", header, payload)


def _line(body: bytes, begin: int) -> tuple[bytes, int]:
    """The line that begins at a place, and where the next one does."""
    end = body.find(b"\n", begin)
    return (body[begin:end], end + 1) if end >= 0 else (body[begin:], len(body))


def _event(text: bytes, project: str) -> bytes:
    told = members_of(text)
    if told is None:
        return text
    if text_of(told.get("type")) in (None, "event", "error", "default"):
        told.pop("type", None)
    identity = take_text(told, "event_id")
    fields: Fields = {
        "id": identity and (uuid_of(identity) or identity),
        "time": take_time(told, "timestamp"),
        "routing_key": project,
        "source": "client" if text_of(told.get("platform")) == "javascript" else "server",
        "function": take_text(told, "transaction"),
        "node": take_text(told, "server_name"),
        "user": _user(told),
        "request_id": _trace_id(told),
    }
    exceptions = _exceptions(told)
    if exceptions:
        fields["type"] = "error"
        fields["error_message"] = frames.message(exceptions[-1])
        fields["error_stack_trace"] = frames.stack_trace(exceptions, text_of(told.get("platform")) or "")
    else:
        fields["type"] = "log"
        fields["description"] = _description(told)
    _level(told, fields, "error" if exceptions else "info")
    return event_text(fields, _filled(told))


def _level(told: Told, fields: Fields, default: str) -> None:
    name = text_of(told.get("level"))
    fields["level"] = level_of(name) or default
    if name == fields["level"]:
        del told["level"]


def _user(told: Told) -> str | None:
    """The login; `user` stays when it says more than that."""
    user = members_of(told.get("user"))
    if user is None:
        return None
    name = next((name for name in _USER if text_of(user.get(name))), None)
    if name is not None and len(user) == 1:
        del told["user"]
    return text_of(user.get(name)) if name is not None else None


def _trace_id(told: Told) -> str | None:
    contexts = members_of(told.get("contexts")) or {}
    return text_of((members_of(contexts.get("trace")) or {}).get("trace_id"))


def _exceptions(told: Told) -> list[dict[str, Any]]:
    value = value_of(told.get("exception"))
    values = value.get("values") if isinstance(value, dict) else value
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _description(told: Told) -> str | None:
    entry = members_of(told.get("logentry")) or members_of(told.get("message"))
    if entry is not None:
        return text_of(entry.get("formatted")) or text_of(entry.get("message"))
    return take_text(told, "message")


def _filled(told: Told) -> Told:
    return {name: raw for name, raw in told.items() if bytes(raw) not in (b"{}", b"[]", b"null", b'{"values":[]}')}


def _logs(payload: bytes, project: str, identities: Identities) -> list[bytes]:
    container = members_of(payload)
    if container is None:
        return [payload]
    return [_log(text, project, identities) for text in list_of(container.get("items"), "log items")]


def _log(text: bytes, project: str, identities: Identities) -> bytes:
    told = members_of(text)
    if told is None:
        return text
    parameters = _attributes(told)
    user = next((name for name in _USER_ATTRIBUTES if isinstance(parameters.get(name), str)), None)
    fields: Fields = {
        "type": "log",
        "routing_key": project,
        "source": "server",
        "time": take_time(told, "timestamp"),
        "description": take_text(told, "body"),
        "request_id": take_text(told, "trace_id"),
        "user": parameters.pop(user) if user is not None else None,
    }
    if isinstance(parameters.get("server.address"), str):
        fields["node"] = parameters.pop("server.address")
    _level(told, fields, "info")
    written = event_text(fields, join(parameters, told))
    if fields["time"] is None:
        return written
    return b'{"id":"%b",%b' % (identities.of(fields["time"], written).encode(), written[1:])


def _attributes(told: Told) -> dict[str, Any]:
    """The attributes of a log by name: each is told as its value and its type."""
    attributes = members_of(told.get("attributes"))
    if attributes is None:
        return {}
    del told["attributes"]
    found: dict[str, Any] = {}
    for name, raw in attributes.items():
        inner = members_of(raw)
        found[name] = value_of(inner["value"]) if inner is not None and "value" in inner else raw
    return found


def accepted(request: Request, outcome: Outcome) -> Answer:
    """The id of the first event, as the SDK made it."""
    head = members_of(request.body.partition(b"\n")[0]) or {}
    return json_answer({"id": text_of(head.get("event_id"))} if "event_id" in head else {})


ROUTES: Final = (
    Route("sentry", "POST", "/api/{project}/envelope", read, key=key, accepted=accepted),
    Route("sentry", "POST", "/api/{project}/store", read_event, key=key, accepted=accepted),
)
