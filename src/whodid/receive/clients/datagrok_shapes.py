"""What is stored, in the shapes that Datagrok's client reads: objects that say their kind in `#type`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from whodid.directory.model import Group, User
from whodid.directory.users import user_uuid
from whodid.event import FOREIGN_IDS, Entity, entity_uuid
from whodid.stores.postgresql_rows import reference_names
from whodid.typed import convert

Shape = dict[str, Any]

_TYPES: Final[dict[type, str]] = {str: "string", int: "int", float: "double", bool: "bool"}
REFERENCE: Final = "entity_id"

# Columns of an event that have no field in a LogEvent: shown as parameters, so that nothing is missing there.
COLUMNS: Final = (
    "function",
    "duration_ms",
    "request_id",
    "status",
    "acting_for",
    "via",
    "node",
    "topic",
    "routing_key",
)


def log_event(row: Mapping[str, Any], users: Mapping[str, User], started: Mapping[str, datetime]) -> Shape:
    """A LogEvent of a row of events; `users` by login, `started` by the id of a session."""
    kind = event_type(row["type"], row["level"], row["error_hash"])
    return {
        "#type": "LogEvent",
        "id": row["id"],
        "name": row["type"],
        "description": row["description"],
        "eventTime": row["time"],
        "errorMessage": row["error_message"],
        "errorStackTrace": row["error_stack_trace"],
        "session": _session(row, users, started),
        "eventType": kind,
        "parameters": _parameters(row, kind["id"]),
    }


def event_type(name: str, level: str, error_hash: str | None = None) -> Shape:
    """A LogEventType; its id is that of the row in the table event_types."""
    told = f"error-group:{error_hash}" if error_hash else f"event-type:{level}:{name}"
    return {
        "#type": "LogEventType",
        "id": str(uuid.uuid5(FOREIGN_IDS, told)),
        "name": name,
        "friendlyName": name,
        "source": level,
        "isError": level == "error",
    }


def user(told: User) -> Shape:
    """A User, with its personal group."""
    return {
        "#type": "User",
        "id": told.id,
        "login": told.login,
        "name": told.name,
        "friendlyName": told.friendly_name or told.login,
        "firstName": told.first_name,
        "lastName": told.last_name,
        "email": told.email,
        "picture": told.picture,
        "joined": told.joined,
        "group": None if told.group_id is None else {"#type": "UserGroup", "id": told.group_id, "personal": True},
    }


def unknown_user(login: str) -> Shape:
    """The User of a login that the directory does not know (yet)."""
    return {"#type": "User", "id": user_uuid(login), "login": login, "name": login, "friendlyName": login}


def group(told: Group) -> Shape:
    return {
        "#type": "UserGroup",
        "id": told.id,
        "name": told.name,
        "friendlyName": told.friendly_name or told.name,
        "description": told.description,
        "personal": told.personal,
    }


def _session(row: Mapping[str, Any], users: Mapping[str, User], started: Mapping[str, datetime]) -> Shape | None:
    """The session; of an event with a user and no session a session without id, as users are told by it."""
    login, identity = row["user"], row["session"]
    if login is None and identity is None:
        return None
    found: Shape = {"#type": "UserSession", "id": identity, "started": started.get(identity) if identity else None}
    if login is not None:
        known = users.get(login)
        found["user"] = unknown_user(login) if known is None else user(known)
    return found


def _parameters(row: Mapping[str, Any], type_id: str) -> list[Shape]:
    values = _decoded(row["parameters"])
    told = dict(values) if isinstance(values, dict) else {}
    for name in COLUMNS:
        if row[name] is not None and (name, row[name]) != ("topic", "generic"):
            told.setdefault(name, row[name])
    found = [
        _value(row["id"], type_id, name, _TYPES.get(type(value), "json"), _text(value), None)
        for name, value in told.items()
    ]
    entities = convert(_decoded(row["entities"]) or [], list[Entity])
    for name, entity in zip(reference_names(entities), entities, strict=True):
        reference = str(entity_uuid(entity.type, entity.id))
        found.append(_value(row["id"], type_id, name, REFERENCE, entity.name or entity.id, reference))
    return found


def _value(event_id: str, type_id: str, name: str, kind: str, text: str, reference: str | None) -> Shape:
    which = "reference" if kind == REFERENCE else "value"
    parameter_id = str(uuid.uuid5(FOREIGN_IDS, f"event-parameter:{type_id}:{which}:{name}"))
    return {
        "#type": "LogEventParameterValue",
        "id": str(uuid.uuid5(FOREIGN_IDS, f"event-parameter-value:{event_id}:{parameter_id}")),
        "value": text,
        "valueUuid": reference,
        "parameter": {"#type": "LogEventParameter", "id": parameter_id, "name": name, "type": kind},
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _decoded(value: Any) -> Any:
    if isinstance(value, msgspec.Raw | bytes | str):
        return json.loads(bytes(value) if isinstance(value, msgspec.Raw) else value)
    return value


def logins_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The logins that rows of events name."""
    return sorted({row["user"] for row in rows if row["user"] is not None})
