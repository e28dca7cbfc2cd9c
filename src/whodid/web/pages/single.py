"""Pages of one event, and addresses that lead on to the page that is meant."""

from __future__ import annotations

from litestar import Response

from whodid.errors import WhodidError
from whodid.reading import read
from whodid.reading.filters import split_entity
from whodid.web.pages import frame
from whodid.web.pages.audit import note
from whodid.web.pages.choice import ADDRESS_NAMES, Choice, choice_of
from whodid.web.pages.event import shown_event
from whodid.web.pages.links import entity_link
from whodid.web.requests import Req, caller_of, query_of, segments, services_of


async def event(request: Req) -> Response[bytes]:
    """The page of one event."""
    query_of(request, ADDRESS_NAMES)
    services, event_id = services_of(request), segments(request)[1]
    table = await services.call(read.event, services.store, event_id, sight=caller_of(request).sight)
    await note(request, "event", Choice(zone=frame.zone(request)), {"id": event_id})
    shown = shown_event(table)
    return frame.page(request, "event.html", at="/events", event=shown, title=shown.row["type"])


async def thing(request: Req) -> Response[bytes]:
    """`/entities/type:id` leads to the page of that thing, with the choice that one comes with."""
    choice = choice_of(query_of(request, ADDRESS_NAMES), frame.zone(request))
    name = segments(request)[1]
    if ":" not in name:
        raise WhodidError("not_found", "There is nothing at this address.", "A thing is /entities/type/id.")
    kind, which = split_entity(name)
    address = f"{entity_link(kind, which)}{choice.address()}"
    return Response(b"", status_code=303, headers={"location": address}, media_type="text/html")
