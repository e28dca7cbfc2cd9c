"""Events over HTTP: pages, exports, one event, the live tail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Response

from whodid.event import Event
from whodid.reading import read
from whodid.reading.audit import Reading, kind_of, reading
from whodid.reading.filters import EventFilter, literal
from whodid.reading.output import rows
from whodid.reading.then_and_now import then_and_now
from whodid.web.answers import json_answer, page_answer, stream_answer, told_of
from whodid.web.live import LiveAnswer, LiveTail
from whodid.web.requests import FILTERS, Req, caller_of, filter_of, form_of, name_of, segments, services_of
from whodid.web.usage import usage_answer

STREAM_FILTERS = tuple(name for name in FILTERS if name not in ("since", "until", "order", "limit", "cursor"))
PANE_FILTERS = ("since", "until", "limit", "cursor")


async def record(
    request: Req, kind: Reading, what: str, wanted: EventFilter | dict[str, Any], form: str = "json", **more: Any
) -> None:
    """Make the reading itself an event, before its answer is given."""
    caller, services = caller_of(request), services_of(request)
    event: Event = reading(kind, by=name_of(caller), what=what, wanted=wanted, form=form, **more)
    if caller.session_id is not None:
        event = msgspec.structs.replace(event, session=caller.session_id)
    await services.call(services.record, event)


@asynccontextmanager
async def recorded(
    request: Req, kind: Reading, what: str, wanted: EventFilter | dict[str, Any], form: str = "json"
) -> AsyncIterator[None]:
    """Do so for the reading that is done within, once it is known what came of it."""
    try:
        yield
    except Exception as error:
        await record(request, kind, what, wanted, form, refused=told_of(error))
        raise
    await record(request, kind, what, wanted, form)


async def list_events(request: Req) -> Any:
    """Events, newest first: by time, user, group, type, level, topic, entity, session, parameter, text."""
    services, wanted, form = services_of(request), filter_of(request), form_of(request)
    sight, timeout_ms = caller_of(request).sight, services.config.query_timeout_ms
    async with recorded(request, kind_of(form), "events", wanted, form):
        if form == "json":
            wanted = msgspec.structs.replace(wanted, limit=min(wanted.limit, read.PAGE_ROWS))
        if wanted.limit > read.PAGE_ROWS:
            pages = read.event_pages(services.store, services.directory, wanted, sight=sight, timeout_ms=timeout_ms)
            return await stream_answer(services, (page.table for page in pages), form, "events")
        page = await services.call(
            read.events, services.store, services.directory, wanted, sight=sight, timeout_ms=timeout_ms
        )
    return await services.call(page_answer, page.table, page.next_cursor, form, "events")


async def one_event(request: Req) -> Response[bytes]:
    """One event by its id."""
    services, event_id = services_of(request), segments(request)[2]
    timeout_ms, sight = services.config.query_timeout_ms, caller_of(request).sight
    table = await services.call(read.event, services.store, event_id, sight=sight, timeout_ms=timeout_ms)
    await record(request, "audit-read", "event", {"id": event_id})
    return json_answer(rows(await services.call(then_and_now, table, services.directory))[0])


async def stream_events(request: Req) -> Any:
    """Events as they are stored, as server-sent events; `Last-Event-ID` goes on where a reader left off."""
    wanted = filter_of(request, STREAM_FILTERS, also=())
    services = services_of(request)
    tail = await LiveTail.open(services, wanted, request.headers.get("last-event-id"), caller_of(request).sight)
    await record(request, "audit-read", "live events", wanted, "events")
    return LiveAnswer(tail)


async def pane(request: Req) -> Any:
    """What was done to an entity or by a user, or an overview of its use; the last 7 days unless `since` says so."""
    subject, which = _subject(request)
    return await (_activity if which == "activity" else _usage)(request, subject)


async def _activity(request: Req, subject: dict[str, Any]) -> Response[bytes]:
    services, form = services_of(request), form_of(request)
    wanted = msgspec.structs.replace(filter_of(request, PANE_FILTERS), **subject)
    wanted = msgspec.structs.replace(wanted, limit=min(wanted.limit, read.PAGE_ROWS))
    sight, timeout_ms = caller_of(request).sight, services.config.query_timeout_ms
    async with recorded(request, kind_of(form), "activity", wanted, form):
        page = await services.call(
            read.activity, services.store, services.directory, wanted, sight=sight, timeout_ms=timeout_ms
        )
    table = await services.call(then_and_now, page.table, services.directory)
    return await services.call(page_answer, table, page.next_cursor, form, "activity")


async def _usage(request: Req, subject: dict[str, Any]) -> Response[bytes]:
    services, form = services_of(request), form_of(request)
    wanted = msgspec.structs.replace(filter_of(request, ("since", "until"), also=("format", "part")), **subject)
    sight, timeout_ms = caller_of(request).sight, services.config.query_timeout_ms
    async with recorded(request, kind_of(form), "usage", wanted, form):
        found = await services.call(
            read.usage, services.store, services.directory, wanted, sight=sight, timeout_ms=timeout_ms
        )
    return usage_answer(found, form, request.query_params.get("part"))


def _subject(request: Req) -> tuple[dict[str, Any], str]:
    """The filter of `/v1/entities/{type}/{id}/…` or `/v1/users/{login}/…`, and which pane of it."""
    _, kind, *names, which = segments(request)
    return (
        {"user": [literal(name) for name in names]} if kind == "users" else {"entity": [(names[0], names[1])]}
    ), which
