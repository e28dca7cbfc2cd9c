"""Whatever the description of the API allows, and much that it does not, is answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import BaseSchema

from support.web import LOCAL_KEY, WebServer
from whodid.web.openapi import description
from whodid.web.routes import ROUTES, Route

EXAMPLES = 12
# The live tail has no end, and signing in is tested with its own tokens.
OPERATIONS = [route for route in ROUTES if route.path not in ("/v1/events/stream", "/sign-in")]


@pytest.fixture(scope="module")
def api() -> BaseSchema:
    return schemathesis.openapi.from_dict(description())


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: f"{route.method} {route.path}")
def test_no_request_makes_the_server_fail(server: WebServer, api: BaseSchema, route: Route) -> None:
    operation = api[route.path][route.method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=server.url, headers={"authorization": f"Bearer {LOCAL_KEY}"})
        assert answer.status_code < 500, answer.text
        documented = operation.definition.raw["responses"]
        assert str(answer.status_code) in documented, (answer.status_code, answer.text)
        if answer.status_code >= 400 and "application/json" in answer.headers["content-type"]:
            assert set(answer.json()["error"]) == {"code", "message", "hint", "request_id"}

    check()
