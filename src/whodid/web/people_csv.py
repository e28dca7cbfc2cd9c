"""Users and groups as CSV over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response

from whodid.directory.csv_rows import BYTES_MAX
from whodid.directory.people_csv import export_groups, export_users, import_groups, import_users
from whodid.errors import WhodidError
from whodid.web.answers import json_answer
from whodid.web.events import record
from whodid.web.requests import Req, caller_of, name_of, one, query_of, services_of

CSV = "text/csv"


async def get_users(request: Req) -> Response[bytes]:
    """The users that were made, as CSV."""
    return await _exported(request, export_users, "users")


async def get_groups(request: Req) -> Response[bytes]:
    """The groups with their members, as CSV."""
    return await _exported(request, export_groups, "groups")


async def post_users(request: Req) -> Response[bytes]:
    """Make and change users from CSV; `dry_run=true` only says what would be done, and which rows are refused."""
    return await _imported(request, import_users)


async def post_groups(request: Req) -> Response[bytes]:
    """Make groups from CSV, and put members into them; `dry_run=true` only says what would be done."""
    return await _imported(request, import_groups)


async def _exported(request: Req, export: Callable[..., bytes], name: str) -> Response[bytes]:
    query_of(request, [])
    services = services_of(request)
    await record(request, "audit-exported", name, {}, "csv")
    data = await services.call(export, services.directory)
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(data, media_type=f"{CSV}; charset=utf-8", headers=headers)


async def _imported(request: Req, take: Callable[..., Any]) -> Response[bytes]:
    text = one(query_of(request, ["dry_run"]), "dry_run", "false").lower()
    if text not in ("true", "false"):
        raise WhodidError("invalid", f"dry_run is {text[:50]!r}.", "It is true or false.")
    media_type = request.headers.get("content-type", CSV).partition(";")[0].strip().lower()
    if media_type not in (CSV, "text/plain", "application/octet-stream"):
        raise WhodidError("unsupported", f"The body is {media_type[:100]!r}.", f"Send {CSV}.")
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > BYTES_MAX:
            raise WhodidError("too_large", f"The body is longer than {BYTES_MAX:,} bytes.", "Split it.")
    services, by = services_of(request), name_of(caller_of(request))
    done = await services.call(take, services.directory, bytes(data), by=by, dry_run=text == "true")
    return json_answer(msgspec.to_builtins(done))
