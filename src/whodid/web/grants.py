"""Roles over HTTP: who has which, and within which limits."""

from __future__ import annotations

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, caller_of, name_of, query_of, segments, services_of


class NewGrant(Struct, kw_only=True, forbid_unknown_fields=True):
    """A role for a user or a group; a reader sees `projects`, `entities` (type:id, type:*) and with `own` itself."""

    role: str
    user: str | None = None
    group: str | None = None
    projects: list[str] = []
    entities: list[str] = []
    own: bool = True


async def list_grants(request: Req) -> Response[bytes]:
    """Who has which role."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"grants": msgspec.to_builtins(await services.call(services.directory.grants))})


async def create_grant(request: Req) -> Response[bytes]:
    """Give a role to a user or to all members of a group; it counts everywhere after a second."""
    new, services = await body_of(request, NewGrant), services_of(request)
    by = name_of(caller_of(request))
    grant = await services.call(services.directory.grant, by=by, **msgspec.structs.asdict(new))
    return json_answer(msgspec.to_builtins(grant), status=201)


async def revoke_grant(request: Req) -> Response[bytes]:
    """Take a role back."""
    services, grant_id = services_of(request), segments(request)[2]
    grant = await services.call(services.directory.revoke_grant, grant_id, by=name_of(caller_of(request)))
    return json_answer(msgspec.to_builtins(grant))
