"""Sessions and things over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response

from whodid.directory import Directory
from whodid.directory.model import Session
from whodid.errors import WhodidError
from whodid.event import Entity, Event, new_id
from whodid.reading.times import instant
from whodid.web.answers import json_answer
from whodid.web.requests import Req, bounded, caller_of, name_of, one, query_of, segments, services_of

SESSIONS = ("user", "anonymous", "type", "open", "since", "until", "limit", "offset")
ENTITIES = ("type", "text", "limit", "offset")


async def list_sessions(request: Req) -> Response[bytes]:
    """Sessions, those that began last first: of a user, of a type, open or ended, in a span."""
    given, services = query_of(request, SESSIONS), services_of(request)
    limit, offset = bounded(given, "limit", 100, 1, 10_000), bounded(given, "offset", 0, 0, 2**31)
    filters: dict[str, Any] = {name: one(given, name) or None for name in ("user", "type")}
    filters |= {name: _flag(given, name) for name in ("anonymous", "open")}
    filters |= {name: _time(given, name) for name in ("since", "until")}
    found = await services.call(services.directory.sessions, **filters, limit=limit + 1, offset=offset)
    more = offset + limit if len(found) > limit else None
    return json_answer({"sessions": [_shown(each) for each in found[:limit]], "next_offset": more})


async def show_session(request: Req) -> Response[bytes]:
    """A session, by its id."""
    services, which = services_of(request), segments(request)[2]
    return json_answer(_shown(await services.call(services.directory.session, which)))


async def end_session(request: Req) -> Response[bytes]:
    """End a session; the browser whose session it is has to sign in again."""
    services, which, by = services_of(request), segments(request)[2], name_of(caller_of(request))

    def end() -> Session:
        before = services.directory.session(which)
        if before.ended is not None:
            return before
        services.record(_ended(before, by))
        return services.directory.end_session(before.id, by=by)

    return json_answer(_shown(await services.call(end)))


async def list_entities(request: Req) -> Response[bytes]:
    """Things that events mentioned, the latest first; `text` is looked for in name and id."""
    given, services = query_of(request, ENTITIES), services_of(request)
    limit, offset = bounded(given, "limit", 100, 1, 10_000), bounded(given, "offset", 0, 0, 2**31)
    kind, text = one(given, "type") or None, one(given, "text") or None
    found = await services.call(
        services.directory.entities, entity_type=kind, text=text, limit=limit + 1, offset=offset
    )
    more = offset + limit if len(found) > limit else None
    return json_answer({"entities": msgspec.to_builtins(found[:limit]), "next_offset": more})


async def show_entity(request: Req) -> Response[bytes]:
    """A thing: what it is called now, of which type it is, and which names and types it had from when to when."""
    services, (_, _, kind, identity) = services_of(request), segments(request)

    def look(directory: Directory) -> dict[str, Any]:
        entity = directory.entity(kind, identity)
        names, types = directory.entity_names(kind, identity), directory.entity_types(kind, identity)
        told = [{"type": each.name, "first_seen": each.first_seen, "last_seen": each.last_seen} for each in types]
        return {**msgspec.structs.asdict(entity), "names": names, "types": told}

    return json_answer(msgspec.to_builtins(await services.call(look, services.directory)))


def _shown(session: Session) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(session)
    return {**shown, "open": session.ended is None}


def _ended(session: Session, by: str) -> Event:
    told = {"before": {"ended": None}, "after": {"ended_by": by}, "of": session.user}
    return Event(
        id=new_id(),
        time=datetime.now(UTC),
        type="session-ended",
        source="server",
        user=by,
        entities=[Entity(type="session", id=session.id)],
        parameters=msgspec.Raw(msgspec.json.encode(told)),
    )


def _flag(given: dict[str, list[str]], name: str) -> bool | None:
    text = one(given, name).lower()
    if text not in ("", "true", "false"):
        raise WhodidError("invalid", f"{name} is {text[:50]!r}.", "It is true or false.")
    return None if not text else text == "true"


def _time(given: dict[str, list[str]], name: str) -> datetime | None:
    text = one(given, name)
    return instant(text, name=name).replace(tzinfo=UTC) if text else None
