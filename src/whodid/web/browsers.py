"""Beginning and ending the session of a browser: its cookie, its session in the directory, and the events that tell."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Response

from whodid.directory.model import BrowserSession
from whodid.directory.sign_in import COOKIE
from whodid.errors import WhodidError
from whodid.event import Event, new_id
from whodid.receive.access import Caller, loopback
from whodid.web.requests import Req, services_of
from whodid.web.services import Services

FORM_BYTES_MAX: Final = 16 * 1024
FIELDS_MAX: Final = 20
FORM: Final = "application/x-www-form-urlencoded"


def is_https(request: Req) -> bool:
    """Whether the browser speaks https with us, or with a proxy before us."""
    public: str = services_of(request).config.public_url
    return public.lower().startswith("https://") if public else request.url.scheme == "https"


def address_of(request: Req) -> str | None:
    """The address that asks: behind a proxy of this machine that `public_url` tells of, what the proxy says."""
    address = request.client.host if request.client else None
    if address and services_of(request).config.public_url and loopback(address):
        return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:100] or address
    return address


def browser_of(request: Req) -> dict[str, Any]:
    """What is kept of a browser with its session."""
    config = services_of(request).config
    return {
        "address": address_of(request),
        "user_agent": request.headers.get("user-agent"),
        "lifetime_s": config.browser_lifetime_ms / 1000,
        "idle_ms": config.browser_idle_ms,
    }


async def form_of(request: Req, *, bytes_max: int = FORM_BYTES_MAX, fields_max: int = FIELDS_MAX) -> dict[str, str]:
    """The fields of a form that a page of ours sent.

    Raises
    ------
    WhodidError("forbidden")
        A page of another site sent it: it would sign its visitor in as somebody else.
    WhodidError("unsupported"), WhodidError("too_large"), WhodidError("invalid")
        It is no form, too long, or cannot be read.
    """
    services_of(request).access.refuse_forged(dict(request.scope["headers"]))
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > bytes_max:
            raise WhodidError("too_large", f"The form is longer than {bytes_max:,} bytes.")
    if data and request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise WhodidError("unsupported", "This takes a form.", f"Send {FORM}.")
    try:
        return dict(parse_qsl(bytes(data).decode(), keep_blank_values=True, max_num_fields=fields_max))
    except ValueError as error:
        raise WhodidError("invalid", "The form cannot be read.", "Send it again.") from error


async def begun(request: Req, session: BrowserSession, secret: str) -> str:
    """Everything that belongs to a sign-in but who it is; returns the header that sets the cookie."""
    services = services_of(request)
    await services.call(_begin, services, session, request.cookies.get(COOKIE))
    rest = "; Secure" if is_https(request) else ""
    age = int((session.expires_at - session.created_at).total_seconds())
    return f"{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{rest}"


def _begin(services: Services, session: BrowserSession, before: str | None) -> None:
    directory = services.directory
    if before is not None and (old := directory.browser_session(before)) is not None:
        # One browser, one session: nobody goes on in what somebody else began here.
        end(services, old, by="sign-in")
    known = directory.signing_in(session.user) is not None if session.user else False
    directory.open_session(
        session.user if known else None,
        id=session.id,
        ip=session.address,
        user_agent=session.user_agent,
        client="whodid",
        at=session.created_at,
    )
    services.record(told("user-logged-in", session, way=session.way))


def end(services: Services, session: BrowserSession, *, by: str) -> None:
    """End the session of a browser; it counts nowhere after a second."""
    services.directory.sign_out(session.id)
    with suppress(WhodidError):
        services.directory.end_session(session.id, by=by)
    services.record(told("user-logged-out", session, by=by))


def ended_cookie(request: Req) -> str:
    """The header that takes the cookie away."""
    return f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{'; Secure' if is_https(request) else ''}"


def session_of(request: Req, caller: Caller) -> BrowserSession | None:
    """The browser session that asks; None for a key."""
    secret = request.cookies.get(COOKIE)
    found = services_of(request).directory.browser_session(secret) if secret else None
    return found if found is not None and found.id == caller.session_id else None


def told(kind: str, session: BrowserSession, **more: Any) -> Event:
    """The event of something that a signed-in browser did."""
    return happened(kind, session.user or "signed-in browser", address=session.address, session=session.id, **more)


def happened(
    kind: str, user: str | None, *, session: str | None = None, address: str | None = None, **more: Any
) -> Event:
    """An event about signing in. Never give it a password, a token or a cookie."""
    # Reports and alerts look for the address under this name.
    told = {"ip": address, **more}
    parameters: Mapping[str, Any] = {name: value for name, value in told.items() if value is not None}
    return Event(
        id=new_id(),
        time=datetime.now(UTC),
        type=kind,
        source="server",
        user=user,
        session=session,
        parameters=msgspec.Raw(msgspec.json.encode(parameters)),
    )


def goes_on(where: str, cookie: str | None = None) -> Response[bytes]:
    """To another page of ours, by GET."""
    headers = {"location": where, **({"set-cookie": cookie} if cookie else {})}
    return Response(b"", status_code=303, headers=headers, media_type="text/plain")
