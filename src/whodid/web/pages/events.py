"""The events page: a search, the shape over time, facets, rows that open in place, the live tail."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response

from whodid.errors import WhodidError
from whodid.event import LEVELS
from whodid.reading import read
from whodid.web.answers import told_of
from whodid.web.pages import event_shape, first_steps, found, frame, search
from whodid.web.pages.audit import note
from whodid.web.pages.choice import ADDRESS_NAMES, FIELDS, Choice, choice_of
from whodid.web.pages.event import shown_event
from whodid.web.pages.sentence import sentence
from whodid.web.requests import Req, caller_of, one, query_of, segments, services_of

ROWS: Final = 100
FACETS: Final = (
    ("level", "Level"), ("type", "Type"), ("user", "Who"), ("topic", "Topic"), ("status", "Status"), ("node", "Node")
)  # fmt: skip
PAGE_QUERY: Final = (*ADDRESS_NAMES, "q", "focus", "full", "cursor")
PART_QUERY: Final = (*ADDRESS_NAMES, "cursor")
# What the live tail takes of a choice: the filters of /v1/events/stream.
_LIVE: Final = tuple(field.name for field in FIELDS)


async def page(request: Req) -> Response[bytes]:
    """The events that a search finds."""
    given = query_of(request, PAGE_QUERY)
    choice = choice_of(given, frame.zone(request))
    problem = None
    if "q" in given:
        try:
            choice = search.parse(one(given, "q"), choice)
        except Exception as error:
            problem = told_of(error)
        else:
            address = f"/events{choice.address()}"
            return Response(b"", status_code=303, headers={"location": address}, media_type="text/html")
    try:
        exports = found.exports(choice)
    except WhodidError as error:
        # The search stays, to be mended.
        problem, exports = problem or told_of(error), []
    await note(request, "events", choice, {})
    full = "full" in given and problem is None
    parts: dict[str, Any] = {"rows_body": None, "facets_body": None}
    if full:
        parts = {
            "rows_body": (await _rows(request, choice, one(given, "cursor"), full=True)),
            "facets_body": (await _facets(request, choice)),
        }
    return frame.page(
        request,
        "events.html",
        at="/events",
        choice=choice,
        fields=FIELDS,
        words=search.WORDS,
        levels=LEVELS,
        search=one(given, "q") if problem and "q" in given else search.written(choice),
        problem=problem,
        sentence=sentence(choice, caller_of(request).sight),
        first_steps=await first_steps.address(request),
        full=full,
        full_address=f"/events{choice.address(full=1)}",
        sources={name: f"/events/{name}{choice.address()}" for name in ("rows", "facets", "shape")},
        live=_live_address(choice),
        exports=exports,
        address="/events",
        **parts,
    )


async def rows(request: Req) -> Response[bytes]:
    """A page of rows, newest first."""
    given = query_of(request, PART_QUERY)
    choice = choice_of(given, frame.zone(request))
    await note(request, "events", choice, {})
    return frame.html(await _rows(request, choice, one(given, "cursor"), full=False))


async def facets(request: Req) -> Response[bytes]:
    """What the events are, counted by facet."""
    choice = choice_of(query_of(request, ADDRESS_NAMES), frame.zone(request))
    await note(request, "events", choice, {})
    return frame.html(await _facets(request, choice))


async def shape(request: Req) -> Response[bytes]:
    """How many events over time, as a chart."""
    choice = choice_of(query_of(request, ADDRESS_NAMES), frame.zone(request))
    await note(request, "events", choice, {})
    services = services_of(request)
    timeout_ms = services.config.query_timeout_ms
    told = await services.call(found.shape, services, choice, caller_of(request).sight, timeout_ms)
    return frame.fragment("events_shape.html", drill="", **event_shape.shaped(told, choice))


async def detail(request: Req) -> Response[bytes]:
    """One event, for the row that opens in place."""
    query_of(request, ())
    services, event_id = services_of(request), segments(request)[1]
    table = await services.call(read.event, services.store, event_id, sight=caller_of(request).sight)
    await note(request, "event", Choice(zone=frame.zone(request)), {"id": event_id})
    return frame.fragment("event_detail.html", event=shown_event(table), zone=frame.zone(request), alone=False)


async def _rows(request: Req, choice: Choice, cursor: str, *, full: bool) -> str:
    services = services_of(request)
    wanted = found.wanted_by(choice, limit=ROWS, cursor=cursor or None)
    timeout_ms = services.config.query_timeout_ms
    listed, following = await services.call(found.page, services, wanted, caller_of(request).sight, timeout_ms)
    more = None
    if following:
        path = "/events" if full else "/events/rows"
        more = f"{path}{choice.address(cursor=following, full='1' if full else None)}"
    return frame.text(
        "events_rows.html",
        rows=listed,
        more=more,
        zone=choice.zone,
        choice=choice,
        head=not cursor or full,
        limited=caller_of(request).sight.is_limited,
    )


async def _facets(request: Req, choice: Choice) -> str:
    services = services_of(request)
    timeout_ms = services.config.query_timeout_ms
    counted = await services.call(found.facets, services, choice, caller_of(request).sight, timeout_ms)
    return frame.text("events_facets.html", facets=FACETS, counted=counted, choice=choice, address="/events")


def _live_address(choice: Choice) -> str:
    pairs = [(name, value) for name, values in choice.values for value in values if name in _LIVE]
    return f"/v1/events/stream{'?' + urlencode(pairs) if pairs else ''}"
