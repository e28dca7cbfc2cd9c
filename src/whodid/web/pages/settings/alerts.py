"""Pages of alerts: what is firing, what is looked for, who is told; muted and resolved by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from litestar import Response

from whodid.alerts.finding import Finding
from whodid.alerts.firings import Firing
from whodid.alerts.kinds import KINDS, kind_of
from whodid.alerts.row import Rule
from whodid.amounts import counted
from whodid.web.pages import frame
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.forms import kept
from whodid.web.pages.settings.alert_forms import MUTING, changes, fields_of, first_values, new_alert, values_of
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    may_change,
    moment_item,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.pages.settings.webhooks import webhooks_table
from whodid.web.requests import Req, segments, services_of
from whodid.web.services import Services
from whodid.web.words import count, moment

HERE: Final = "/settings/alerts"
ADD: Final = "/settings/add/alerts"
FIRING: Final = f"{HERE}/firing"
FIRINGS_SHOWN: Final = 50
# What of a finding has a page: its detail, where pages of such things are, and the words.
_BEHIND: Final = (("group", "errors", "The error"), ("event", "events", "The event"))
_TAGS: Final = {"critical": "bad", "warning": "warning"}


async def alerts(request: Req) -> Response[bytes]:
    """What is firing, the rules, the kinds that there are, webhooks."""
    every = asked(request, "all")["all"] == "true"
    services = services_of(request)
    rules = await services.call(services.beside.alerts.shown)
    firings = await services.call(services.beside.alerts.firings.found, all=every, limit=FIRINGS_SHOWN)
    heads = ("Alert", "Kind", "State", "Severity", "Tells", "Looked", "What went wrong")
    other = Button("Only what goes on", HERE) if every else Button("What is over, too", f"{HERE}?all=true")
    nothing = "Nothing is looked for yet: add one below." if may_change(request) else "Nothing is looked for yet."
    blocks: list[Block] = [
        _firings(request, services, firings, "Firing", "Nothing is firing."),
        Table("Alerts", heads, [_row(request, one) for one in rules], nothing),
    ]
    if may_change(request):
        hooks = await services.call(services.beside.outlets.webhooks)
        blocks += [_kinds(), *webhooks_table(hooks)]
    return show(request, "Alerts", blocks, buttons=[other])


async def new(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """The form of an alert, from the options of its kind."""
    asked(request)
    kind = segments(request)[3]
    submits = [("", "Add the alert"), ("try", "What would it find?")]
    fields = await _fields(services_of(request), kind, is_new=True)
    form = ask(failed, "alert", f"{ADD}/{segment(kind)}", fields, submits, first_values(kind), help=kind_of(kind).help)
    title = f"Add an alert: {kind_of(kind).title}"
    return show(request, title, [*more, form], back=(HERE, "Alerts"), status=failed.status if failed else 200)


async def create(request: Req) -> Response[bytes]:
    """Make a rule, or tell what it would find."""
    services, kind, given = services_of(request), segments(request)[3], await sent(request)
    fields = await _fields(services, kind, is_new=True)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        draft = new_alert(kind, values)
        if given.get("do") == "try":
            found = await services.call(services.beside.alerts.try_out, draft)
            return await new(request, Failed("alert", kept(fields, given), {}, 200), [_findings(found)])
        made = await services.call(services.beside.alerts.create, draft, by=by(request))
        return to(f"{HERE}/{segment(made.name)}", f"{made.name} is added; it looks every minute from here on.")

    return await tried(request, "alert", fields, given, work, lambda failed: new(request, failed))


async def alert(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """One rule: how it stands, what it found, what it is told to do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    rule = await services.call(services.beside.alerts.get, name)
    standing = await services.call(services.beside.alerts.shown_one, name)
    firings = await services.call(services.beside.alerts.firings.found, rule=name, all=True, limit=FIRINGS_SHOWN)
    here = f"{HERE}/{segment(name)}"
    fields = await _fields(services, rule.kind, is_new=False)
    blocks: list[Block] = [
        _standing(request, rule, standing),
        _firings(request, services, firings, "What it found in the last 90 days", "Nothing."),
        ask(failed, "mute", f"{here}/mute", MUTING, "Mute", {"until": "1d"}, title="Be quiet about it", open=False,
            help="It goes on looking, and notes what it finds; nobody is told meanwhile."),
        ask(failed, "alert", here, fields, "Keep", values_of(fields, rule), title="What it looks for", open=False),
        Doing([Button("Delete", f"{here}/delete", kind="danger")]),
    ]  # fmt: skip
    muted = rule.is_muted(services.beside.clock())
    buttons = [Button("Tell again", f"{here}/mute", True)] if muted else []
    lead = rule.description or kind_of(rule.kind).title
    status = failed.status if failed else 200
    return show(request, name, blocks, buttons=buttons, back=(HERE, "Alerts"), lead=lead, status=status)


