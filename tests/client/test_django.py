"""The Django middleware, under WSGI and ASGI, with Django's own authentication."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.logging_server import Scripted
from whodid.client import Logger

django = pytest.importorskip("django")

MakeLogger = Callable[..., Logger]

_logger: Logger | None = None


def page(request: Any, number: int) -> Any:
    from django.http import HttpResponse

    assert _logger is not None
    _logger.audit("read", {"number": number})
    return HttpResponse("ok")


async def async_page(request: Any, number: int) -> Any:
    return page(request, number)


def broken(request: Any) -> Any:
    raise ValueError("broken page")


urlpatterns: list[Any] = []


@pytest.fixture(scope="module", autouse=True)
def configured() -> None:
    from django.conf import settings

    settings.configure(
        SECRET_KEY="x",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:django?mode=memory&cache=shared"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
        SESSION_ENGINE="django.contrib.sessions.backends.db",
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "whodid.client.django.AuditMiddleware",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    from django.core.management import call_command
    from django.urls import path

    call_command("migrate", verbosity=0)
    urlpatterns[:] = [
        path("pages/<int:number>", page),
        path("async/<int:number>", async_page),
        path("broken", broken),
    ]
    from django.contrib.auth.models import User

    User.objects.create_user("ann", password="x")


@pytest.fixture
def server(make_logger: MakeLogger) -> Iterator[Scripted]:
    from django.test import override_settings

    global _logger
    with Scripted() as found:
        _logger = make_logger(found.url)
        with override_settings(WHODID=_logger):
            yield found
        _logger = None


def told(server: Scripted) -> list[dict[str, Any]]:
    assert _logger is not None and _logger.flush(10)
    found = [event for request in server.requests for event in request]
    return sorted(found, key=lambda event: str(event["time"]))


def test_requests_are_logged_with_route_status_and_user(server: Scripted) -> None:
    from django.test import Client

    client = Client(raise_request_exception=False)
    client.get("/pages/7?token=secret", headers={"X-Request-Id": "req-7"})
    assert client.login(username="ann", password="x")
    client.get("/pages/8")
    client.get("/broken")
    client.get("/nowhere")
    found = told(server)
    assert "secret" not in str(found)
    first, read, second, read_by_ann, failed, nowhere = found
    assert (first["type"], first["request_id"], first["parameters"]["route"]) == (
        "http-request", "req-7", "/pages/<int:number>",
    )  # fmt: skip
    assert first["parameters"]["status"] == 200 and "user" not in first
    assert (read["description"], read["request_id"], read.get("user")) == ("read", "req-7", None)
    assert second["user"] == read_by_ann["user"] == failed["user"] == "ann"
    assert second["request_id"] == read_by_ann["request_id"] != "req-7"
    assert (failed["status"], failed["parameters"]["status"], failed["error_message"]) == ("failed", 500, "broken page")
    assert "ValueError: broken page" in failed["error_stack_trace"]
    assert nowhere["parameters"]["status"] == 404 and "route" not in nowhere["parameters"]


@pytest.mark.parametrize("path", ["/async/3", "/pages/3"])
def test_asynchronous_requests_know_their_user_too(path: str, server: Scripted) -> None:
    from django.test import AsyncClient

    async def get() -> None:
        client = AsyncClient()
        assert await client.alogin(username="ann", password="x")
        response = await client.get(path)
        assert response.status_code == 200

    asyncio.run(get())
    request, read = told(server)
    assert (request["type"], request["user"]) == ("http-request", "ann")
    assert read["request_id"] == request["request_id"]
