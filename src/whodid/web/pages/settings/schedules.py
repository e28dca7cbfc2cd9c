"""Pages of scheduled reports: what goes where and when, how it went, tried before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Response

from whodid import reports
from whodid.amounts import counted, rows_counted
from whodid.errors import WhodidError
from whodid.schedules.row import Destination, NewSchedule, Schedule, ScheduleFields
from whodid.web import words
from whodid.web.pages import frame
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.forms import Field, Problems, kept, shown
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    moment_item,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.requests import Req, caller_of, segments, services_of
from whodid.web.services import Services

HERE: Final = "/settings/schedules"
ADD: Final = "/settings/add/schedules"
RUNS_SHOWN: Final = 30
_NAME: Final = Field("name", "Name", required=True, help="Files begin with it. Letters, digits, . _ and -.")
_FORMATS: Final = (("csv", "CSV"), ("parquet", "Parquet"), ("none", "no file (mail only)"))
_TAGS: Final = {"done": "good", "failed": "bad"}


async def schedules(request: Req) -> Response[bytes]:
    """All schedules, when each runs next, and how it went last."""
    asked(request)
    services = services_of(request)
    beside = services.beside.schedules
    found = await services.call(lambda: [beside.shown(one) for one in beside.all()])
    heads = ("Schedule", "Report", "When", "Goes to", "Next", "Last", "Outcome")
    table = Table("", heads, [_row(request, one) for one in found], "No report goes out by itself yet.")
    return show(request, "Schedules", [table], buttons=[Button("Add a schedule", ADD, kind="main")])


async def new(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """The form of a schedule."""
    given = asked(request, "report")
    services = services_of(request)
    values = {
        "report": given["report"],
        "cron": "0 7 * * MON",
        "zone": frame.zone(request),
        "format": "csv",
        "as_user": caller_of(request).user or "",
    }
    submits = [("", "Add the schedule"), ("dry-run", "What would go?")]
    form = ask(failed, "schedule", ADD, _fields(services, is_new=True), submits, values)
    status = failed.status if failed else 200
    return show(request, "Add a schedule", [*more, form], back=(HERE, "Schedules"), status=status)


async def create(request: Req) -> Response[bytes]:
    """Make a schedule, or tell what would go."""
    services, given, user = services_of(request), await sent(request), caller_of(request).user
    fields = _fields(services, is_new=True)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        wanted = NewSchedule(name=values["name"], **_said(values))
        if given.get("do") == "dry-run":
            draft = await services.call(services.beside.schedules.draft, wanted, by=by(request), user=user)
            told = await services.call(services.beside.schedules.dry_run, draft)
            return await new(request, Failed("schedule", kept(fields, given), {}, 200), _would_go(told))
        made = await services.call(services.beside.schedules.create, wanted, by=by(request), user=user)
        return to(f"{HERE}/{segment(made.name)}", f"{made.name} is added.")

    return await tried(request, "schedule", fields, given, work, lambda failed: new(request, failed))


async def schedule(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """One schedule: what it is told to do, how it ran."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.beside.schedules.get, name)
    told = await services.call(services.beside.schedules.shown, found)
    runs = await services.call(services.beside.schedules.runs, name, RUNS_SHOWN)
    here = f"{HERE}/{segment(name)}"
    heads = ("Due", "State", "#Rows", "Went to", "Attempts", "By")
    blocks: list[Block] = [
        *more,
        _standing(request, found, told),
        Table("How it ran", heads, [_run(request, one) for one in runs], "It has not run yet."),
        ask(failed, "schedule", here, _fields(services, is_new=False), "Keep", _values(services, found),
            title="What it does", open=False),
        Doing([Button("Delete", f"{here}/delete", kind="danger")]),
    ]  # fmt: skip
    goes = Button("Pause", f"{here}/pause", True) if found.enabled else Button("Resume", f"{here}/resume", True)
    buttons = [
        Button("Run it now", f"{here}/run", True, kind="main"),
        Button("What would go?", f"{here}/dry-run", True),
        goes,
    ]
    status = failed.status if failed else 200
    lead = found.description or reports.report(found.report).title
    return show(
        request, name, blocks, buttons=buttons, back=(HERE, "Schedules"), lead=lead, status=status
    )  # fmt: skip


