"""Retention over HTTP: how long events and sessions are kept, what went lately, having it done at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response

from whodid.retention.outlook import would_go
from whodid.retention.rule import Retention, check, retention_of, set_retention
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, caller_of, name_of, query_of, services_of
from whodid.web.services import Services


async def show_retention(request: Req) -> Response[bytes]:
    """How many days events of each level and sessions are kept, and the last daily steps."""
    query_of(request, [])
    services = services_of(request)
    return json_answer(await services.call(told, services))


async def change_retention(request: Req) -> Response[bytes]:
    """Set how long they are kept; what is not named is kept for ever. What is too old goes with the next step."""
    retention, services = await body_of(request, Retention), services_of(request)
    await services.call(set_retention, services.directory, retention, by=name_of(caller_of(request)))
    return json_answer(await services.call(told, services))


async def try_retention(request: Req) -> Response[bytes]:
    """How many events of each level a retention would take away at this moment; nothing is set."""
    retention, services = await body_of(request, Retention), services_of(request)
    check(retention)
    return json_answer({"levels": await services.call(would_go, services.store, retention, datetime.now(UTC))})


async def run_retention(request: Req) -> Response[bytes]:
    """Have what is too old taken away soon instead of tonight."""
    services = services_of(request)
    await services.call(services.retention.ask, by=name_of(caller_of(request)))
    return json_answer({"asked": True}, status=202)


def told(services: Services) -> dict[str, Any]:
    """What is set and what was done; blocks."""
    runs = [
        {
            "due": work.due,
            "state": work.state,
            "started_at": work.started_at,
            "finished_at": work.finished_at,
            "outcome": work.outcome,
        }
        for work in services.retention.runs()
    ]
    retention = retention_of(services.directory)
    return {"levels": retention.levels, "sessions": retention.sessions, "runs": msgspec.to_builtins(runs)}
