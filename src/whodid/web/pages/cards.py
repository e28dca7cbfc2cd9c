"""Small answers for names: the card that opens beside a link, and suggestions as one types."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pyarrow as pa
from litestar import Response

from whodid import catalogue, reports
from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.event import LEVELS
from whodid.reading.cells import python_rows
from whodid.reading.filters import KINDS as COUNTED
from whodid.reading.filters import literal
from whodid.reading.sight import Sight
from whodid.web.answers import json_answer
from whodid.web.pages import found, frame
from whodid.web.pages.audit import note
from whodid.web.pages.choice import Choice
from whodid.web.requests import Req, caller_of, one, query_of, segments, services_of
from whodid.web.services import Services

SUGGESTED_MAX: Final = 10
SPAN: Final = "30d"
# Kind of page → the condition on events that its subject is, and what the card calls it.
_SUBJECTS: Final = {"users": "user", "sessions": "session", "requests": "request_id"}
KINDS: Final = tuple(_SUBJECTS)
_NAMES: Final = {"users": "user", "sessions": "session", "requests": "request", "errors": "error", "entities": "thing"}


async def card(request: Req) -> Response[bytes]:
    """Who or what a link names: its events of the last 30 days, as a line, and when it was seen last."""
    query_of(request, ())
    _, kind, *names = segments(request)
    if kind not in _NAMES or not names:
        raise WhodidError("not_found", "There is no card for this.")
    services, sight = services_of(request), caller_of(request).sight
    if kind == "errors":
        return await _error_card(request, names[0])
    field = _SUBJECTS.get(kind, "entity")
    value = ":".join(names) if field == "entity" else literal(names[0])
    choice = Choice(zone=frame.zone(request), range=SPAN).with_value(field, value)
    await note(request, f"card {_NAMES[kind]}", choice, {})
    timeout_ms = services.config.query_timeout_ms
    shape = await services.call(found.shape, services, choice, sight, timeout_ms)
    wanted = found.wanted_by(choice, limit=1)
    newest, _ = await services.call(found.page, services, wanted, sight, timeout_ms)
    counts = [row["events"] for row in shape.rows]
    return frame.fragment(
        "card.html",
        title=newest[0]["entity_name"] if newest and field == "entity" and _is_first(newest[0], names) else names[-1],
        kind=names[0] if field == "entity" else _NAMES[kind],
        events=sum(counts),
        errors=sum(row["errors"] for row in shape.rows),
        last=newest[0] if newest else None,
        line=_line(counts),
        zone=frame.zone(request),
    )


async def _error_card(request: Req, group: str) -> Response[bytes]:
    """The card of a group of errors."""
    services, zone = services_of(request), frame.zone(request)
    await note(request, "card error", Choice(zone=zone), {"group": group})
    table = await services.call(_error_rows, services, group, caller_of(request).sight)
    if not table.num_rows:
        raise WhodidError("not_found", "This error was not seen in 30 days.")
    row = python_rows(table)[0]
    return frame.fragment(
        "card.html",
        title=row["title"],
        kind=f"error, {row['status']}, {row['state']}",
        events=row["errors"],
        errors=0,
        last={"time": row["last"], "type": row["version"] or "no version told"},
        line=_line(msgspec.json.decode(row["trend"]) if isinstance(row["trend"], str) else row["trend"] or []),
        zone=zone,
    )


def _error_rows(services: Services, group: str, sight: Sight) -> pa.Table:
    asked: dict[str, Any] = {"since": SPAN, "group": group, "limit": 1}
    return reports.run(services.store, "error-groups", directory=services.directory, sight=sight, **asked).table


async def suggest(request: Req) -> Response[bytes]:
    """Values of a field that hold a text."""
    given = query_of(request, ("field", "text"))
    services = services_of(request)
    values = await services.call(_values, services.directory, one(given, "field"), one(given, "text")[:200])
    return json_answer({"values": values})


def _values(directory: Directory, field: str, text: str) -> list[str]:
    lower = text.lower()
    if field == "user":
        return [user.login for user in directory.users(text=text or None, limit=SUGGESTED_MAX)]
    if field == "group":
        return [group.name for group in directory.groups() if lower in group.name.lower()][:SUGGESTED_MAX]
    if field in ("entity", "project"):
        kind, _, name = text.rpartition(":")
        kind = "project" if field == "project" else kind
        things = directory.entities(entity_type=kind or None, text=name or None, limit=SUGGESTED_MAX)
        return [thing.id if field == "project" else f"{thing.type}:{thing.id}" for thing in things]
    known: dict[str, list[str]] = {
        "type": sorted(catalogue.known_types()),
        "kind": list(COUNTED),
        "level": list(LEVELS),
        "topic": [topic.name for topic in catalogue.TOPICS],
    }
    starts = sorted(known.get(field, []), key=lambda name: not name.startswith(lower))
    return [name for name in starts if lower in name][:SUGGESTED_MAX]


def _is_first(row: dict[str, Any], names: list[str]) -> bool:
    return [row["entity_type"], row["entity_id"]] == names and bool(row["entity_name"])


def _line(counts: list[int]) -> str:
    """Points of a line in a box of 100 by 20."""
    if len(counts) < 2:
        return ""
    top = max(counts)
    step = 100 / (len(counts) - 1)
    return " ".join(f"{place * step:.1f},{19 - 18 * count / top:.1f}" for place, count in enumerate(counts))
