"""The page of one group of errors: why it is one, its traces side by side, what came before, what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response

from whodid.analysis import group_settings
from whodid.analysis.error_groups import group_of
from whodid.analysis.group_settings import Split
from whodid.errors import WhodidError
from whodid.reports.run import run
from whodid.typed import convert
from whodid.web.browsers import form_of
from whodid.web.error_groups import told_group
from whodid.web.pages import errors_before, event_shape, found, frame
from whodid.web.pages.audit import note
from whodid.web.pages.choice import ADDRESS_NAMES, Choice, choice_of
from whodid.web.pages.sentence import sentence
from whodid.web.requests import Req, caller_of, name_of, query_of, segments, services_of
from whodid.web.services import Services

QUERY: Final = ADDRESS_NAMES
HASHES_SHOWN: Final = 50
SAMPLES_BESIDE: Final = 3
# Ways to split a group, as the form offers them.
SPLITS: Final = (
    ("message", "each message by itself"),
    ("type", "each type of event by itself"),
    ("hash", "each stack trace by itself"),
    ("contains", "what contains this text"),
)


class Run(NamedTuple):
    """Frames of a trace that follow each other and are all the application's own, or none of them."""

    in_app: bool
    frames: list[dict[str, Any]]


async def page(request: Req) -> Response[bytes]:
    """A group of errors; the hash of a stack trace leads to the group it belongs to, or to those of the events that a
    caller may see."""
    given = query_of(request, QUERY)
    choice = choice_of(given, frame.zone(request)).in_time()
    services, group = services_of(request), segments(request)[1]
    if caller_of(request).sight.is_limited:
        # A group tells of all of its errors, whoever had them.
        if not _is_uuid(group):
            raise WhodidError(
                "not_found", "Groups tell of everybody's errors.", "You see your events: /events?level=error"
            )
        return _to(f"/events{choice.with_value('error_hash', group).address()}")
    if _is_uuid(group):
        target = await services.call(_group_of_hash, services, group)
        return _to(f"/errors/{quote(target, safe='')}{choice.address()}")
    await note(request, "error", choice, {"group": group})
    span = choice.span()
    told = await services.call(told_group, services, group, {"since": span.since, "until": span.until})
    if told["group"] != group:
        return _to(f"/errors/{quote(told['group'], safe='')}{choice.address()}")
    shape, others = await asyncio.gather(
        services.call(_shape, request, choice, told), services.call(_others, services, span.since, span.until, group)
    )
    return frame.page(
        request,
        "error_group.html",
        at="/errors",
        title=told["title"],
        choice=choice,
        address=request.url.path,
        sentence=sentence(choice, caller_of(request).sight),
        told=told,
        before=errors_before.framed(group, told["before"], choice),
        samples=[{**sample, "runs": _runs(sample)} for sample in told["samples"][:SAMPLES_BESIDE]],
        more=len(told["samples"]) - SAMPLES_BESIDE,
        shape=shape,
        others=others,
        splits=SPLITS,
        may_change="admin" in caller_of(request).scopes,
        moment=_moment,
    )


async def change_state(request: Req) -> Response[bytes]:
    """Open, mute or resolve the group."""

    zone = ZoneInfo(frame.zone(request))

    def change(services: Services, group: str, form: dict[str, str], by: str) -> None:
        state = form.get("state", "")
        until = form.get("until") if state == "muted" else None
        group_settings.set_state(
            services.directory,
            group,
            state,
            by=by,
            until=datetime.fromisoformat(until).replace(tzinfo=zone) if until else None,
            version=form.get("version") or None if state == "resolved" else None,
        )

    return await _changed(request, change)


async def merge(request: Req) -> Response[bytes]:
    """Count another group as this one, or take this one out of what it was merged into."""

    def change(services: Services, group: str, form: dict[str, str], by: str) -> None:
        if "out" in form:
            group_settings.unmerge(services.directory, form["out"], by=by)
        else:
            group_settings.merge(services.directory, [form.get("other", "")], group, by=by)

    return await _changed(request, change)


async def split(request: Req) -> Response[bytes]:
    """Split the group by a rule, or take its rules away."""

    def change(services: Services, group: str, form: dict[str, str], by: str) -> None:
        rule = None
        if form.get("by") != "none":
            rule = convert({"by": form.get("by"), "text": form.get("text") or None}, Split)
        group_settings.split(services.directory, group, rule, by=by)

    return await _changed(request, change)


async def _changed(request: Req, change: Callable[[Services, str, dict[str, str], str], None]) -> Response[bytes]:
    services, group, form = services_of(request), segments(request)[1], await form_of(request)
    try:
        await services.call(change, services, group, form, name_of(caller_of(request)))
    except (msgspec.ValidationError, ValueError) as error:
        raise WhodidError("invalid", f"The form cannot be read: {error}") from error
    return _to(f"/errors/{quote(group, safe='')}")


def _to(address: str) -> Response[bytes]:
    return Response(b"", status_code=303, headers={"location": address}, media_type="text/html")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _group_of_hash(services: Services, digest: str) -> str:
    wanted = found.wanted_by(Choice(zone="UTC", range="all"), error_hash=[digest], limit=1)
    rows, _ = found.page(services, wanted, found.EVERYTHING, services.config.query_timeout_ms)
    if not rows:
        raise WhodidError("not_found", f"There is no error with the hash {digest}.", "Errors are listed at /errors.")
    row = rows[0]
    message = row["error_message"] or row["description"]
    return group_of(row["error_stack_trace"], message, row["type"]).id


def _shape(request: Req, choice: Choice, told: dict[str, Any]) -> dict[str, Any] | None:
    """The errors over time, for those of a stack trace, and where they are listed."""
    hashes = sorted({sample["error_hash"] for sample in told["samples"] if sample["error_hash"]})
    for one in _listed(told.get("error_hashes")):
        if one not in hashes:
            hashes.append(one)
    if not hashes:
        return None
    narrowed = choice
    for one in hashes[:HASHES_SHOWN]:
        narrowed = narrowed.with_value("error_hash", one)
    services = services_of(request)
    shape = found.shape(services, narrowed, caller_of(request).sight, services.config.query_timeout_ms)
    return {**event_shape.shaped(shape, choice), "drill": f"/events{narrowed.address()}"}


def _others(services: Services, since: datetime, until: datetime, group: str) -> list[dict[str, Any]]:
    """Other groups, that this one could be merged with."""
    table = run(services.store, "error-groups", directory=services.directory, since=since, until=until, limit=50).table
    rows = table.select(["group", "title"]).to_pylist()
    return [row for row in rows if row["group"] != group]


def _runs(sample: dict[str, Any]) -> list[Run]:
    marked = [{**one, "differs": place in sample["different"]} for place, one in enumerate(sample["frames"])]
    return [Run(in_app, list(frames)) for in_app, frames in groupby(marked, lambda one: bool(one["in_app"]))]


def _listed(value: Any) -> list[str]:
    if isinstance(value, str | bytes | msgspec.Raw):
        value = msgspec.json.decode(bytes(value) if isinstance(value, msgspec.Raw) else value)
    return [str(one) for one in value or []]


def _moment(value: Any) -> datetime | None:
    """A time of a told group, which may be text."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None
