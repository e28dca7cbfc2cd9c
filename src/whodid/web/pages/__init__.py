"""Pages for people: overview, sign-in, description of the API, errors."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from whodid import __version__
from whodid.directory.sign_in import COOKIE, SESSION_LIFETIME_S
from whodid.errors import WhodidError
from whodid.event import Event, new_id
from whodid.reading import read
from whodid.reading.cells import python_rows
from whodid.reading.filters import EventFilter
from whodid.web import words
from whodid.web.answers import error_answer, json_answer, request_id_of, told_of
from whodid.web.events import record
from whodid.web.requests import Req, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.services import Services

SPAN: Final = "30d"
NEWEST: Final = 20
REMEMBERED_S: Final = 15.0
_STATIC: Final = {"whodid.css": "text/css"}


@cache
def _pages() -> Environment:
    pages = Environment(loader=PackageLoader("whodid.web"), autoescape=True, undefined=StrictUndefined)
    pages.filters.update(words.FILTERS)
    pages.globals["version"] = __version__
    return pages


def _page(name: str, *, status: int = 200, headers: dict[str, str] | None = None, **content: Any) -> Response[bytes]:
    text = _pages().get_template(name).render(**content)
    return Response(text.encode(), status_code=status, media_type="text/html", headers=headers or {})


async def overview(request: Req) -> Response[bytes]:
    """The last 30 days on one page."""
    query_of(request, [])
    services = services_of(request)
    await record(request, "audit-read", "overview", {"since": SPAN}, "page")
    usage, newest = await _overview(services)
    return await services.call(
        _page,
        "overview.html",
        who=name_of(caller_of(request)),
        usage=usage,
        numbers=python_rows(usage.parts["numbers"])[0],
        parts={name: python_rows(table) for name, table in usage.parts.items()},
        newest=python_rows(newest.table),
    )


async def _overview(services: Services) -> tuple[read.Usage, read.Page]:
    """Usage is remembered for a moment: it reads 30 days, however many people look."""
    memory = services.overview
    async with memory.lock:
        if memory.usage is None or time.monotonic() - memory.at > REMEMBERED_S:
            wanted = EventFilter(since=SPAN)
            memory.usage = await services.call(read.usage, services.store, services.directory, wanted)
            memory.at = time.monotonic()
    wanted = EventFilter(limit=NEWEST, since=SPAN)
    return memory.usage, await services.call(read.events, services.store, services.directory, wanted)


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
    return _page("signed_in.html", headers={"set-cookie": cookie})


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

    return _page("docs.html", api=description())


async def static(request: Req) -> Response[bytes]:
    """The style sheet of the pages."""
    name = segments(request)[1]
    if name not in _STATIC:
        raise WhodidError("not_found", "There is nothing at this address.")
    return Response(_file(name), media_type=_STATIC[name], headers={"cache-control": "public, max-age=300"})


@cache
def _file(name: str) -> bytes:
    return (files("whodid.web") / "static" / name).read_bytes()


def wants_page(request: Req) -> bool:
    """Whether a browser asked for a page, so that its error is a page too."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def error_page(request: Req, error: Exception) -> Response[bytes]:
    """An error for people."""
    plain = error_answer(request, error)
    told = told_of(error)
    return _page(
        "error.html",
        status=plain.status_code or 500,
        headers={name: value for name, value in plain.headers.items() if name != "content-type"},
        error=told,
        request_id=request_id_of(request).decode(),
    )
