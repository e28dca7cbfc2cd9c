"""Events as OCSF 1.3 (Open Cybersecurity Schema Framework): which class and activity a type becomes is a table,
`data/ocsf.tsv`; its first line that fits counts. What has no field of its own is kept in `unmapped`.

Source of the numbers: schema.ocsf.io, version 1.3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec

from whodid import __version__
from whodid.event import Entity, Event, Provenance, parameters_of
from whodid.targets.base import Offered

VERSION: Final = "1.3.0"
_OTHER: Final = 99
_RULES_REMEMBERED: Final = 10_000


class Class(NamedTuple):
    """A class of events: its number, its category, and the numbers of its activities."""

    uid: int
    category_uid: int
    caption: str
    activities: dict[str, int]


_CRUD: Final = {"Create": 1, "Read": 2, "Update": 3, "Delete": 4}
CLASSES: Final[dict[str, Class]] = {
    "account_change": Class(
        3001,
        3,
        "Account Change",
        {"Create": 1, "Enable": 2, "Password Change": 3, "Password Reset": 4, "Disable": 5, "Delete": 6},
    ),
    "authentication": Class(3002, 3, "Authentication", {"Logon": 1, "Logoff": 2}),
    "entity_management": Class(3004, 3, "Entity Management", _CRUD),
    "user_access": Class(3005, 3, "User Access Management", {"Assign Privileges": 1, "Revoke Privileges": 2}),
    "group_management": Class(3006, 3, "Group Management", {"Delete": 5, "Create": 6}),
    "web_resources_activity": Class(
        6001, 6, "Web Resources Activity", {**_CRUD, "Search": 5, "Import": 6, "Export": 7, "Share": 8}
    ),
    "application_lifecycle": Class(
        6002, 6, "Application Lifecycle", {"Install": 1, "Remove": 2, "Start": 3, "Stop": 4, "Update": 8}
    ),
    "api_activity": Class(6003, 6, "API Activity", _CRUD),
    "datastore_activity": Class(
        6005,
        6,
        "Datastore Activity",
        {"Read": 1, "Update": 2, "Connect": 3, "Query": 4, "Write": 5, "Create": 6, "Delete": 7},
    ),
}
CATEGORIES: Final = {3: "Identity & Access Management", 6: "Application Activity"}
SEVERITIES: Final = {
    "debug": (1, "Informational"),
    "info": (1, "Informational"),
    "usage": (1, "Informational"),
    "audit": (1, "Informational"),
    "warning": (3, "Medium"),
    "error": (4, "High"),
}
_FAILED: Final = ("failed", "failure", "error", "denied", "refused", "forbidden", "unauthorized")


class Rule(NamedTuple):
    """A line of the table: patterns of types, and what they become."""

    patterns: tuple[str, ...]
    class_name: str
    activity: str


def encode(batch: Sequence[Offered]) -> list[bytes]:
    """The lines of events, in their order."""
    return [msgspec.json.encode(mapped(offered)) for offered in batch]


def mapped(offered: Offered) -> dict[str, Any]:
    """An event as a dict of OCSF."""
    seq, event, provenance = offered
    rule = rule_of(event.type)
    found = CLASSES[rule.class_name]
    activity_id = found.activities.get(rule.activity, _OTHER)
    severity_id, severity = SEVERITIES[event.level]
    parameters = parameters_of(event)
    told: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_name": rule.activity,
        "category_uid": found.category_uid,
        "category_name": CATEGORIES[found.category_uid],
        "class_uid": found.uid,
        "class_name": found.caption,
        "type_uid": found.uid * 100 + activity_id,
        "type_name": f"{found.caption}: {rule.activity}",
        "time": _epoch_ms(event.time),
        "severity_id": severity_id,
        "severity": severity,
        **_status(event),
        "metadata": _metadata(seq, event, provenance),
        "actor": _actor(event, parameters),
        "src_endpoint": _endpoint(event, provenance),
        **_SUBJECTS[rule.class_name](event),
    }
    if event.description:
        told["message"] = event.description
    if event.duration_ms is not None:
        told["duration"] = round(event.duration_ms)
    told["unmapped"] = _unmapped(event, parameters)
    return told


@cache
def rules() -> tuple[Rule, ...]:
    """The table."""
    lines = files("whodid.data").joinpath("ocsf.tsv").read_text("utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return tuple(Rule(tuple(types.split(",")), class_name, activity) for types, class_name, activity in rows)


def rule_of(type_: str) -> Rule:
    """The first line of the table that fits a type; the last fits all."""
    rule = _REMEMBERED.get(type_)
    if rule is None:
        rule = next(rule for rule in rules() if any(fnmatchcase(type_, pattern) for pattern in rule.patterns))
        if len(_REMEMBERED) < _RULES_REMEMBERED:
            _REMEMBERED[type_] = rule
    return rule


_REMEMBERED: Final[dict[str, Rule]] = {}


def _epoch_ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _status(event: Event) -> dict[str, Any]:
    failed = event.level == "error" or bool(event.error_message) or (event.status or "").lower() in _FAILED
    failed = failed or event.type.endswith(_FAILED) or event.topic in ("authfail", "generic-failure")
    told: dict[str, Any] = {"status_id": 2 if failed else 1, "status": "Failure" if failed else "Success"}
    if event.status:
        told["status_code"] = event.status
    if event.error_message:
        told["status_detail"] = event.error_message
    return told


def _metadata(seq: int, event: Event, provenance: Provenance) -> dict[str, Any]:
    told: dict[str, Any] = {
        "version": VERSION,
        "product": {"name": "whodid", "vendor_name": "whodid", "version": __version__},
        "uid": event.id,
        "event_code": event.type,
        "log_name": event.topic,
        "log_provider": event.node or provenance.receiver,
        "logged_time": _epoch_ms(provenance.received_at),
        "sequence": seq,
    }
    if event.request_id:
        told["correlation_uid"] = event.request_id
    return told


def _actor(event: Event, parameters: dict[str, Any]) -> dict[str, Any]:
    actor: dict[str, Any] = {}
    if event.user:
        actor["user"] = {"name": event.user}
    if event.session:
        actor["session"] = {"uid": event.session}
    if event.via or not actor:
        actor["invoked_by"] = event.via or event.node or event.source
    if isinstance(parameters.get("application"), str):
        actor["app_name"] = parameters["application"]
    return actor


def _endpoint(event: Event, provenance: Provenance) -> dict[str, Any]:
    return {"ip": provenance.orig_address} if provenance.orig_address else {"name": event.node or "unknown"}


def _unmapped(event: Event, parameters: dict[str, Any]) -> dict[str, Any]:
    names = ("level", "source", "acting_for", "via", "routing_key", "node_type", "error_stack_trace", "error_hash")
    told = {name: value for name in names if (value := getattr(event, name)) is not None}
    if len(event.entities) > 1:
        told["entities"] = msgspec.to_builtins(event.entities)
    if parameters:
        told["parameters"] = parameters
    return told


def _named(entity: Entity | None, otherwise: str) -> dict[str, Any]:
    """An entity as OCSF names things."""
    if entity is None:
        return {"name": otherwise}
    return {"name": entity.name or entity.id, "uid": entity.id, "type": entity.type}


def _first(event: Event, *types: str) -> Entity | None:
    return next((entity for entity in event.entities if entity.type in types), None)


def _user(event: Event) -> dict[str, Any]:
    """Whose account it is about: an entity of that type, else who did it."""
    entity = _first(event, "user")
    if entity is not None:
        return {"name": entity.name or entity.id, "uid": entity.id}
    return {"name": event.acting_for or event.user or "unknown"}


def _authentication(event: Event) -> dict[str, Any]:
    return {"user": {"name": event.user or "unknown"}, "service": {"name": event.node or "whodid"}}


def _account_change(event: Event) -> dict[str, Any]:
    return {"user": _user(event)}


def _user_access(event: Event) -> dict[str, Any]:
    role = parameters_of(event).get("role")
    return {"user": _user(event), "privileges": [str(role)] if role else [event.type]}


def _group_management(event: Event) -> dict[str, Any]:
    return {"group": _named(_first(event, "group") or _any(event), event.type), "user": _user(event)}


def _entity_management(event: Event) -> dict[str, Any]:
    return {"entity": _named(_any(event), event.type)}


def _web_resources(event: Event) -> dict[str, Any]:
    return {"web_resources": [_named(entity, event.type) for entity in event.entities] or [{"name": event.type}]}


def _application(event: Event) -> dict[str, Any]:
    return {"app": {"name": event.node or "whodid", "vendor_name": "whodid"}}


def _datastore(event: Event) -> dict[str, Any]:
    database = _first(event, "connection", "database") or _any(event)
    told: dict[str, Any] = {"database": {**_named(database, event.type), "type_id": _OTHER if database else 0}}
    query = parameters_of(event).get("sql") or parameters_of(event).get("query")
    if isinstance(query, str) and query:
        told["query_info"] = {"query_string": query}
    return told


def _api(event: Event) -> dict[str, Any]:
    api: dict[str, Any] = {"operation": event.function or event.type}
    if event.request_id:
        api["request"] = {"uid": event.request_id}
    told: dict[str, Any] = {"api": api}
    if event.entities:
        told["resources"] = [_named(entity, event.type) for entity in event.entities]
    return told


def _any(event: Event) -> Entity | None:
    return event.entities[0] if event.entities else None


_SUBJECTS: Final[dict[str, Callable[[Event], dict[str, Any]]]] = {
    "authentication": _authentication,
    "account_change": _account_change,
    "user_access": _user_access,
    "group_management": _group_management,
    "entity_management": _entity_management,
    "web_resources_activity": _web_resources,
    "application_lifecycle": _application,
    "datastore_activity": _datastore,
    "api_activity": _api,
}
