"""Segment's libraries: `POST /v1/batch`, and one address for each kind of message.

====================================  ==================================================================
told                                  becomes
====================================  ==================================================================
`track`                               a usage event of the type that `event` names
`page`, `screen`, `alias`             a usage event of that type; its name is the description
`identify`, `group`                   a usage event of that type; the directory learns of person and group
`messageId`, `timestamp`, `userId`    id, time, user
`properties`, `traits`                parameters of their names
`context`, `anonymousId`, …           parameters of these names
====================================  ==================================================================

Source: Segment's specification and the requests of analytics-python 2.4 and @segment/analytics-node 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from whodid.receive.clients.base import Answer, Outcome, Person, Request, Route, Taken, json_answer
from whodid.receive.clients.native import (
    Fields,
    Told,
    check_count,
    decoded_of,
    event_text,
    join,
    json_text,
    list_of,
    members_of,
    object_of,
    take_text,
    take_time,
    text_of,
    uuid_of,
)
from whodid.receive.clients.people import described

KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")

# What says nothing when it is empty, and is there in every message.
_EMPTY: Final = (b"{}", b"null", b'""')


def read(request: Request) -> Taken:
    """The events of a batch. Raises WhodidError("invalid")."""
    body = object_of(json_text(request.body))
    batch = list_of(body.get("batch"), "batch")
    check_count(len(batch))
    around: Told = {name: body[name] for name in ("context", "sentAt") if name in body}
    return _taken([_message(text, around) for text in batch], request)


def read_one(request: Request) -> Taken:
    """The event of one message, whose kind the path says. Raises WhodidError("invalid")."""
    body = object_of(json_text(request.body))
    body.pop("writeKey", None)
    return _taken([_mapped(body, request.path.strip("/").rpartition("/")[2])], request)


_Message = tuple[bytes, Person | None]


def _taken(messages: Sequence[_Message], request: Request) -> Taken:
    decoded = decoded_of([text for text, _ in messages], request.received_at)
    return Taken(decoded, people=[person for _, person in messages if person is not None])


def _message(text: bytes, around: Told) -> _Message:
    told = members_of(text)
    if told is None:
        return text, None
    for name, raw in around.items():
        told.setdefault(name, raw)
    return _mapped(told, None)


def _mapped(told: Told, path_kind: str | None) -> _Message:
    kind = path_kind or text_of(told.get("type")) or "track"
    if kind in KINDS:
        told.pop("type", None)
    fields: Fields = {"level": "usage", "type": kind}
    person = _person(told, kind)
    if kind == "track":
        fields["type"] = take_text(told, "event") or "track"
    elif kind in ("page", "screen"):
        fields["description"] = take_text(told, "name")
    fields["time"] = _time(told)
    identity = take_text(told, "messageId")
    fields["id"] = identity and (uuid_of(identity) or identity)
    fields["user"] = take_text(told, "userId")
    if kind == "group" and (group := text_of(told.get("groupId"))) is not None:
        fields["entities"] = [{"type": "group", "id": group[:1000], "name": _name_in(told)}]
        del told["groupId"]
    parameters: dict[str, Any] = {}
    for name in ("properties", "traits"):
        if (inner := members_of(told.get(name))) is not None:
            join(parameters, inner)
            del told[name]
    rest = {name: raw for name, raw in told.items() if bytes(raw) not in _EMPTY}
    return event_text(fields, join(parameters, rest)), person


def _time(told: Told) -> datetime | None:
    time = take_time(told, "timestamp", "originalTimestamp")
    return time if time is not None else take_time(dict(told), "sentAt")


def _person(told: Told, kind: str) -> Person | None:
    login = text_of(told.get("userId"))
    traits = members_of(told.get("traits")) or {}
    if login is None or kind not in ("identify", "group"):
        return None
    if kind == "identify":
        return Person(login, described(traits))
    group, name = text_of(told.get("groupId")), _name_in(told)
    return Person(login, {}, [group], {group: name} if name else {}) if group else None


def _name_in(told: Told) -> str | None:
    name = text_of((members_of(told.get("traits")) or {}).get("name"))
    return name[:200] if name else None


def accepted(request: Request, outcome: Outcome) -> Answer:
    return json_answer({"success": True})


ROUTES: Final = (
    Route("segment", "POST", "/v1/batch", read, accepted=accepted),
    Route("segment", "POST", "/v1/import", read, accepted=accepted),
    *(Route("segment", "POST", f"/v1/{kind}", read_one, accepted=accepted) for kind in KINDS),
)
