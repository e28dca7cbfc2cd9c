"""Datagrok's client (`datagrok-api`): its log written and read, its users and groups read, in its own shapes.

Its root may be this server's address, or that with `/api` behind it, as on Datagrok's own servers. Its developer key is
a key of this server; the token that it gets for it is the key itself, so that nothing has to be remembered here.

A message of `PUT /log/audit` is what its Logger makes (`level`, `message`, `auditType`, `time`, `stackTrace`,
`params`), or a LogEvent as it is read; one of them or a list.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw

from whodid.errors import WhodidError
from whodid.receive.clients import datagrok_read as reads
from whodid.receive.clients.base import Answer, Outcome, Request, Route, Taken, json_answer
from whodid.receive.clients.library import Library
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
    take_text,
    take_time,
    text_of,
    value_of,
)

_DULL: Final = (b"null", b"{}", b"[]", b"false", b'""')
_REFERENCE: Final = "entity_id"


def key(request: Request) -> str | None:
    """The token: the whole header Authorization, without a scheme; at sign-in the developer key of the path."""
    if "key" in request.names:
        return request.names["key"]
    told = request.headers.get(b"authorization", b"").strip()
    return told.decode("latin-1") if told and b" " not in told else None


def sign_in(request: Request, library: Library) -> Answer:
    """The token of a developer key."""
    return json_answer({"isSuccess": True, "token": request.names["key"]})


def read(request: Request) -> Taken:
    """The events of a message or a list of them. Raises WhodidError("invalid")."""
    text = json_text(request.body).strip()
    if not text:
        raise WhodidError("invalid", "The body is empty.", "Send the message as JSON.")
    texts = list_of(text, "list of messages") if text.startswith(b"[") else [text]
    check_count(len(texts))
    user = request.caller.user if request.caller is not None else None
    return Taken(decoded_of([_event(each, user) for each in texts], request.received_at))


def _event(text: bytes, user: str | None) -> bytes:
    told = members_of(text)
    if told is None:
        return text
    return _log_event(told, user) if "eventType" in told or "eventTime" in told else _message(told, user)


def _message(told: Told, user: str | None) -> bytes:
    """A message of the Logger."""
    level = level_of(text_of(told.get("level"))) or "audit"
    if level == text_of(told.get("level")):
        del told["level"]
    params = members_of(told.get("params"))
    if params is not None:
        del told["params"]
    parameters: Told = params or {}
    fields: Fields = {"type": take_text(told, "auditType"), "time": take_time(told, "time"), "user": user}
    # Documented: log('Error!', {'stackTrace': '…'}, 'error').
    trace = take_text(told, "stackTrace") or take_text(parameters, "stackTrace")
    if fields["type"] == "error":
        level = "error"
    fields["type"] = fields["type"] or ("error" if level == "error" else "log")
    fields["level"] = level
    fields["error_stack_trace"] = trace
    fields["error_message" if level == "error" else "description"] = take_text(told, "message")
    fields["entities"] = _entities(parameters)
    rest = {name: raw for name, raw in told.items() if bytes(raw) not in _DULL}
    return event_text(fields, join(dict(parameters), rest))


def _entities(parameters: Told) -> list[dict[str, Any]]:
    """Parameters that are objects of Datagrok: `{"#type", "id", "name"}`. They stay parameters as well."""
    found = []
    for role, raw in parameters.items():
        value = members_of(raw) or {}
        kind, identity = text_of(value.get("#type")), text_of(value.get("id"))
        if kind and identity:
            name = text_of(value.get("friendlyName")) or text_of(value.get("name"))
            cut = name[:1000] if name else None
            found.append({"type": kind[:200], "id": identity[:1000], "name": cut, "role": role[:200]})
    return found[:100]


def _log_event(told: Told, user: str | None) -> bytes:
    """A LogEvent, as it is read."""
    kind = members_of(told.get("eventType")) or {}
    session = members_of(told.get("session")) or {}
    name = text_of(kind.get("name")) or text_of(told.get("name")) or "log"
    level = level_of(text_of(kind.get("source"))) or ("error" if value_of(kind.get("isError")) is True else "audit")
    fields: Fields = {
        "id": take_text(told, "id"),
        "time": take_time(told, "eventTime"),
        "type": name,
        "level": level,
        "description": take_text(told, "description"),
        "error_message": take_text(told, "errorMessage"),
        "error_stack_trace": take_text(told, "errorStackTrace"),
        "session": text_of(session.get("id")),
        "user": text_of((members_of(session.get("user")) or {}).get("login")) or user,
    }
    if "source" in kind and level_of(text_of(kind["source"])) is None:
        # Such as `function-package`, which is no level.
        told.setdefault("source", kind["source"])
    for known in ("#type", "eventType", "session", "name"):
        if known != "name" or text_of(told.get(known)) == name:
            told.pop(known, None)
    parameters, entities = _told_parameters(told)
    fields["entities"] = entities
    rest = {name: raw for name, raw in told.items() if bytes(raw) not in _DULL}
    return event_text(fields, join(parameters, rest))


def _told_parameters(told: Told) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The parameters and entities of a LogEvent; what is no parameter value stays under `parameters`."""
    value = value_of(told.get("parameters"))
    if not isinstance(value, list):
        return {}, []
    parameters: dict[str, Any] = {}
    entities: list[dict[str, Any]] = []
    for each in value:
        parameter = each.get("parameter") if isinstance(each, dict) else None
        name = parameter.get("name") if isinstance(parameter, dict) else None
        if not isinstance(parameter, dict) or not isinstance(name, str) or not name:
            return {}, []
        text, reference = each.get("value"), each.get("valueUuid")
        if parameter.get("type") == _REFERENCE and isinstance(reference, str) and reference:
            shown = text if isinstance(text, str) and text != reference else None
            entities.append({"type": name[:200], "id": reference, "name": shown[:1000] if shown else None})
        else:
            join(parameters, {name: _typed(text, parameter.get("type"))})
    del told["parameters"]
    return parameters, entities


