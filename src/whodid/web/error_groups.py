"""Groups of errors over HTTP: the list, one group, and what people decide about it; outcomes of predictions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
from litestar import Response
from msgspec import Struct

from whodid import reports
from whodid.analysis import group_page, group_settings
from whodid.analysis.error_report import Found, groups
from whodid.analysis.ground_truth import OUTCOMES_MAX, Outcome, events_of
from whodid.analysis.group_settings import Split
from whodid.errors import WhodidError
from whodid.journal.base import Draft
from whodid.reading.audit import kind_of
from whodid.reading.output import rows
from whodid.reports.run import STEP_ROWS_MAX, Prepared, Reported, prepare, run
from whodid.web.answers import json_answer
from whodid.web.events import recorded
from whodid.web.query import report_answer
from whodid.web.requests import Req, body_of, caller_of, form_of, name_of, one, query_of, segments, services_of
from whodid.web.services import Services

REPORT = "error-groups"
BEFORE = "errors-before"
SPAN = ("since", "until")
BEFORE_QUERY = (*SPAN, "limit", "format")
LISTED = (*SPAN, "state", "limit", "users", "groups", "entities", "projects", "topics", "types", "levels")

GroupSplit = Split


class GroupState(Struct, kw_only=True, forbid_unknown_fields=True):
    """The state of a group: open, muted (`until` a time), resolved (in a `version`)."""

    state: str
    until: datetime | None = None
    version: str | None = None


class GroupMerge(Struct, kw_only=True, forbid_unknown_fields=True):
    """The groups that are to count as this one."""

    groups: list[str]


class Outcomes(Struct, kw_only=True, forbid_unknown_fields=True):
    """What happened to the things that a service was asked about; `match` is the field of a query that holds a key."""

    service: str
    outcomes: list[Outcome]
    match: str = "request_id"


async def list_groups(request: Req) -> Response[bytes]:
    """The groups of errors in a time: new, came back or known, with their states."""
    services = services_of(request)
    given: dict[str, Any] = {
        name: values if name not in (*SPAN, "state", "limit") else one({name: values}, name)
        for name, values in query_of(request, LISTED).items()
    }
    async with recorded(request, "audit-read", "error groups", given):
        answer = await services.call(run, services.store, REPORT, directory=services.directory, **given)
    return json_answer({"groups": rows(answer.table), "total": answer.total, "truncated": answer.truncated})


async def show_group(request: Req) -> Response[bytes]:
    """One group: why it is one, samples side by side, versions, what was done before, what was decided."""
    services, group = services_of(request), segments(request)[2]
    given = {name: one({name: values}, name) for name, values in query_of(request, SPAN).items()}
    async with recorded(request, "audit-read", "error group", {"group": group, **given}):
        told = await services.call(told_group, services, group, given)
    return json_answer(told)


async def show_before(request: Req) -> Response[bytes]:
    """What was done right before the errors of a group, as a table."""
    services, form, group = services_of(request), form_of(request), segments(request)[2]
    given = {name: one({name: values}, name) for name, values in query_of(request, BEFORE_QUERY).items()}
    given.pop("format", None)
    async with recorded(request, kind_of(form), "before an error group", {"group": group, **given}, form):
        answer = await services.call(done_before, services, group, given)
    return await services.call(report_answer, reports.report(BEFORE), answer, form)


async def change_group(request: Req) -> Response[bytes]:
    """Open, mute or resolve a group. The change is an event."""
    services, group, wanted = services_of(request), segments(request)[2], await body_of(request, GroupState)
    decided = await services.call(
        group_settings.set_state,
        services.directory,
        group,
        wanted.state,
        by=name_of(caller_of(request)),
        until=wanted.until,
        version=wanted.version,
    )
    return json_answer({"group": group, **msgspec.to_builtins(decided)})


async def merge_groups(request: Req) -> Response[bytes]:
    """Count other groups as this one from now on."""
    services, group, wanted = services_of(request), segments(request)[2], await body_of(request, GroupMerge)
    by = name_of(caller_of(request))
    await services.call(group_settings.merge, services.directory, wanted.groups, group, by=by)
    return json_answer({"group": group, "merged": await services.call(_merged, services, group)})


async def unmerge_group(request: Req) -> Response[bytes]:
    """Take a group out of the one it was merged into."""
    services, group = services_of(request), segments(request)[2]
    decided = await services.call(group_settings.unmerge, services.directory, group, by=name_of(caller_of(request)))
    return json_answer({"group": group, **msgspec.to_builtins(decided)})


async def split_group(request: Req) -> Response[bytes]:
    """Split a group by message, type, hash, or what contains a text."""
    services, group, rule = services_of(request), segments(request)[2], await body_of(request, GroupSplit)
    decided = await services.call(group_settings.split, services.directory, group, rule, by=name_of(caller_of(request)))
    return json_answer({"group": group, **msgspec.to_builtins(decided)})


async def join_group(request: Req) -> Response[bytes]:
    """Take all rules away that split a group."""
    services, group = services_of(request), segments(request)[2]
    decided = await services.call(group_settings.split, services.directory, group, None, by=name_of(caller_of(request)))
    return json_answer({"group": group, **msgspec.to_builtins(decided)})


async def add_outcomes(request: Req) -> Response[bytes]:
    """Tell what really happened, so that predictions are judged by it; the same outcome again changes nothing."""
    services, given = services_of(request), await body_of(request, Outcomes)
    if not 1 <= len(given.outcomes) <= OUTCOMES_MAX:
        raise WhodidError("invalid", f"1 to {OUTCOMES_MAX:,} outcomes are taken at once.")
    return json_answer(
        {"outcomes": await services.call(_keep, services, given, name_of(caller_of(request)))}, status=201
    )


def told_group(services: Services, group: str, given: dict[str, Any]) -> dict[str, Any]:
    """All about a group, of the errors in a time, also when there were none in it; see `group_page.detail`.

    Raises WhodidError("not_found").
    """
    asked, table, found = _found(services, group, given)
    only = {"group": found.group.id, "quiet": True, "state": "all", "limit": 1}
    told = groups(table, {**asked.values, **only}, services.directory)
    before = run(services.store, BEFORE, **_errors_of(found), **given)
    row = rows(told)[0]
    row.pop("of", None)
    return {**group_page.detail(found, row, table, services.directory), "before": rows(before.table)}


def asked_before(services: Services, group: str, given: dict[str, Any]) -> dict[str, Any]:
    """What report `errors-before` is asked for a group, besides what is given. Raises WhodidError("not_found")."""
    _, _, found = _found(services, group, {name: value for name, value in given.items() if name in SPAN})
    return given | _errors_of(found)


def done_before(services: Services, group: str, given: dict[str, Any]) -> Reported:
    """Report `errors-before` of the errors of a group. Raises WhodidError("not_found")."""
    return run(services.store, BEFORE, **asked_before(services, group, given))


def _found(services: Services, group: str, given: dict[str, Any]) -> tuple[Prepared, pa.Table, Found]:
    asked = prepare(services.store, REPORT, directory=services.directory, **given)
    table = services.store.query(asked.sql, asked.params, limit=STEP_ROWS_MAX, trusted=True).table
    return asked, table, group_page.one(table, group, services.directory)


def _errors_of(found: Found) -> dict[str, Any]:
    hashes, shapes = group_page.hashes_and_shapes(found)
    return {"hashes": hashes, "shapes": shapes}


def _merged(services: Services, group: str) -> list[str]:
    return group_settings.decisions(services.directory).merged_into(group)


def _keep(services: Services, given: Outcomes, by: str) -> int:
    at = datetime.now(UTC)
    events = {event.id: event for event in events_of(given.service, given.outcomes, match=given.match, at=at, by=by)}
    services.journal.append_blocking(
        Draft(received_at=at, events=msgspec.json.encode(list(events.values())), count=len(events))
    )
    return len(events)
