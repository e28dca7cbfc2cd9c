"""Middleware for ASGI applications: FastAPI, Starlette, Litestar, or none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from fnmatch import fnmatchcase
from typing import Any, Final

from whodid.client import scope as scopes
from whodid.client.default import default_logger
from whodid.client.logger import Logger
from whodid.client.message import fresh_id
from whodid.client.web import Served, login_of, request_id_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH: Final = ("/healthz", "/readyz", "/livez", "/metrics", "/favicon.ico")


class AuditMiddleware:
    """Logs each HTTP request: route, method, status, milliseconds, user; what is logged within knows its user and id.

    app        the application.
    logger     where to; the default one (`whodid.client.use`) unless given.
    user       a function that gets the ASGI scope and returns a login; else what the framework's own authentication
               puts into the scope counts.
    leave_out  paths that are not logged, `*` allowed; those of health checks by default.
    """

    def __init__(
        self,
        app: App,
        logger: Logger | None = None,
        *,
        user: Callable[[Scope], str | None] | None = None,
        leave_out: Iterable[str] = HEALTH,
    ):
        self._app = app
        self._logger = logger
        self._user = user
        self._leave_out = tuple(leave_out)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        logger = self._logger or default_logger()
        if logger is None or scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = request_id_of(given.decode("latin-1")) or fresh_id()
        current = scopes.CURRENT.get()
        with scopes.within(current._replace(user=lambda: self._login(scope), request_id=request_id)):
            if scope["type"] == "websocket" or self._is_left_out(scope["path"]):
                await self._app(scope, receive, send)
            else:
                await self._served(logger, request_id, scope, receive, send)

    async def _served(self, logger: Logger, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        served = Served(scope["method"], scope["path"])

        async def watched(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                served.status = message["status"]
            await send(message)

        told: dict[str, Any] = {}
        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            told["cancelled"] = True
            raise
        except Exception as error:
            served.status = served.status or 500
            told["error"] = error
            raise
        finally:
            served.log(logger, route=route_of(scope), user=self._login(scope), request_id=request_id, **told)

    def _login(self, scope: Scope) -> str | None:
        try:
            return self._user(scope) if self._user else login_of(scope.get("user"))
        except Exception:
            return None

    def _is_left_out(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self._leave_out)


def route_of(scope: Scope) -> str | None:
    """The template of the route that answered, such as `/orders/{id}`; None when none did."""
    if template := scope.get("path_template"):
        return str(template)
    route = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if not isinstance(path, str):
        return None
    # Under a mount the application's own root is not part of the route.
    mounted = str(scope.get("root_path", "")).removeprefix(str(scope.get("app_root_path", scope.get("root_path", ""))))
    return mounted + path
