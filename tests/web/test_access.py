"""Each route has a rule, and the rule holds; whatever goes wrong is told in one shape."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.web import WebServer
from whodid.errors import CODES
from whodid.web.routes import ROUTES, Route

PUBLIC = {
    *("/healthz", "/readyz", "/openapi.json", "/docs", "/logger.js", "/panes.js", "/panes/{part}", "/static/{name}"),
    *("/sign-in", "/sign-in/oidc", "/sign-in/oidc/callback", "/sign-out", "/password"),
}


@pytest.fixture(scope="module")
def closed(server: WebServer) -> Iterator[WebServer]:
    """A server that somebody has made a key for: nobody is let in without one."""
    server.engine.directory.create_key("closes the door", ["write"], by="test")
    yield server


def address(route: Route) -> str:
    return re.sub(r"{\w+}", "x", route.path)


def test_every_route_of_the_application_has_its_row_in_the_table(server: WebServer) -> None:
    table = {(route.method, route.path) for route in ROUTES}
    served = {
        (method, re.sub(r":\w+}", "}", route.path))
        for route in server.app.routes
        for method in getattr(route, "methods", [])
        if method != "OPTIONS"
    }
    assert served == table
    for served_route in server.app.routes:
        for handler in getattr(served_route, "route_handlers", []):
            if handler.http_methods != {"OPTIONS"}:
                assert handler.opt["right"].rule in ("public", "known", "read", "write", "admin", "scim")


def test_only_these_routes_are_public() -> None:
    assert {route.path for route in ROUTES if route.scope == "public"} == PUBLIC


def test_whatever_changes_something_needs_admin() -> None:
    # What one changes of oneself, and asking by POST, is no administration.
    others = {"/v1/query", "/v1/pane-tokens", "/v1/sign-ins/{id}", "/sign-in", "/sign-out", "/password"}
    changing = [
        route
        for route in ROUTES
        if route.method != "GET" and route.path not in others and not route.path.startswith(("/account", "/console"))
    ]
    assert changing
    assert {route.scope for route in changing} <= {"admin", "scim"}


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.scope != "public"], ids=lambda r: r.method + r.path
)
def test_without_a_key_nobody_gets_in(closed: WebServer, route: Route) -> None:
    answer = closed.stranger.request(route.method, address(route))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    if route.scope != "scim":  # which has a shape of its own
        assert answer.json()["error"]["code"] == "unauthorized"
    wrong = closed.as_caller("whodid_wrong").request(route.method, address(route))
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("path", "meant"),
    [("/v1/events/", "/v1/events"), ("//v1/events", "/v1/events"), ("/v1//agent/heartbeat/", "/v1/agent/heartbeat")],
)
def test_who_posts_beside_a_door_is_told_where_it_is(server: WebServer, path: str, meant: str) -> None:
    answer = server.client.post(f"{str(server.client.base_url).rstrip('/')}{path}", json={"type": "x"})
    assert answer.status_code == 404
    assert answer.json()["error"]["hint"] == f"Post to {meant}, without a further slash."


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("PUT", "/v1/events", 405, "method_not_allowed"),
        ("DELETE", "/v1/query", 405, "method_not_allowed"),
        ("GET", "/v1/events?limit=many", 400, "invalid"),
        ("GET", "/v1/events?limit=1&limit=2", 400, "invalid"),
        ("GET", "/v1/events?limit=99999999999999999999999999", 400, "invalid"),
        ("GET", "/v1/events?limit=100000000", 400, "invalid"),
        ("GET", "/v1/events?limit=-1", 400, "invalid"),
        ("GET", "/v1/events?since=soon", 400, "invalid"),
        ("GET", "/v1/events?cursor=%00%ff", 400, "invalid"),
        ("GET", "/v1/events?order=random", 400, "invalid"),
        ("GET", "/v1/events?user=%00", 400, "invalid"),
        ("GET", "/v1/events?nonsense=1", 400, "invalid"),
        ("GET", "/v1/events?format=xlsx", 400, "invalid"),
        ("GET", "/v1/events?group=Nobody", 404, "not_found"),
        ("GET", "/v1/events/no-uuid", 400, "invalid"),
        ("GET", "/v1/events/00000000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/users/%ff/activity", 400, "invalid"),
        ("GET", "/v1/users/erika/usage?format=csv", 400, "invalid"),
        ("GET", "/v1/users/erika/usage?part=nothing", 400, "invalid"),
        ("GET", "/v1/entities/query/x/nothing", 404, "not_found"),
        ("GET", "/v1/reports/nothing", 404, "not_found"),
        ("GET", "/v1/rejects?limit=0", 400, "invalid"),
        ("GET", "/v1/users/nobody-of-this-name", 404, "not_found"),
        ("GET", "/static/..%2F..%2Fapp.py", 404, "not_found"),
        ("GET", "/static/app.py", 404, "not_found"),
        ("GET", "/sign-in?token=guess", 401, "unauthorized"),
        ("GET", "/v1/events/stream?since=7d", 400, "invalid"),
    ],
)
def test_whatever_goes_wrong_is_told_in_one_shape(
    server: WebServer, method: str, path: str, status: int, code: str
) -> None:
    answer = server.client.request(method, path, headers={"x-request-id": "mine-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert error["code"] == code
    assert CODES[code].status == status
    assert error["request_id"] == answer.headers["x-request-id"] == "mine-1"


def test_who_is_refused_a_method_is_told_of_post_where_events_are_taken_in(server: WebServer) -> None:
    assert server.client.put("/v1/events").headers["allow"] == "GET, OPTIONS, POST"
    assert "POST" not in server.client.put("/v1/status").headers["allow"]


def test_every_answer_has_a_request_id_and_forbids_to_guess_its_type(server: WebServer) -> None:
    ids = set()
    for path in ("/v1/events", "/healthz", "/nothing", "/", "/static/whodid.css"):
        answer = server.client.get(path)
        ids.add(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len(ids) == 5


def test_a_request_id_that_would_split_a_header_is_not_taken_over(server: WebServer) -> None:
    answer = server.client.get("/healthz", headers={"x-request-id": "x" * 500})
    assert len(answer.headers["x-request-id"]) < 100


def test_an_unexpected_failure_tells_nothing_of_the_inside(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(server.services, "record", fail)
    answer = server.client.get("/v1/events")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert answer.json()["error"]["code"] == "internal"


def test_a_page_of_another_site_is_refused(server: WebServer) -> None:
    answer = server.client.get("/v1/events", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
