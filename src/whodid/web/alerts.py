"""Alerts over HTTP: rules, what is firing, webhooks."""

from __future__ import annotations

import secrets
from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from whodid.alerts.kinds import KINDS
from whodid.alerts.row import SEVERITIES, AlertFields, NewAlert
from whodid.beside import Beside
from whodid.delivery import webhook as hooks
from whodid.delivery.settings import Outlets
from whodid.delivery.webhook import Webhook
from whodid.errors import WhodidError
from whodid.web import in_use
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, bounded, caller_of, name_of, one, query_of, segments, services_of

FIRING_QUERY: Final = ("rule", "all", "limit")
FIRINGS_MAX: Final = 1_000


class Muting(Struct, kw_only=True, forbid_unknown_fields=True):
    """Until when: `2h`, `3d`, a time in ISO 8601; null ends it."""

    until: str | None


class WebhookFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where to. An empty secret is none; left out it stays, as the URL does."""

    url: str | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    certificates: str | UnsetType = UNSET


async def list_kinds(request: Req) -> Response[bytes]:
    """The kinds of alerts with their options, from which forms are made."""
    query_of(request, [])
    kinds = [
        {
            "name": kind.name,
            "title": kind.title,
            "help": kind.help,
            "lasting": kind.lasting,
            "options": [{**option._asdict(), "needed": option.default is None} for option in kind.options],
        }
        for kind in KINDS.values()
    ]
    return json_answer({"kinds": kinds})


async def list_rules(request: Req) -> Response[bytes]:
    """All rules, when each was looked at last, and what went wrong then."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"alerts": await services.call(services.beside.alerts.shown)})


async def create_rule(request: Req) -> Response[bytes]:
    """Make a rule; it looks from here on."""
    new, services = await body_of(request, NewAlert), services_of(request)
    made = await services.call(services.beside.alerts.create, new, by=_by(request))
    return json_answer(await services.call(services.beside.alerts.shown_one, made.name), status=201)


async def try_rule(request: Req) -> Response[bytes]:
    """What a rule would find at this moment; of what came in, in the last hour. Nobody is told."""
    new, services = await body_of(request, NewAlert), services_of(request)
    findings = await services.call(services.beside.alerts.try_out, new)
    return json_answer({"findings": [{**finding._asdict(), "details": dict(finding.details)} for finding in findings]})


async def show_rule(request: Req) -> Response[bytes]:
    """A rule, when it was looked at last, and what went wrong then."""
    return await _shown(request, segments(request)[2])


async def change_rule(request: Req) -> Response[bytes]:
    """Change a rule; what is left out stays, and what it has seen stays seen."""
    fields, services, name = await body_of(request, AlertFields), services_of(request), segments(request)[2]
    await services.call(services.beside.alerts.change, name, fields, by=_by(request))
    return await _shown(request, name)


async def delete_rule(request: Req) -> Response[bytes]:
    """Forget a rule; its firings end."""
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.alerts.delete, name, by=_by(request))
    return json_answer({"deleted": name})


async def mute_rule(request: Req) -> Response[bytes]:
    """Tell nobody of what a rule finds, until a time."""
    asked, services, name = await body_of(request, Muting), services_of(request), segments(request)[2]
    await services.call(services.beside.alerts.mute, name, asked.until, by=_by(request))
    return await _shown(request, name)


async def list_firings(request: Req) -> Response[bytes]:
    """What is firing, the latest first; with `all=true` what ended, too."""
    given, services = query_of(request, FIRING_QUERY), services_of(request)
    limit = bounded(given, "limit", 100, 1, FIRINGS_MAX)
    rule, every = one(given, "rule") or None, one(given, "all", "false") == "true"
    beside = services.beside
    found = await services.call(beside.alerts.firings.found, rule=rule, all=every, limit=limit)
    return json_answer({"firings": [firing.shown(beside.clock()) for firing in found]})


async def show_firing(request: Req) -> Response[bytes]:
    """A firing, by its id or the beginning of it."""
    services = services_of(request)
    found = await services.call(services.beside.alerts.firings.get, segments(request)[3])
    return json_answer(found.shown(services.beside.clock()))