async def change(request: Req) -> Response[bytes]:
    """Change a rule; what it has seen stays seen."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)
    rule = await services.call(services.beside.alerts.get, name)
    fields = await _fields(services, rule.kind, is_new=False)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        await services.call(services.beside.alerts.change, name, changes(rule.kind, values), by=by(request))
        return to(f"{HERE}/{segment(name)}", "Kept.")

    return await tried(request, "alert", fields, given, work, lambda failed: alert(request, failed))


async def mute(request: Req) -> Response[bytes]:
    """Tell nobody of what a rule finds for a while; without `until` tell again."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        rule = await services.call(services.beside.alerts.mute, name, values["until"], by=by(request))
        return to(f"{HERE}/{segment(name)}", f"{name} is quiet until {moment(rule.muted_until, frame.zone(request))}.")

    if "until" not in given:
        await services.call(services.beside.alerts.mute, name, None, by=by(request))
        return to(f"{HERE}/{segment(name)}", f"{name} tells again.")
    return await tried(request, "mute", MUTING, given, work, lambda failed: alert(request, failed))


async def confirm_delete(request: Req) -> Response[bytes]:
    """What deleting a rule will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    rule = await services.call(services.beside.alerts.get, name)
    firings = await services.call(services.beside.alerts.firings.found, rule=name, limit=FIRINGS_SHOWN)
    here = f"{HERE}/{segment(rule.name)}"
    sentences = [
        f"{counted(len(firings), 'firing')} that go on end, and nobody is told of it.",
        f"{_tells(rule.mail, rule.webhooks) or 'Nobody'} will not be told any more. This cannot be taken back.",
    ]
    return confirm(request, f"Delete {name}?", sentences, action=f"{here}/delete", words="Delete the alert", back=here)


async def delete(request: Req) -> Response[bytes]:
    """Forget a rule."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.alerts.delete, name, by=by(request))
    return to(HERE, f"{name} is deleted.")


