"""The ASGI middleware in FastAPI, Starlette and Litestar, served by uvicorn as they are in life."""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from support.logging_server import Scripted, wait_until
from whodid.client import Logger, audited
from whodid.client.asgi import AuditMiddleware

fastapi = pytest.importorskip("fastapi")
starlette_applications = pytest.importorskip("starlette.applications")
litestar = pytest.importorskip("litestar")

MakeLogger = Callable[..., Logger]


@contextmanager
def served(app: Any) -> Iterator[httpx.Client]:
    """A client of `app`, which runs in a thread on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "uvicorn did not start")
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def whodid_server() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture
def logger(whodid_server: Scripted, make_logger: MakeLogger) -> Logger:
    return make_logger(whodid_server.url)


def told(server: Scripted, logger: Logger, count: int) -> list[dict[str, Any]]:
    """What was logged, in the order of its time, once there are `count`."""
    wait_until(lambda: logger.stats().logged >= count, f"only {logger.stats().logged} of {count} were logged")
    assert logger.flush(10)
    found = [event for request in server.requests for event in request]
    return sorted(found, key=lambda event: str(event["time"]))


def fastapi_app(logger: Logger) -> Any:
    app = fastapi.FastAPI()
    router = fastapi.APIRouter(prefix="/orders")

    @router.get("/{order}")
    async def read(order: int) -> dict[str, int]:
        logger.audit("read", {"order": order})
        return {"order": order}

    @router.get("/{order}/broken")
    def broken(order: int) -> None:
        raise ValueError("broken order")

    app.include_router(router)
    app.add_middleware(AuditMiddleware, logger=logger)
    return app


def starlette_app(logger: Logger) -> Any:
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    async def read(request: Request) -> JSONResponse:
        logger.audit("read", {"order": request.path_params["order"]})
        return JSONResponse({"order": request.path_params["order"]})

    async def broken(request: Request) -> JSONResponse:
        raise ValueError("broken order")

    routes = [Route("/{order:int}", read), Route("/{order:int}/broken", broken)]
    app = starlette_applications.Starlette(routes=[Mount("/orders", routes=routes)])
    app.add_middleware(AuditMiddleware, logger=logger)
    return app


def litestar_app(logger: Logger) -> Any:
    @litestar.get("/orders/{order:int}")
    async def read(order: int) -> dict[str, int]:
        logger.audit("read", {"order": order})
        return {"order": order}

    @litestar.get("/orders/{order:int}/broken")
    async def broken(order: int) -> None:
        raise ValueError("broken order")

    return AuditMiddleware(litestar.Litestar([read, broken], logging_config=None), logger)


@pytest.mark.parametrize("make_app", [fastapi_app, starlette_app, litestar_app])
def test_requests_are_logged_with_route_status_and_time(
    make_app: Callable[[Logger], Any], logger: Logger, whodid_server: Scripted
) -> None:
    with served(make_app(logger)) as client:
        assert client.get("/orders/7?token=secret", headers={"X-Request-Id": "req-7"}).json() == {"order": 7}
        assert client.get("/orders/8/broken", headers={"Connection": "close"}).status_code == 500
        assert client.get("/nowhere").status_code == 404
        assert client.get("/healthz").status_code == 404
        found = told(whodid_server, logger, 4)
    assert "secret" not in str(found)
    ok, read, broken, nowhere = found
    assert (ok["type"], ok["level"], ok["request_id"], ok["status"]) == ("http-request", "usage", "req-7", "done")
    told_ok = ok["parameters"]
    assert (told_ok["method"], told_ok["status"], told_ok["path"]) == ("GET", 200, "/orders/7")
    assert told_ok["route"] in ("/orders/{order}", "/orders/{order:int}")
    assert told_ok["ms"] == ok["duration_ms"] > 0
    assert (read["description"], read["request_id"]) == ("read", "req-7"), (
        "what is logged within shares the request's id"
    )
    assert (broken["parameters"]["status"], broken["status"]) == (500, "failed")
    assert broken["parameters"]["route"].endswith("broken")
    assert nowhere["parameters"]["status"] == 404
    assert nowhere["parameters"].get("route") in (None, "/")


@pytest.mark.parametrize("make_app", [fastapi_app, starlette_app])
def test_an_error_of_the_application_comes_with_its_trace(
    make_app: Callable[[Logger], Any], logger: Logger, whodid_server: Scripted
) -> None:
    with served(make_app(logger)) as client:
        client.get("/orders/8/broken")
        event = told(whodid_server, logger, 1)[0]
    assert event["error_message"] == "broken order"
    assert "ValueError: broken order" in event["error_stack_trace"]


def test_the_user_of_the_frameworks_authentication_counts(logger: Logger, whodid_server: Scripted) -> None:
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> Any:
            name = conn.headers.get("x-user")
            return (AuthCredentials(), SimpleUser(name)) if name else None

    @audited(logger=logger)
    async def work() -> None: ...

    async def page(request: Request) -> PlainTextResponse:
        await work()
        return PlainTextResponse("ok")

    app = starlette_applications.Starlette(routes=[Route("/page", page)])
    app.add_middleware(AuthenticationMiddleware, backend=Backend())
    app.add_middleware(AuditMiddleware, logger=logger)
    with served(app) as client:
        client.get("/page", headers={"x-user": "ann"})
        client.get("/page")
        found = told(whodid_server, logger, 4)
    assert [event.get("user") for event in found] == ["ann", "ann", None, None]
    assert [event["request_id"] == found[0]["request_id"] for event in found] == [True, True, False, False]


def test_users_of_requests_at_the_same_time_do_not_mix(logger: Logger, whodid_server: Scripted) -> None:
    app = fastapi.FastAPI()

    @app.get("/slow/{name}")
    async def slow(name: str) -> None:
        await asyncio.sleep(0.01)
        logger.info(name)

    audited_app = AuditMiddleware(app, logger, user=lambda scope: scope["path"].rpartition("/")[2])

    async def many(base: httpx.URL) -> None:
        async with httpx.AsyncClient(base_url=base) as client:
            await asyncio.gather(*(client.get(f"/slow/user-{number}") for number in range(20)))

    with served(audited_app) as client:
        asyncio.run(many(client.base_url))
        found = told(whodid_server, logger, 40)
    for event in found:
        if event["type"] == "info":
            assert event["user"] == event["description"]
    assert len({event["user"] for event in found}) == 20
