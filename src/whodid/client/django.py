"""Middleware for Django, under WSGI and ASGI.

MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware",
              "whodid.client.django.AuditMiddleware"]
WHODID = {"url": "https://audit.example.com", "key": "…"}      # else WHODID_SERVER and WHODID_KEY
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from whodid.client import scope as scopes
from whodid.client.default import default_logger
from whodid.client.logger import Logger
from whodid.client.message import fresh_id
from whodid.client.web import Served, request_id_of

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

_ERROR: Final = "_whodid_error"


class AuditMiddleware:
    """Logs each request: route, method, status, milliseconds, user; what is logged within knows its user and id.

    `settings.WHODID` is a dict of a Logger's options, or a Logger; without it the default Logger is used.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse):
        self._get_response = get_response
        given = getattr(settings, "WHODID", None)
        self._logger = Logger(**given) if isinstance(given, dict) else given
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        logger = self._logger or default_logger()
        if logger is None:
            return self._get_response(request)
        return self._awaited(logger, request) if self._is_async else self._called(logger, request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Django makes an answer of an exception before a middleware sees it."""
        setattr(request, _ERROR, exception)

    def _called(self, logger: Logger, request: HttpRequest) -> Any:
        served, request_id = _begun(request)
        with scopes.within(_scope(request, request_id)):
            try:
                response: Any = self._get_response(request)
                served.status = response.status_code
            except Exception as error:
                served.status = 500
                setattr(request, _ERROR, error)
                raise
            finally:
                _log(logger, served, request, request_id, user=_login(request))
        return response

    async def _awaited(self, logger: Logger, request: HttpRequest) -> Any:
        served, request_id = _begun(request)
        told: dict[str, Any] = {}
        with scopes.within(_scope(request, request_id)):
            try:
                response: Any = await self._get_response(request)
                served.status = response.status_code
            except asyncio.CancelledError:
                told["cancelled"] = True
                raise
            except Exception as error:
                served.status = 500
                setattr(request, _ERROR, error)
                raise
            finally:
                user = None if told else await _login_async(request)
                _log(logger, served, request, request_id, user=user, **told)
        return response


def _begun(request: HttpRequest) -> tuple[Served, str]:
    request_id = request_id_of(request.headers.get("X-Request-Id")) or fresh_id()
    return Served(request.method or "", request.path), request_id


def _scope(request: HttpRequest, request_id: str) -> scopes.Scope:
    return scopes.CURRENT.get()._replace(user=lambda: _login(request), request_id=request_id)


def _log(logger: Logger, served: Served, request: HttpRequest, request_id: str, **told: Any) -> None:
    match = request.resolver_match
    served.log(
        logger,
        route=f"/{match.route.lstrip('^').rstrip('$')}" if match is not None else None,
        request_id=request_id,
        error=getattr(request, _ERROR, None),
        **told,
    )


def _login(request: HttpRequest) -> str | None:
    """Who asks. In asynchronous code Django refuses to look the user up; then only one looked up before counts."""
    try:
        user = getattr(request, "user", None)
        return user.get_username() if user is not None and user.is_authenticated else None
    except Exception:
        cached = getattr(request, "_acached_user", None) or getattr(request, "_cached_user", None)
        return cached.get_username() if cached is not None and cached.is_authenticated else None


async def _login_async(request: HttpRequest) -> str | None:
    look_up = getattr(request, "auser", None)
    if look_up is None:
        return _login(request)
    try:
        user = await look_up()
    except Exception:
        return None
    return user.get_username() if user.is_authenticated else None