async def change(request: Req) -> Response[bytes]:
    """Change a schedule, from its next time on."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        fields = ScheduleFields(**_said(values))
        await services.call(services.beside.schedules.change, name, fields, by=by(request))
        return to(f"{HERE}/{segment(name)}", "Kept; it counts from the next time on.")

    fields = _fields(services, is_new=False)
    return await tried(request, "schedule", fields, given, work, lambda failed: schedule(request, failed))


async def run(request: Req) -> Response[bytes]:
    """Run a schedule and wait for what comes of it."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    try:
        done = await services.call(services.beside.schedules.run_now, name, by=by(request))
    except WhodidError as error:
        if error.code in ("not_found", "internal"):
            raise
        return await schedule(request, more=[Text([error.message, error.hint or ""], "It did not go", "bad")])
    told = f"{rows_counted(done)} went to {done['to']}." if "rows" in done else "Somebody runs it already."
    return to(f"{HERE}/{segment(name)}", told)


async def dry_run(request: Req) -> Response[bytes]:
    """What a run at this moment would deliver; nothing leaves."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.beside.schedules.get, name)
    return await schedule(request, more=_would_go(await services.call(services.beside.schedules.dry_run, found)))


async def pause(request: Req) -> Response[bytes]:
    """Let a schedule rest."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.schedules.pause, name, by=by(request))
    return to(f"{HERE}/{segment(name)}", f"{name} is paused.")


async def resume(request: Req) -> Response[bytes]:
    """Let a schedule go on, from its next time."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.schedules.resume, name, by=by(request))
    return to(f"{HERE}/{segment(name)}", f"{name} goes on with its next time.")


async def confirm_delete(request: Req) -> Response[bytes]:
    """What deleting a schedule will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.beside.schedules.get, name)
    runs = await services.call(services.beside.schedules.runs, name, RUNS_SHOWN)
    here = f"{HERE}/{segment(found.name)}"
    sentences = [
        f"Nothing goes to {_where(msgspec.to_builtins(found.to))} by it any more, and the notes of"
        f" {counted(len(runs), 'run')} are forgotten.",
        "What it wrote stays where it is. This cannot be taken back.",
    ]
    return confirm(request, f"Delete {name}?", sentences, action=f"{here}/delete", words="Delete the schedule",
                   back=here)  # fmt: skip


async def delete(request: Req) -> Response[bytes]:
    """Forget a schedule; what it wrote stays."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.schedules.delete, name, by=by(request))
    return to(HERE, f"{name} is deleted. What it wrote stays.")


def _fields(services: Services, *, is_new: bool) -> tuple[Field, ...]:
    known = tuple((one.name, f"{one.name}: {one.title}") for one in reports.catalogue())
    connections = tuple((one.name, one.name) for one in services.datasets.connections.all())
    fields = (
        Field("report", "Report", "choice", required=True, choices=known),
        Field("parameters", "Asked with", "list", "Parameters of the report, as name = value; several lines of one name"
              " are several values.", placeholder="since = 7d\nprojects = SALES"),
        Field("cron", "When", required=True, help="Minute, hour, day, month, weekday; or @hourly, @daily, @weekly,"
              " @monthly.", placeholder="0 7 * * MON"),
        Field("zone", "Time zone", required=True, help="Of the times above, and of the report's days and hours."),
        Field("connection", "To a connection", "choice", "Files go there. Or by mail:" if connections else
              "There is none yet: add one under Connections. Or by mail:", choices=connections),
        Field("path", "Folder", help="Below the connection.", placeholder="reports/2026"),
        Field("mail", "By mail to", "list", "Addresses: with the first rows, the chart as a picture, and the file."),
        Field("format", "File", "choice", required=True, choices=_FORMATS),
        Field("as_user", "With the rights of", help="It tells what this user may see at each run. Empty: everything.",
              suggest="user", more=True),
        Field("description", "Description", more=True),
    )  # fmt: skip
    return (_NAME, *fields) if is_new else fields


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says of a schedule. Raises Problems."""
    destination = Destination(
        connection=values["connection"] or "", path=values["path"] or "", mail=list(values["mail"])
    )
    named = {name: values[name] for name in ("report", "cron", "zone", "format", "as_user", "description")}
    return {**named, "to": destination, "parameters": _parameters(values["parameters"])}


