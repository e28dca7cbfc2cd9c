"""What tiles show that is no report: the history of a thing or a user, and timelines of requests and sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from whodid import reports
from whodid.amounts import counted
from whodid.errors import WhodidError
from whodid.reading.filters import literal
from whodid.web import words
from whodid.web.pages import about, answers, event_shape, found, frame
from whodid.web.pages.changes import Change, changes_of
from whodid.web.pages.choice import Choice
from whodid.web.pages.rows import Tile
from whodid.web.requests import Req, caller_of, services_of

HISTORY_ROWS: Final = 60
TIMELINE_ROWS: Final = 500
LIVE_ROWS: Final = 10
# What a page is about, where the search of events calls it by another name.
_FIELDS: Final = {"login": ("user", "{}"), "service": ("entity", "api-service:{}")}
# A pause that is longer than this is shown as one.
_PAUSE_S: Final = {"session": 300.0, "request_id": 1.0}

# Steps of which a report tells quicker than the events.
_STEPS_KEPT: Final = ("day", "month")
NODE_ACTIVITY: Final = Tile("days", "node-activity", parameters=(("node", "{node}"),))
FUNCTION: Final = Tile("numbers", "function", parameters=(("function", "{function}"),))

Subject = Mapping[str, str]
Part = Callable[[Req, Choice, Subject, str], Awaitable[str]]


class Entry(NamedTuple):
    """An event of a history."""

    row: dict[str, Any]
    changes: list[Change]


class Moment(NamedTuple):
    """An event of a timeline.

    `after_ms` since the first, `pause` in words if nothing happened for long before it, `share` of the longest
    duration, from 0 to 1.
    """

    row: dict[str, Any]
    after_ms: float
    pause: str
    share: float | None


async def history(request: Req, choice: Choice, subject: Subject, cursor: str) -> str:
    """What happened to a thing, or what a user did: by day, newest first."""
    services = services_of(request)
    wanted = found.wanted_by(choice, limit=HISTORY_ROWS, cursor=cursor or None)
    wanted = msgspec.structs.replace(wanted, **_about(subject))
    timeout_ms = services.config.query_timeout_ms
    rows, following = await services.call(found.page, services, wanted, caller_of(request).sight, timeout_ms)
    entries = [Entry(row, changes_of(_parameters(row))) for row in rows]
    days = groupby(entries, lambda entry: words.local(entry.row["time"], choice.zone).date())
    return frame.text(
        "part_history.html",
        days=[(day, list(of_day)) for day, of_day in days],
        of=next(iter(subject)),
        cursor=following,
        choice=choice,
        zone=choice.zone,
        limited=caller_of(request).sight.is_limited,
    )


async def timeline(request: Req, choice: Choice, subject: Subject, cursor: str) -> str:
    """What happened in a request or a session, on client and server, oldest first."""
    services = services_of(request)
    kind, name = next(iter(subject.items()))
    wanted = found.wanted_by(
        Choice(zone=choice.zone, range="all"), limit=TIMELINE_ROWS, order="oldest", cursor=cursor or None
    )
    wanted = msgspec.structs.replace(wanted, **{kind: [literal(name)]})
    timeout_ms = services.config.query_timeout_ms
    rows, following = await services.call(found.page, services, wanted, caller_of(request).sight, timeout_ms)
    if not rows and not cursor:
        name = kind.removesuffix("_id")
        raise WhodidError("not_found", f"No event belongs to this {name}.", "It may not be stored yet, or is too old.")
    return frame.text(
        "part_timeline.html",
        moments=_moments(rows, _PAUSE_S[kind]),
        numbers=_numbers(rows),
        cursor=following,
        zone=choice.zone,
        kind=kind,
    )


async def live(request: Req, choice: Choice, subject: Subject, cursor: str) -> str:
    """The newest events; the page looks again every few seconds."""
    services = services_of(request)
    # Without the looks of those who look.
    wanted = found.wanted_by(choice.with_value("type", "!audit-read"), limit=LIVE_ROWS)
    timeout_ms = services.config.query_timeout_ms
    rows, _ = await services.call(found.page, services, wanted, caller_of(request).sight, timeout_ms)
    limited = caller_of(request).sight.is_limited
    return frame.text("part_live.html", rows=rows, zone=choice.zone, choice=choice, limited=limited)


async def shape(request: Req, choice: Choice, subject: Subject, cursor: str) -> str:
    """How many events of a node there were over time."""
    services = services_of(request)
    step = await services.call(found.step_of, services, choice)
    # Conditions that the report does not take are looked for in the events.
    if step in _STEPS_KEPT and not answers.ignored(reports.report(NODE_ACTIVITY.report), choice):
        tile = NODE_ACTIVITY._replace(parameters=(*NODE_ACTIVITY.parameters, ("by", step)))
        answer = await answers.ask(request, tile, choice, subject)
        told = found.Shape(step, [{**row, "at": row["period"]} for row in answer.rows])
    else:
        seen, timeout_ms = caller_of(request).sight, services.config.query_timeout_ms
        told = await services.call(found.shape, services, narrowed(choice, subject), seen, timeout_ms)
    return frame.text(
        "events_shape.html", drill=f"/events?{urlencode({'node': subject['node']})}", **event_shape.shaped(told, choice)
    )


async def function(request: Req, choice: Choice, subject: Subject, cursor: str) -> str:
    """How often a function ran and how long it took, against the equal time before."""
    answer = await answers.ask(request, FUNCTION, choice, subject)
    limited = caller_of(request).sight.is_limited
    return frame.text("part_function.html", told=answer.rows[0], ignored=answer.ignored, choice=choice, limited=limited)


async def count(request: Req, choice: Choice, subject: Subject, cursor: str) -> str:
    """How many events a page is about."""
    services = services_of(request)
    timeout_ms = services.config.query_timeout_ms
    events = await services.call(found.count, services, narrowed(choice, subject), caller_of(request).sight, timeout_ms)
    return counted(events, "event")


def narrowed(choice: Choice, subject: Subject) -> Choice:
    """The choice of the events that a page is about."""
    if "type" in subject:
        return choice.with_value("entity", literal(f"{subject['type']}:{subject['id']}"))
    for name, value in subject.items():
        field, text = _FIELDS.get(name, (name, "{}"))
        choice = choice.with_value(field, literal(text.format(value)))
    return choice if not {"session", "request_id"} & set(subject) else choice.with_range("all")


PARTS: Final[dict[str, Part]] = {
    "history": history,
    "timeline": timeline,
    "person": about.person,
    "sessions": about.sessions,
    "thing": about.thing,
    "group": about.group,
    "node": about.node,
    "function": function,
    "live": live,
    "count": count,
    "shape": shape,
}
# Parts that show events, which can be looked through and taken out.
OF_EVENTS: Final = ("history", "timeline", "live", "shape")
# Parts that keep to what a limited reader may see.
KEEP_TO_SIGHT: Final = ("history", "timeline", "function", "live", "count", "shape")


def _about(subject: Subject) -> dict[str, Any]:
    for name, field in (("login", "user"), ("node", "node")):
        if name in subject:
            return {field: [literal(subject[name])]}
    return {"entity": [(subject["type"], subject["id"])]}


def _moments(rows: list[dict[str, Any]], pause_s: float) -> list[Moment]:
    longest = max((row["duration_ms"] or 0 for row in rows), default=0)
    made, before = [], None
    for row in rows:
        gap = (row["time"] - before).total_seconds() if before else 0.0
        made.append(
            Moment(
                row,
                (row["time"] - rows[0]["time"]) / timedelta(milliseconds=1),
                words.duration(gap * 1_000) if gap > pause_s else "",
                None if row["duration_ms"] is None or not longest else row["duration_ms"] / longest,
            )
        )
        before = row["time"]
    return made


def _numbers(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the head of a timeline says."""
    users = [row["acting_for"] or row["user"] for row in rows if row["acting_for"] or row["user"]]
    lasted = rows[-1]["time"] - rows[0]["time"] if rows else timedelta()
    return {
        "events": len(rows),
        "errors": sum(row["level"] == "error" or row["error_message"] is not None for row in rows),
        "user": max(set(users), key=users.count) if users else None,
        "started": rows[0]["time"] if rows else None,
        "lasted_ms": lasted / timedelta(milliseconds=1),
        "address": next((row["orig_address"] for row in rows if row["orig_address"]), None),
        "nodes": sorted({row["node"] for row in rows if row["node"]}),
        "sessions": sorted({str(row["session"]) for row in rows if row["session"]}),
        "requests": sorted({row["request_id"] for row in rows if row["request_id"]})[:20],
    }


def _parameters(row: dict[str, Any]) -> Any:
    try:
        return msgspec.json.decode(row["parameters"]) if row["parameters"] else {}
    except msgspec.DecodeError:
        return {}
