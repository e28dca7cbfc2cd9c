"""Sign-in by link, and the description of the API."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from litestar import Response

from whodid.directory.sign_in import COOKIE, SESSION_LIFETIME_S
from whodid.event import Event, new_id
from whodid.web.answers import json_answer
from whodid.web.pages.frame import page
from whodid.web.requests import Req, one, query_of, services_of


async def sign_in(request: Req) -> Response[bytes]:
    """Use up a one-time token; the browser is signed in by a cookie.

    The answer is a page that leads on instead of a redirect: a strict cookie is not sent along a redirect that began
    on another site, such as a mail with the link.
    """
    token = one(query_of(request, ["token"]), "token")
    services = services_of(request)
    address = request.client.host if request.client else None
    session, secret = await services.call(services.directory.sign_in, token, address=address)
    await services.call(services.record, _signed_in(session.user, address))
    secure = "; Secure" if request.url.scheme == "https" else ""
    cookie = f"{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_LIFETIME_S}{secure}"
    return page(request, "signed_in.html", headers={"set-cookie": cookie})


def _signed_in(user: str | None, address: str | None) -> Event:
    told = msgspec.json.encode({"address": address})
    return Event(
        id=new_id(),
        time=datetime.now(UTC),
        type="sign-in",
        source="server",
        user=user or "signed-in browser",
        description="Signed in with a link.",
        parameters=msgspec.Raw(told),
    )


async def openapi_json(request: Req) -> Response[bytes]:
    """This description of the API."""
    from whodid.web.openapi import description

    return json_answer(description())


async def docs(request: Req) -> Response[bytes]:
    """The description of the API as a page."""
    from whodid.web.openapi import description

    return page(request, "docs.html", api=description())
