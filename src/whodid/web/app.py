"""The web application: everything over HTTP but taking events in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from litestar import Litestar, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.plugins import PluginProtocol

from whodid.directory.database import ACTING_SESSION
from whodid.errors import WhodidError
from whodid.receive.answer import request_id, send_error
from whodid.web import security
from whodid.web.answers import error_answer, request_id_of, told_of
from whodid.web.browsers import is_https
from whodid.web.lately import Lately
from whodid.web.pages.answers import Memory
from whodid.web.pages.first_steps import Beginning
from whodid.web.pages.frame import error_page, wants_page
from whodid.web.pages.known import Known
from whodid.web.pages.turns import Turns
from whodid.web.pages.warm import Warmth
from whodid.web.refusals import tell_refusal
from whodid.web.requests import Req, routed_path, segments
from whodid.web.rights import Doors, Right, admitted
from whodid.web.routes import ROUTES, Route
from whodid.web.scim.answers import scim_error
from whodid.web.services import Services
from whodid.web.sign_in import sign_in_first


class Web(Litestar):
    """Litestar, for which an encoded slash belongs to a name and does not divide the path."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if security.is_preflight(scope):
                await self._preflight(scope, send)
                return
            scope = {**scope, "path": routed_path(scope)}
        await super().__call__(scope, receive, send)

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        # Handlers here take a request and nothing else. Litestar would load pydantic, where that is installed.
        return plugins

    async def _preflight(self, scope: Any, send: Any) -> None:
        services: Services = self.state.services
        try:
            await security.preflight(services.access, scope, send)
        except WhodidError as error:
            await send_error(send, error, request_id(dict(scope["headers"]).get(b"x-request-id")))


def create_app(services: Services) -> Litestar:
    """The application on these parts. Every route has a rule of `routes.ROUTES`; without one nobody gets in."""
    state = {
        "services": services,
        "answers": Memory(),
        "known": Known(),
        "turns": Turns(),
        "beginning": Beginning(),
        "looks": Lately(),
        "refusals": Lately(),
        "warmth": Warmth(Path(services.config.data) / "cache"),
        "running": {},
        "doors": Doors((route.path, _right(route)) for route in ROUTES if route.method == "GET"),
    }
    return Web(
        route_handlers=[_handler(route) for route in ROUTES],
        guards=[_guard],
        exception_handlers={WhodidError: _failed, HTTPException: _failed, Exception: _failed},
        before_send=[_add_headers],
        state=State(state),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )


def _handler(route: Route) -> HTTPRouteHandler:
    async def answer(request: Req) -> Any:
        caller = getattr(request.state, "caller", None)
        ACTING_SESSION.set(caller.session_id if caller is not None else None)
        return await route.handler(request)

    answer.__name__ = route.handler.__name__
    return HTTPRouteHandler(
        route.path.replace("}", ":str}"),
        http_method=route.method,
        # Answers without a body say so themselves.
        status_code=route.status if route.status != 204 else 200,
        opt={"right": _right(route)},
    )(answer)


def _right(route: Route) -> Right:
    return Right(route.scope, route.limited, route.pane)


async def _guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    right = handler.opt.get("right")
    if right is None:
        raise WhodidError("forbidden", "There is no rule who may do this.", "Add one to web/routes.py.")
    services: Services = connection.app.state.services
    request = Req(connection.scope)
    try:
        caller = admitted(services.access, right, connection.scope, segments(request))
    except WhodidError as refused:
        if refused.code == "forbidden":
            await tell_refusal(request, refused)
        raise
    if caller is not None:
        connection.state.caller = caller


def _failed(request: Req, error: Exception) -> Response[Any]:
    if request.url.path.startswith("/scim/"):
        return scim_error(told_of(error), dict(error_answer(request, error).headers))
    if not wants_page(request):
        return error_answer(request, error)
    if isinstance(error, WhodidError) and error.code == "unauthorized" and request.method == "GET":
        return sign_in_first(request, error)
    if getattr(request.state, "caller", None) is None:
        # Whoever is refused, or lost, finds the way on in the navigation.
        services: Services = request.app.state.services
        with suppress(WhodidError):
            request.state.caller = services.access.caller(request.scope, dict(request.scope["headers"]))
    return error_page(request, error)


async def _add_headers(message: Any, scope: Any) -> None:
    if message["type"] != "http.response.start":
        return
    services: Services = scope["app"].state.services
    request = Req(scope)
    given = {name.lower() for name, _ in message["headers"]}
    more = security.headers_of(scope, given, services.access, https=is_https(request))
    message["headers"] = [*message["headers"], *more, (b"x-request-id", request_id_of(request))]
