"""Panes for other applications: tokens that open one of them, the elements, and pages for frames."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from litestar import Response
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.reading.filters import EventFilter, split_entity
from whodid.receive.pane_tokens import LIFETIME_S, LIFETIME_S_MAX, PARTS, SERVER_KEY, Claims, Part, signed
from whodid.web.answers import json_answer
from whodid.web.browsers import happened
from whodid.web.pages.frame import environment
from whodid.web.requests import Req, body_of, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.security import framed_by

FRAME_QUERY: Final = ("entity", "user", "since", "until", "theme")
TEXT_MAX: Final = 2_000

# A page of any origin may load it: it is the same for everybody and holds no secret.
_MODULE_HEADERS: Final = {
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": "public, max-age=300",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}


class NewPaneToken(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a token shall show: an entity (type:id) or a user, which parts of it, how long, and to whom."""

    entity: str | None = None
    user: str | None = None
    parts: tuple[Part, ...] = ("activity", "usage")
    lifetime_s: int = LIFETIME_S
    viewer: str | None = None


async def create_pane_token(request: Req) -> Response[bytes]:
    """Make a token that shows the panes of one entity or user to a page of an application, for 10 minutes or so."""
    new, services, caller = await body_of(request, NewPaneToken), services_of(request), caller_of(request)
    if caller.session_id is not None:
        raise WhodidError(
            "forbidden",
            "Tokens of panes are made by applications.",
            "Make a key for it: whodid key create NAME --scope read",
        )
    claims = _claims(new, caller.key_id)
    key = await services.call(services.directory.server_key, SERVER_KEY)
    told: dict[str, Any] = {
        "parts": claims.parts,
        "viewer": claims.viewer,
        "lifetime_s": new.lifetime_s,
        "of": new.entity or new.user,
    }
    await services.call(services.record, happened("pane-token-created", name_of(caller), **told))
    ends = datetime.fromtimestamp(claims.expires_at, UTC)
    return json_answer({"token": signed(claims, key), "expires_at": ends, "parts": list(claims.parts)}, status=201)


async def end_pane_tokens(request: Req) -> Response[bytes]:
    """End all tokens of panes at once, by another server key."""
    services = services_of(request)
    await services.call(services.directory.rotate_server_key, SERVER_KEY, by=name_of(caller_of(request)))
    return json_answer({"ended": True})


async def panes_js(request: Req) -> Response[bytes]:
    """The elements whodid-activity and whodid-usage as an ES module."""
    query_of(request, [])
    body, tag = _module()
    headers = {**_MODULE_HEADERS, "etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers)


async def pane_frame(request: Req) -> Response[bytes]:
    """A pane as a page for frames of allowed origins. It holds nothing: its token stays behind the # of its address."""
    given, services, part = query_of(request, FRAME_QUERY), services_of(request), segments(request)[1]
    told = {name: one(given, name) for name in FRAME_QUERY if one(given, name)}
    if part not in PARTS:
        raise WhodidError("not_found", "There is nothing at this address.", f"Panes: {', '.join(PARTS)}.")
    if ("entity" in told) == ("user" in told) or any(len(text) > TEXT_MAX for text in told.values()):
        raise WhodidError("invalid", "A pane shows an entity or a user.", "Name one: ?entity=type:id or ?user=login.")
    text = (
        environment()
        .get_template("pane.html")
        .render(
            part=part,
            what=told.get("entity") or told["user"],
            attributes=told,
            theme=told.get("theme", "") if told.get("theme") in ("light", "dark") else "",
        )
    )
    headers = {
        "content-security-policy": framed_by(services.access.origins()),
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(text.encode(), media_type="text/html", headers=headers)


def _claims(new: NewPaneToken, key_id: str | None) -> Claims:
    if (new.entity is None) == (new.user is None):
        raise WhodidError("invalid", "A token shows an entity or a user.", "Name one of them.")
    if not 1 <= new.lifetime_s <= LIFETIME_S_MAX:
        raise WhodidError("invalid", f"lifetime_s is {new.lifetime_s}; it goes from 1 to {LIFETIME_S_MAX:,}.")
    if not new.parts:
        raise WhodidError("invalid", "A token without parts shows nothing.", f"Parts: {', '.join(PARTS)}.")
    EventFilter(user=[new.user] if new.user is not None else [], entity=[new.entity] if new.entity is not None else [])
    return Claims(
        parts=tuple(dict.fromkeys(new.parts)),
        expires_at=int(time.time()) + new.lifetime_s,
        key_id=key_id,
        entity=split_entity(new.entity) if new.entity is not None else None,
        user=new.user,
        viewer=new.viewer[:200] if new.viewer else None,
    )


@cache
def _module() -> tuple[bytes, str]:
    body = (files("whodid.web") / "static" / "panes.js").read_bytes()
    return body, f'"{sha256(body).hexdigest()[:32]}"'
