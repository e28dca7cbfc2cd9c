"""Connections over HTTP: made and changed by administrators, used by whom they let."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from whodid.datasets.connections import Connection
from whodid.errors import WhodidError
from whodid.places.base import kinds_shown
from whodid.web import in_use
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, bounded, caller_of, name_of, one, query_of, segments, services_of


class NewConnection(Struct, kw_only=True, forbid_unknown_fields=True):
    """A place by name; `users` and `groups` may use it besides administrators."""

    name: str
    kind: str
    options: dict[str, str] = {}
    users: list[str] = []
    groups: list[str] = []
    description: str | None = None


class ConnectionFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change; options one by one, an empty one is taken away."""

    options: dict[str, str] | UnsetType = UNSET
    users: list[str] | UnsetType = UNSET
    groups: list[str] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class SwitchOn(Struct, kw_only=True, forbid_unknown_fields=True):
    """How an extension is switched on: below the place of which connection its files go, and from when on."""

    connection: str | None = None
    start: str = "now"


async def list_extensions(request: Req) -> Response[bytes]:
    """The connections that come with the product, and which of them are on."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"extensions": await services.call(services.extensions.shown)})


async def switch_on_extension(request: Req) -> Response[bytes]:
    """Make the connection, the target and the dataset of an extension."""
    asked, services = await body_of(request, SwitchOn), services_of(request)
    shown = await services.call(
        services.extensions.switch_on,
        segments(request)[3],
        connection=asked.connection,
        start=asked.start,
        by=name_of(caller_of(request)),
    )
    return json_answer(shown, status=201)


async def switch_off_extension(request: Req) -> Response[bytes]:
    """Take them away again; the files stay."""
    services = services_of(request)
    shown = await services.call(services.extensions.switch_off, segments(request)[3], by=name_of(caller_of(request)))
    return json_answer(shown)


async def list_kinds(request: Req) -> Response[bytes]:
    """The kinds of place with their options, from which forms are made."""
    query_of(request, [])
    return json_answer({"kinds": kinds_shown()})


async def list_connections(request: Req) -> Response[bytes]:
    """The connections that the caller may use, without secrets."""
    query_of(request, [])
    services, caller = services_of(request), caller_of(request)
    is_admin = "admin" in caller.scopes

    def usable() -> list[dict[str, Any]]:
        connections = services.datasets.connections
        return [
            one.shown() for one in connections.all() if connections.may_use(one.name, caller.user, is_admin=is_admin)
        ]

    return json_answer({"connections": await services.call(usable)})


async def show_connection(request: Req) -> Response[bytes]:
    """A connection that the caller may use, without secrets."""
    name, services = segments(request)[2], services_of(request)
    await require_use(request, name)
    connection = await services.call(services.datasets.connections.get, name)
    return json_answer(connection.shown())


async def create_connection(request: Req) -> Response[bytes]:
    """Make a connection; its secrets are kept encrypted and never shown again."""
    new, services = await body_of(request, NewConnection), services_of(request)
    connection = Connection(
        name=new.name,
        kind=new.kind,
        options=new.options,
        users=tuple(new.users),
        groups=tuple(new.groups),
        description=new.description,
    )
    made = await services.call(services.datasets.connections.create, connection, by=name_of(caller_of(request)))
    return json_answer(made.shown(), status=201)


async def change_connection(request: Req) -> Response[bytes]:
    """Change what is named; who may use it, too."""
    fields, services, name = await body_of(request, ConnectionFields), services_of(request), segments(request)[2]
    changes = {field: value for field, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
    changed = await services.call(services.datasets.connections.change, name, changes, by=name_of(caller_of(request)))
    return json_answer(changed.shown())


async def delete_connection(request: Req) -> Response[bytes]:
    """Forget a connection that nothing uses; the files stay where they are."""
    services, name = services_of(request), segments(request)[2]
    await services.call(in_use.delete_connection, services, name, by=name_of(caller_of(request)))
    return json_answer({"deleted": name})


async def list_files(request: Req) -> Response[bytes]:
    """The first files below `path`: that the connection works, and what is there."""
    given, services, name = query_of(request, ["path", "limit"]), services_of(request), segments(request)[2]
    limit, path = bounded(given, "limit", 100, 1, 10_000), one(given, "path")
    await require_use(request, name)

    def found() -> list[dict[str, Any]]:
        place = services.datasets.connections.open(name)
        try:
            files = place.files(path)
            return [file._asdict() for _, file in zip(range(limit), files, strict=False)]
        finally:
            place.close()

    return json_answer({"files": await services.call(found)})


async def require_use(request: Req, name: str) -> None:
    """Raises unless the caller may use the connection; to somebody who may not, what is not there looks the same."""
    services, caller = services_of(request), caller_of(request)
    is_admin = "admin" in caller.scopes
    connections = services.datasets.connections
    if not is_admin and services.directory.setting(f"connection/{name}") is None:
        raise WhodidError("forbidden", f"You may not use the connection {name[:100]!r}.", "Ask an administrator.")
    await services.call(connections.require_use, name, caller.user, is_admin=is_admin)
