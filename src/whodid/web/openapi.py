"""The description of the API as OpenAPI 3.1, made from the table of routes and the types of bodies."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import msgspec

from whodid import __version__
from whodid.errors import CODES
from whodid.reading.filters import LISTS
from whodid.reading.output import FORMATS
from whodid.reading.read import USAGE_PARTS
from whodid.reports.common import FIELDS, ZONE
from whodid.reports.common import FILTERS as COMMON
from whodid.web.openapi_doors import DOOR_TYPES, DOORS, Door
from whodid.web.pages.spans import RANGES
from whodid.web.routes import ROUTES, Route

_TIME: Final = "ISO 8601 (without zone: UTC), or how long ago: 30m, 24h, 7d, 2w."

# What each query parameter means.
PARAMETERS: Final[dict[str, str]] = {
    "since": f"From this time on. {_TIME}",
    "until": f"Before this time. {_TIME}",
    "user": "What this login did, or what was done for it.",
    "group": "What members of this group did, through groups within it.",
    "type": "Type of event; * stands for anything: query-*.",
    "kind": "What reports count the event as: run, use or error.",
    "level": "audit, usage, error, warning, info or debug.",
    "topic": "Topic of the event.",
    "entity": "type:id of a thing that the event touched in any role.",
    "session": "Session of the event.",
    "function": "Function that was run.",
    "status": "What came of it.",
    "node": "Node that sent it.",
    "request_id": "Request it belongs to.",
    "error_hash": "Group of the error, a UUID.",
    "project": "Project of the event, by its key.",
    "parameter": "name=value: a parameter of the event.",
    "item": "kind:name of an item of the interface: menu, dialog, click, command or input.",
    "service": "API service that was asked.",
    "endpoint": "Endpoint of the API service.",
    "version": "Version of the API service that answered.",
    "caller": "Who asked the API service.",
    "text": "Part of a description, name, error or parameter, in any case.",
    "order": "newest or oldest first.",
    "limit": "Rows at most.",
    **{parameter.name: f"{parameter.help[0].upper()}{parameter.help[1:]}." for parameter in (*COMMON, ZONE)},
    "offset": "Rows to leave out.",
    "cursor": "next_cursor of the page before.",
    "format": f"{', '.join(FORMATS)}; instead of the Accept header.",
    "part": f"One part as a table: {', '.join(USAGE_PARTS)}.",
    "revoked": "true: also keys that count no more.",
    "for": "receiving: only whether events can be taken, whatever the store does.",
    "retired": "true: also those that were retired.",
    "personal": "true: also the groups of single users.",
    "token": "The token of a sign-in link.",
    "next": "Path of a page of this server to go on to.",
    "theme": "light or dark instead of what the browser's user prefers.",
    "code": "What the identity provider gave the browser.",
    "state": "Of groups of errors: all, open, muted, resolved, back. At sign-in: what the browser was given.",
    "users": "What these logins did, or what was done for them.",
    "groups": "What members of these groups did, through groups within them.",
    "entities": "type:id of things that the events touched in any role.",
    "projects": "Projects of the events, by their keys.",
    "topics": "Topics of the events.",
    "types": "Types of event; * stands for anything: query-*.",
    "levels": "Levels: audit, usage, error, warning, info, debug.",
    "iss": "Which identity provider answers.",
    "error": "Why the identity provider refused.",
    "error_description": "The same in words.",
    "error_uri": "Where more is said of it.",
    "session_state": "The identity provider's session.",
    "path": "Path within the connection.",
    "partition": "Partition of the dataset.",
    "engine": "Engine that the view is for.",
    "refresh": "true: look at the files again instead of what is remembered.",
    "connection": "Connection that the dataset lies on.",
    "seen": "1: those that only events mention.",
    "sql": "Statement that stands in the console.",
    "saved": "Saved query that stands in the console.",
    "history": "1: with what one has asked before.",
    "done": "What the page says was done.",
    "drop": "true: also take away what was made of it.",
    "open": "true: only sessions that go on; false: only those that have ended.",
    "dry_run": "true: nothing is done, it is only said what would be.",
    "anonymous": "true: only sessions without a user; false: only those with one.",
    "filter": 'SCIM filter: userName eq "ada", emails[type eq "work" and value ew "@example.org"], …',
    "sortBy": "Attribute to sort by.",
    "sortOrder": "ascending or descending.",
    "startIndex": "First result of the page, counted from 1.",
    "count": "Results at most.",
    "attributes": "Only these attributes, separated by commas.",
    "excludedAttributes": "All attributes but these, separated by commas.",
    "range": f"Time range by name: {', '.join(RANGES)}.",
    "full": "1: the page as a whole, with tables instead of charts.",
    "q": 'A search: user:erika type:query-* -level:debug "timeout" after:2026-11-01.',
    "focus": "1: the cursor stands in the search.",
    "field": "The field to suggest values of.",
    "about": "What the tile's page is about, in the order of its path.",
    "sort": "Column to sort by; - in front: from the largest.",
    "all": "1: all rows instead of the first; of sign-ins: everybody's; of firings true: what ended, too.",
    "rule": "Only what this alert found.",
    "report": "Report that a new schedule is for.",
}

_ERRORS: Final = ("invalid", "unauthorized", "forbidden", "not_found", "busy", "internal", "unavailable", "full")
_BODY_ERRORS: Final = ("too_large", "unsupported", "conflict", "timeout")


@cache
def description() -> dict[str, Any]:
    """The whole description."""
    bodies = [route.body for route in ROUTES if route.body is not None]
    _, schemas = msgspec.json.schema_components([*bodies, *DOOR_TYPES], ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for door in DOORS:
        paths.setdefault(door.path, {})["post"] = _door(door)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "whodid",
            "version": __version__,
            "description": "Who did what, when, to which thing, and what came of it.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Error": _error_schema()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-zA-Z]+', '_', route.path)}".rstrip("_"),
        "summary": (route.handler.__doc__ or "").strip().partition("\n")[0],
        "tags": [route.tag],
        "x-scope": route.scope,
        "parameters": [*_path_parameters(route), *(_query_parameter(name) for name in route.query)],
        "responses": _responses(route),
    }
    if route.body is not None:
        reference = {"$ref": f"#/components/schemas/{route.body.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    operation["security"] = [] if route.scope == "public" else [{"key": []}]
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "Percent-encoded as one segment, slashes too.",
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name in LISTS or name in FIELDS:
        schema = {"type": "array", "items": {"type": "string"}}
    elif name in ("limit", "offset"):
        schema = {"type": "integer", "minimum": 1 if name == "limit" else 0}
    elif name == "format":
        schema = {"type": "string", "enum": list(FORMATS)}
    elif name == "order":
        schema = {"type": "string", "enum": ["newest", "oldest"]}
    elif name == "part":
        schema = {"type": "string", "enum": list(USAGE_PARTS)}
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": PARAMETERS[name],
        "schema": schema,
        **({"style": "form", "explode": True} if name in LISTS or name in FIELDS else {}),
    }


def _responses(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {form: {} for form in route.forms}
    codes = (*_ERRORS, *_BODY_ERRORS) if route.body is not None or route.method != "GET" else (*_ERRORS, "timeout")
    return {str(route.status): {"description": "Done.", "content": content}, **_errors(codes)}


def _errors(codes: tuple[str, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}, "text/html": {}}
    return {str(CODES[code].status): {"description": code, "content": content} for code in codes}


def _door(door: Door) -> dict[str, Any]:
    return {
        "operationId": f"post{re.sub(r'[^a-zA-Z]+', '_', door.path)}",
        "summary": door.summary,
        "description": door.description,
        "tags": [door.tag],
        "x-scope": "write",
        "parameters": [],
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": {form: {"schema": schema} for form, schema in door.body.items()}},
        "responses": {
            "200": {"description": "On disk.", "content": {"application/json": {"schema": door.answer}}},
            **_errors((*_ERRORS, *_BODY_ERRORS)),
        },
    }


def _error_schema() -> dict[str, Any]:
    text = {"type": "string"}
    fields = {
        "code": {"type": "string", "enum": list(CODES)},
        "message": text,
        "hint": {"type": ["string", "null"]},
        "request_id": text,
    }
    error = {"type": "object", "properties": fields, "required": list(fields)}
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}