def _parameters(lines: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in lines:
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not name:
            raise Problems({"parameters": f"{line[:80]!r} is no name = value."})
        before = found.get(name)
        found[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return found


def _values(services: Services, found: Schedule) -> dict[str, Any]:
    """What stands in the form of a schedule that there is."""
    lines = [
        f"{name} = {one}"
        for name, value in found.parameters.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    named = {name: getattr(found, name) for name in ("report", "cron", "zone", "format", "as_user", "description")}
    to_ = {"connection": found.to.connection or None, "path": found.to.path or None, "mail": found.to.mail}
    return shown(_fields(services, is_new=False), {**named, **to_, "parameters": lines})


def _row(request: Req, one: Mapping[str, Any]) -> list[Item]:
    last = one["last"] or {}
    return [
        Item(one["name"], f"{HERE}/{segment(one['name'])}"),
        Item(one["report"]),
        Item(f"{one['cron']}", note=one["zone"]),
        Item(_where(one["to"])),
        Item("paused", tag="warning") if not one["enabled"] else _ahead(request, one["next"]),
        moment_item(last.get("due"), request, "not yet"),
        Item(str(last.get("error") or last.get("state") or ""), tag=_TAGS.get(last.get("state", ""), "")),
    ]


def _ahead(request: Req, at: Any) -> Item:
    return Item(words.stamp(at, frame.zone(request))[:-3], title=words.moment(at, frame.zone(request)), kind="time")


def _standing(request: Req, found: Schedule, told: Mapping[str, Any]) -> Facts:
    zone = frame.zone(request)
    parameters = ", ".join(
        f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in found.parameters.items()
    )
    return Facts(
        [
            (
                "Next",
                words.moment(told["next"], zone) if found.enabled else "paused",
                "" if found.enabled else "warning",
            ),
            ("Report", f"{found.report}{f', {parameters}' if parameters else ''}", ""),
            ("When", f"{found.cron}, {found.zone}", ""),
            ("Goes to", _where(msgspec.to_builtins(found.to)), ""),
            ("File", dict(_FORMATS)[found.format], ""),
            ("With the rights of", found.as_user or "nobody in particular: it tells everything", ""),
            ("Made", f"{words.moment(found.created_at, zone)} by {found.created_by or 'somebody'}", ""),
        ]
    )


def _run(request: Req, one: Mapping[str, Any]) -> list[Item]:
    again = one["next_attempt_at"]
    state = one["state"] if again is None else f"again {words.clock(again, frame.zone(request))}"
    return [
        Item(
            words.stamp(one["due"], frame.zone(request)),
            title=words.moment(one["due"], frame.zone(request)),
            kind="time",
        ),
        Item(state, tag=_TAGS.get(one["state"], "warning" if again else "")),
        _rows(one),
        Item(str(one.get("error") or one.get("to") or "")),
        Item(f"{one['attempts']}", kind="number"),
        Item(one["by"] or "the schedule"),
    ]


def _rows(one: Mapping[str, Any]) -> Item:
    """How many rows went; where they were cut, of how many."""
    if one.get("rows") is None:
        return Item(kind="number")
    total = one.get("total")
    note = "cut at its limit" if total is None else f"of {total:,}"
    return Item(f"{one['rows']:,}", kind="number", note=note if one.get("truncated") else "")


def _would_go(told: Mapping[str, Any]) -> list[Block]:
    """What a run at this moment would deliver."""
    sentences = [f"{rows_counted(told)} would go to {told['to']}. Nothing left."]
    if "text" in told:
        sentences.append(f"Subject: {told['subject']} ({'with' if told['picture'] else 'without'} a picture).")
    return [Text(sentences, "What would go", "good", str(told.get("text", "")))]


def _where(destination: Mapping[str, Any]) -> str:
    """Where a report goes, in words."""
    if destination.get("connection"):
        path = destination.get("path")
        return f"{destination['connection']}:{path}" if path else str(destination["connection"])
    return ", ".join(destination.get("mail", []))
