"""The frame of every page: its template environment, navigation, theme and time zone; and errors as pages."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from whodid import __version__
from whodid.reading.filters import literal
from whodid.receive.access import Caller
from whodid.web import words
from whodid.web.answers import error_answer, request_id_of, told_of
from whodid.web.pages import assets, links
from whodid.web.pages.navigation import stops_for
from whodid.web.pages.spans import RANGES, zone_of
from whodid.web.requests import Req

ZONE_COOKIE: Final = "whodid_zone"
THEME_COOKIE: Final = "whodid_theme"
_THEMES: Final = ("light", "dark")
# What programs and scripts ask for, not people.
_NO_PAGES: Final = ("/v1/", "/tiles/", "/card/", "/suggest", "/events/rows", "/events/facets", "/events/shape")


@cache
def environment() -> Environment:
    """The templates, with the filters of `words`."""
    made = Environment(
        loader=PackageLoader("whodid.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS)
    made.filters["literal"] = literal
    made.filters["segment"] = lambda value: quote(str(value), safe="")
    made.globals.update(
        version=__version__,
        asset=assets.address_of,
        ranges=RANGES,
        has_card=links.has_card,
        page_link=links.page_link,
        entity_link=links.entity_link,
        user_link=links.user_link,
    )
    return made


def page(
    request: Req, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **content: Any
) -> Response[bytes]:
    """A whole page in the frame. `content` is what its template needs, `at` the path of the navigation it is under."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if status == 200:
        request.app.state.warmth.charts()
    frame = {
        "who": (caller.user or caller.name) if caller else "",
        "limited": caller is not None and caller.sight.is_limited,
        "stops": stops_for(caller) if caller else [],
        "theme": theme_of(request),
        "zone": zone(request),
        "at": request.url.path,
        "kept": content["choice"].address() if "choice" in content else "",
    }
    content = {**frame, **content}
    return Response(
        text(template, **content).encode(), status_code=status, media_type="text/html", headers=headers or {}
    )


def text(template: str, **content: Any) -> str:
    """A part of a page as text."""
    return environment().get_template(template).render(**content)


def html(content: str) -> Response[bytes]:
    """A part of a page as an answer."""
    return Response(content.encode(), media_type="text/html")


def fragment(template: str, **content: Any) -> Response[bytes]:
    """A part of a page."""
    return html(text(template, **content))


def zone(request: Req) -> str:
    """The reader's time zone, as their browser told it; UTC before it did."""
    return zone_of(request.cookies.get(ZONE_COOKIE, "").replace("%2F", "/"))


def theme_of(request: Req) -> str:
    """light, dark, or empty for what the system says."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in _THEMES else ""


def wants_page(request: Req) -> bool:
    """Whether a browser asked for a page, so that its error is a page too."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_NO_PAGES)


def error_page(request: Req, error: Exception) -> Response[bytes]:
    """An error for people."""
    plain = error_answer(request, error)
    return page(
        request,
        "error.html",
        status=plain.status_code or 500,
        headers={name: value for name, value in plain.headers.items() if name != "content-type"},
        error=told_of(error),
        request_id=request_id_of(request).decode(),
    )
