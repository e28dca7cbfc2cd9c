"""The description of the API is valid, whole, and true."""

from __future__ import annotations

import re

from openapi_spec_validator import validate

from support.web import WebServer
from whodid.datasets import door
from whodid.receive import agents
from whodid.web.openapi import PARAMETERS, description
from whodid.web.routes import ROUTES

BARE = {"/v1/events", door.PATH, *agents.PATHS}


def test_the_description_is_valid_openapi(server: WebServer) -> None:
    served = server.stranger.get("/openapi.json").json()
    validate(served)
    assert served["openapi"].startswith("3.1")


def test_every_operation_is_described_the_bare_doors_too() -> None:
    paths = description()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES} | {("POST", path) for path in BARE}
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"]
            assert {"401", "500"} <= set(operation["responses"])


def test_every_parameter_has_a_meaning() -> None:
    names = {name for route in ROUTES for name in route.query}
    assert names <= set(PARAMETERS)
    assert all(PARAMETERS.values())


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for methods in description()["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_A-Z0-9]+", name) for name in names)
