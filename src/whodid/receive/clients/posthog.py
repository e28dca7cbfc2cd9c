"""PostHog's libraries: `POST /batch/`, and `/capture/`, `/e/`, `/i/v0/e/` for single events.

====================================  ==================================================================
told                                  becomes
====================================  ==================================================================
`event`                               a usage event of that type
`$exception`                          an event of type `error`: message, stack trace, group
`$set` of a person                    the directory learns of the person
`$groupidentify`                      a usage event about the entity `$group_type`, `$group_key`
`uuid`, `timestamp`                   id, time
`distinct_id`                         user; of somebody unknown (`$process_person_profile` false) a parameter
`properties`                          parameters of their names; `$session_id` → session
====================================  ==================================================================

The key is the project's key, which these libraries send in the body; it is not stored.
Source: the requests of posthog 7.91 (Python) and posthog-node 5.70.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.receive.clients import frames
from whodid.receive.clients.base import Answer, Outcome, Person, Request, Route, Taken, json_answer
from whodid.receive.clients.native import (
    Fields,
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
from whodid.receive.clients.people import described

PATHS: Final = ("/batch", "/capture", "/e", "/i/v0/e")
KEY_NAMES: Final = ("api_key", "token")

_ANONYMOUS: Final = b"false"


class _Keyed(msgspec.Struct):
    """Where the key may stand, without the events beside it."""

    api_key: str | None = None
    token: str | None = None
    properties: dict[str, Raw] | None = None


_KEYED: Final = msgspec.json.Decoder(_Keyed)
_KEYED_LIST: Final = msgspec.json.Decoder(list[_Keyed])


def key(request: Request) -> str | None:
    """The project's key, from the body; the header Authorization comes first."""
    if b"authorization" in request.headers:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        if request.body.lstrip()[:1] == b"[":
            every = _KEYED_LIST.decode(request.body)
            told = every[0] if every else _Keyed()
        else:
            told = _KEYED.decode(request.body)
        return told.api_key or told.token or text_of((told.properties or {}).get("token"))
    return None


def read(request: Request) -> Taken:
    """The events of a request: `{"batch": […]}`, a list, or one event. Raises WhodidError("invalid")."""
    text = json_text(request.body)
    if text.lstrip()[:1] == b"[":
        return _taken(list_of(text, "list of events"), request)
    body = object_of(text)
    return _taken(list_of(body["batch"], "batch") if "batch" in body else [text], request)


def _taken(texts: Sequence[bytes], request: Request) -> Taken:
    check_count(len(texts))
    people: list[Person] = []
    pieces = []
    for text in texts:
        told = members_of(text)
        pieces.append(text if told is None else _event(told, people))
    return Taken(decoded_of(pieces, request.received_at), people=people)


def _event(told: Told, people: list[Person]) -> bytes:
    for name in KEY_NAMES:
        told.pop(name, None)
    properties = members_of(told.get("properties"))
    if properties is not None:
        del told["properties"]
        properties.pop("token", None)
    parameters: Told = properties or {}
    kind = take_text(told, "event") or "event"
    identity = take_text(told, "uuid")
    fields: Fields = {
        "id": identity and (uuid_of(identity) or identity),
        "time": take_time(told, "timestamp"),
        "type": kind,
        "level": "usage",
        "source": "server" if value_of(parameters.get("$is_server")) is True else "client",
        "session": take_text(parameters, "$session_id"),
    }
    _who(kind, told, parameters, fields, people)
    if kind == "$exception":
        _error(parameters, fields)
    elif kind == "$groupidentify":
        _group(parameters, fields)
    return event_text(fields, join(dict(parameters), told))


def _who(kind: str, told: Told, parameters: Told, fields: Fields, people: list[Person]) -> None:
    source = told if "distinct_id" in told else parameters
    login = text_of(source.get("distinct_id"))
    anonymous = bytes(parameters.get("$process_person_profile", Raw(b""))) == _ANONYMOUS
    # The library makes up an id for what is about a group and nobody's doing.
    if login is None or anonymous or kind == "$groupidentify":
        return
    del source["distinct_id"]
    fields["user"] = login
    traits = members_of(told.get("$set")) or members_of(parameters.get("$set"))
    if traits is not None and kind in ("$identify", "$set"):
        people.append(Person(login, described(traits)))


def _error(parameters: Told, fields: Fields) -> None:
    fields["type"] = "error"
    fields["level"] = level_of(text_of(parameters.get("$exception_level"))) or "error"
    value = value_of(parameters.get("$exception_list"))
    exceptions: list[dict[str, Any]] = [
        each for each in (value if isinstance(value, list) else ()) if isinstance(each, dict)
    ]
    if not exceptions:
        fields["error_message"] = text_of(parameters.get("$exception_message"))
        return
    fields["error_message"] = frames.message(exceptions[0])
    # The exception that was caught comes first, its causes follow.
    fields["error_stack_trace"] = frames.stack_trace(exceptions[::-1], _platform(exceptions))


def _platform(exceptions: list[dict[str, Any]]) -> str:
    for exception in exceptions:
        for frame in frames.frames_of(exception):
            if isinstance(frame.get("platform"), str):
                return str(frame["platform"])
    return ""


def _group(parameters: Told, fields: Fields) -> None:
    kind, name = text_of(parameters.get("$group_type")), text_of(parameters.get("$group_key"))
    if kind and name:
        shown = text_of((members_of(parameters.get("$group_set")) or {}).get("name"))
        fields["entities"] = [{"type": kind[:200], "id": name[:1000], "name": shown[:1000] if shown else None}]


def accepted(request: Request, outcome: Outcome) -> Answer:
    return json_answer({"status": 1})


ROUTES: Final = tuple(
    Route("posthog", "POST", path, read, key=key, key_in_body=True, accepted=accepted) for path in PATHS
)