def _typed(text: Any, kind: Any) -> Any:
    """The value that a parameter's text tells; the text `null` stands for nothing."""
    if not isinstance(text, str) or kind not in ("int", "double", "bool", "json"):
        return text
    value = value_of(Raw(text.encode()))
    return text if value is None and text != "null" else value


def accepted(request: Request, outcome: Outcome) -> Answer:
    return json_answer(True)


_SHOWN: Final = (
    ("/log", reads.list_log),
    ("/log/activity/{user}", reads.list_activity),
    ("/log/types", reads.list_types),
    ("/log/count", reads.count_log),
    ("/log/{id}", reads.one_event),
    ("/public/v1/users", reads.list_users),
    ("/public/v1/users/count", reads.count_users),
    ("/public/v1/users/current", reads.current_user),
    ("/public/v1/users/{id}", reads.one_user),
    ("/public/v1/groups", reads.list_groups),
    ("/public/v1/groups/count", reads.count_groups),
    ("/public/v1/groups/{id}", reads.one_group),
)
# Without `/public/v1` these belong to our own pages, unless `/api` says whom they are meant for.
_ONLY_API: Final = tuple((path.removeprefix("/public/v1"), show) for path, show in _SHOWN if path.startswith("/public"))

ROUTES: Final = (
    *(Route("datagrok", "GET", path, show=show, scope="read", key=key) for path, show in _SHOWN),
    *(Route("datagrok", "GET", f"/api{path}", show=show, scope="read", key=key) for path, show in _SHOWN + _ONLY_API),
    *(Route("datagrok", "PUT", f"{root}/log/audit", read, key=key, accepted=accepted) for root in ("", "/api")),
    *(
        Route("datagrok", "POST", f"{root}/users/login/dev/{{key}}", show=sign_in, scope="", key=key)
        for root in ("", "/api")
    ),
)