async def firing(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """One firing: what was found, since when, who was told; it can be muted and resolved."""
    asked(request)
    services = services_of(request)
    found = await services.call(services.beside.alerts.firings.get, segments(request)[3])
    here, zone = f"{FIRING}/{found.id}", frame.zone(request)
    state = found.shown(services.beside.clock())["state"]
    rows = [
        ("State", state, _TAGS.get(found.severity, "") if state == "firing" else ""),
        ("Severity", found.severity, ""),
        ("Began", moment(found.first_at, zone), ""),
        ("Found last", f"{moment(found.last_at, zone)}, {counted(found.findings, 'time')}", ""),
        ("Told last", "nobody was told" if found.told_at is None else moment(found.told_at, zone), ""),
    ]
    if found.muted_until is not None and state == "muted":
        rows.append(("Quiet until", moment(found.muted_until, zone), ""))
    if found.ended_at is not None:
        rows.append(
            ("Over since", f"{moment(found.ended_at, zone)}{f', by {found.ended_by}' if found.ended_by else ''}", "")
        )
    details = [(str(name).replace("_", " "), _told(value), "") for name, value in found.details.items()]
    blocks: list[Block] = [Text([found.message]), Facts(rows)]
    blocks += [Facts(details, "What was counted")] if details else []
    buttons = [
        Button(name, f"/{path}/{segment(str(found.details[key]))}")
        for key, path, name in _BEHIND
        if key in found.details
    ]
    buttons.append(Button("The alert", f"{HERE}/{segment(found.rule)}"))
    if found.state == "firing":
        blocks.append(
            ask(failed, "mute", f"{here}/mute", MUTING, "Mute", {"until": "4h"}, title="Be quiet about it",
                help="Nobody is told of it meanwhile, not even that it is over.")
        )  # fmt: skip
        buttons.append(Button("Resolve", f"{here}/resolve", True, kind="main"))
    if state == "muted":
        buttons.append(Button("Tell again", f"{here}/mute", True))
    status = failed.status if failed else 200
    return show(request, found.title, blocks, buttons=buttons, back=(HERE, "Alerts"), lead=found.rule, status=status)


async def mute_firing(request: Req) -> Response[bytes]:
    """Be quiet about a firing for a while; without `until` no longer."""
    services, which, given = services_of(request), segments(request)[3], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        muted = await services.call(services.beside.alerts.mute_firing, which, values["until"], by=by(request))
        return to(f"{FIRING}/{muted.id}", f"Quiet until {moment(muted.muted_until, frame.zone(request))}.")

    if "until" not in given:
        await services.call(services.beside.alerts.mute_firing, which, None, by=by(request))
        return to(f"{FIRING}/{segment(which)}", "It is told again.")
    return await tried(request, "mute", MUTING, given, work, lambda failed: firing(request, failed))


async def resolve_firing(request: Req) -> Response[bytes]:
    """It is dealt with."""
    await sent(request)
    services, which = services_of(request), segments(request)[3]
    found = await services.call(services.beside.alerts.resolve, which, by=by(request))
    return to(HERE, f"Resolved: {found.title}. What lasts is told again only after it was over.")


async def _fields(services: Services, kind: str, *, is_new: bool) -> Any:
    hooks = await services.call(services.beside.outlets.webhooks)
    return fields_of(kind, [one["name"] for one in hooks], is_new=is_new)


def _kinds() -> Table:
    rows = [
        [Item(kind.title), Item(kind.help),
         Item(buttons=[Button("Add", f"{ADD}/{name}", label=f"Add an alert: {kind.title}")])]
        for name, kind in KINDS.items()
    ]  # fmt: skip
    return Table("What can be looked for", ("Kind", "What", ""), rows)


def _firings(request: Req, services: Services, firings: Sequence[Firing], title: str, empty: str) -> Table:
    at = services.beside.clock()
    rows = [
        [
            Item(one.title, f"{FIRING}/{one.id}"),
            Item(one.rule, f"{HERE}/{segment(one.rule)}"),
            Item(one.severity, tag=_TAGS.get(one.severity, "") if one.state == "firing" else ""),
            Item(one.shown(at)["state"]),
            Item(f"{one.findings:,}", kind="number"),
            moment_item(one.first_at, request),
            moment_item(one.last_at, request),
            Item(buttons=[Button("Resolve", f"{FIRING}/{one.id}/resolve", True, label=f"Resolve {one.title}")])
            if one.state == "firing"
            else Item(),
        ]
        for one in firings
    ]
    heads = ("What", "Alert", "Severity", "State", "#Times", "Began", "Last", "")
    note = f"The latest {FIRINGS_SHOWN}." if len(rows) == FIRINGS_SHOWN else ""
    return Table(title, heads, rows, empty, note)


def _row(request: Req, rule: dict[str, Any]) -> list[Item]:
    state = "looks" if rule["enabled"] else "rests"
    if rule["muted_until"] is not None and state == "looks":
        state = f"muted until {moment(datetime.fromisoformat(str(rule['muted_until'])), frame.zone(request))}"
    return [
        Item(rule["name"], f"{HERE}/{segment(rule['name'])}"),
        Item(kind_of(rule["kind"]).title),
        Item(state, tag="warning" if state != "looks" else ""),
        Item(rule["severity"]),
        Item(_tells(rule["mail"], rule["webhooks"]) or "nobody"),
        moment_item(rule["checked_at"], request, "not yet"),
        Item(rule["problem"] or "", tag="bad" if rule["problem"] else ""),
    ]


def _standing(request: Req, rule: Rule, standing: dict[str, Any]) -> Facts:
    zone = frame.zone(request)
    rows = [
        ("State", "looks" if rule.enabled else "rests", "" if rule.enabled else "warning"),
        ("Severity", rule.severity, ""),
        ("Tells", _tells(rule.mail, rule.webhooks) or "nobody", ""),
        ("Looked", "not yet" if standing["checked_at"] is None else moment(standing["checked_at"], zone), ""),
        ("Made", f"{moment(rule.created_at, zone)} by {rule.created_by or 'somebody'}", ""),
    ]
    if rule.muted_until is not None:
        rows.insert(1, ("Quiet until", moment(rule.muted_until, zone), "warning"))
    if standing["problem"]:
        rows.insert(0, ("What went wrong", standing["problem"], "bad"))
    return Facts(rows)


def _tells(mail: Sequence[str], webhooks: Sequence[str]) -> str:
    return ", ".join([*mail, *(f"webhook {name}" for name in webhooks)])


def _told(value: Any) -> str:
    return count(value) if isinstance(value, int | float) else str(value)


def _findings(found: Sequence[Finding]) -> Text:
    """What a rule would tell of at this moment."""
    if not found:
        return Text(["At this moment it finds nothing; of what came in, the last hour was looked at."], "Tried", "good")
    told = [f"{one.title}: {one.message}" for one in found[:10]]
    more = [f"and {len(found) - 10:,} more."] if len(found) > 10 else []
    return Text([*told, *more], f"It would fire {counted(len(found), 'time')} now; nobody was told", "warning")
