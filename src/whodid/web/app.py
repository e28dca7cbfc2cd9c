"""The web application: everything over HTTP but taking events in."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from whodid.errors import WhodidError
from whodid.web.answers import error_answer, request_id_of
from whodid.web.pages.answers import Memory
from whodid.web.pages.audit import Looks
from whodid.web.pages.frame import error_page, wants_page
from whodid.web.requests import Req, routed_path
from whodid.web.routes import ROUTES, Route
from whodid.web.services import Services

# Nothing is fetched from elsewhere; what runs and what styles are files of our own, never text of a page.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Web(Litestar):
    """Litestar, for which an encoded slash belongs to a name and does not divide the path."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": routed_path(scope)}
        await super().__call__(scope, receive, send)


def create_app(services: Services) -> Litestar:
    """The application on these parts. Every route has a rule of `routes.ROUTES`; without one nobody gets in."""
    return Web(
        route_handlers=[_handler(route) for route in ROUTES],
        guards=[_guard],
        exception_handlers={WhodidError: _failed, HTTPException: _failed, Exception: _failed},
        before_send=[_add_headers],
        state=State({"services": services, "answers": Memory(), "looks": Looks()}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )


def _handler(route: Route) -> HTTPRouteHandler:
    async def answer(request: Req) -> Any:
        return await route.handler(request)

    answer.__name__ = route.handler.__name__
    return HTTPRouteHandler(
        route.path.replace("}", ":str}"),
        http_method=route.method,
        status_code=route.status,
        opt={"scope": route.scope},
    )(answer)


def _guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    scope = handler.opt.get("scope")
    if scope == "public":
        return
    if scope is None:
        raise WhodidError("forbidden", "There is no rule who may do this.", "Add one to web/routes.py.")
    services: Services = connection.app.state.services
    connection.state.caller = services.access.require(connection.scope, scope)


def _failed(request: Req, error: Exception) -> Response[Any]:
    return error_page(request, error) if wants_page(request) else error_answer(request, error)


async def _add_headers(message: Any, scope: Any) -> None:
    if message["type"] != "http.response.start":
        return
    given = {name.lower() for name, _ in message["headers"]}
    more = [pair for pair in _HEADERS if pair[0] not in given]
    if b"cache-control" not in given:
        more.append((b"cache-control", b"no-store"))
    more.append((b"x-request-id", request_id_of(Req(scope))))
    message["headers"] = [*message["headers"], *more]