async def mute_firing(request: Req) -> Response[bytes]:
    """Be quiet about a firing, until a time."""
    asked, services = await body_of(request, Muting), services_of(request)
    muted = await services.call(services.beside.alerts.mute_firing, segments(request)[3], asked.until, by=_by(request))
    return json_answer(muted.shown(services.beside.clock()))


async def resolve_firing(request: Req) -> Response[bytes]:
    """It is dealt with; what lasts is told again only after it was over."""
    services = services_of(request)
    resolved = await services.call(services.beside.alerts.resolve, segments(request)[3], by=_by(request))
    return json_answer(resolved.shown(services.beside.clock()))


async def list_webhooks(request: Req) -> Response[bytes]:
    """All webhooks: name, host, whether they are signed; never the URL, which may be all that posting there needs."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"webhooks": await services.call(services.beside.outlets.webhooks)})


async def set_webhook(request: Req) -> Response[bytes]:
    """Make a webhook, or change it."""
    fields, services, name = await body_of(request, WebhookFields), services_of(request), segments(request)[2]
    return json_answer(await services.call(save_webhook, services.beside.outlets, name, fields, by=_by(request)))


def save_webhook(outlets: Outlets, name: str, fields: WebhookFields, *, by: str) -> dict[str, Any]:
    """Make the webhook of this name, or change it; as it may be shown. Blocks. Raises WhodidError("invalid")."""
    before = Webhook(name=name, url="")
    try:
        before = outlets.webhook(name)
    except WhodidError as error:
        if error.code != "not_found":
            raise
    given = {key: value for key, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
    if given.get("url", before.url) != before.url and before.secret and "secret" not in given:
        # What was shared with one receiver is not shown to another.
        given["secret"] = ""
    return outlets.set_webhook(msgspec.structs.replace(before, **given), by=by)


async def delete_webhook(request: Req) -> Response[bytes]:
    """Forget a webhook that no alert tells."""
    services, name = services_of(request), segments(request)[2]
    await services.call(in_use.delete_webhook, services, name, by=_by(request))
    return json_answer({"deleted": name})


async def test_webhook(request: Req) -> Response[bytes]:
    """Send a webhook that says it is a test, and wait for the answer."""
    services, name = services_of(request), segments(request)[2]
    return json_answer({"webhook": name, "status": await services.call(send_test, services.beside, name)})


def send_test(beside: Beside, name: str) -> int:
    """The status that the other side answers to a test; blocks. Raises what went wrong."""
    said = {"text": "This is a test: webhooks of whodid arrive here.", "what": "test"}
    hook = beside.outlets.webhook(name)
    return hooks.post(hook, said, identifier=f"test.{secrets.token_hex(8)}", at=beside.clock())


# Metric, label, help, and where its counts are found.
_COUNTERS: Final = (
    ("whodid_schedule_runs_total", "outcome", "Attempts of scheduled reports.", ("schedules", ("done", "failed"))),
    ("whodid_alert_changes_total", "what", "Firings of alerts that began and ended.", ("alerts", ("fired", "ended"))),
    ("whodid_alert_notices_total", "outcome", "Attempts to tell of firings.", ("alerts", ("sent", "failed"))),
)


def beside_metrics(beside: Beside, firing: dict[str, int] | None) -> list[str]:
    """Lines for Prometheus: schedules and alerts of this server since its start, and what is firing, by severity; that
    not while the directory's database, which knows it, does not answer."""
    lines = []
    for name, label, help_text, (part, keys) in _COUNTERS:
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} counter"]
        lines += [f'{name}{{{label}="{key}"}} {getattr(beside, part).counts[key]}' for key in keys]
    if firing is None:
        return lines
    lines += ["# HELP whodid_alerts_firing What is firing.", "# TYPE whodid_alerts_firing gauge"]
    return lines + [f'whodid_alerts_firing{{severity="{one}"}} {firing.get(one, 0)}' for one in SEVERITIES]


async def _shown(request: Req, name: str) -> Response[bytes]:
    services = services_of(request)
    return json_answer(await services.call(services.beside.alerts.shown_one, name))


def _by(request: Req) -> str:
    return name_of(caller_of(request))
