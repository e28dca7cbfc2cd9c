"""Scheduled reports and the mail server over HTTP."""

from __future__ import annotations

import secrets
from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.beside import Beside
from whodid.delivery import mail as mails
from whodid.delivery.mail import Mail, MailServer
from whodid.errors import about
from whodid.schedules.row import NewSchedule, ScheduleFields
from whodid.typed import convert
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, bounded, caller_of, name_of, query_of, segments, services_of

RUNS_MAX: Final = 1_000


class MailFields(MailServer, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How mail is sent; an empty password stays the one that is set."""


class MailTest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where the test goes."""

    to: str


async def list_schedules(request: Req) -> Response[bytes]:
    """All schedules, when each runs next, and how it ran last."""
    query_of(request, [])
    services = services_of(request)

    def shown() -> list[dict[str, Any]]:
        return [services.beside.schedules.shown(one) for one in services.beside.schedules.all()]

    return json_answer({"schedules": await services.call(shown)})


async def create_schedule(request: Req) -> Response[bytes]:
    """Make a schedule. It has the rights of who makes it, unless it says whose."""
    new, services, caller = await body_of(request, NewSchedule), services_of(request), caller_of(request)
    made = await services.call(services.beside.schedules.create, new, by=name_of(caller), user=caller.user)
    return json_answer(await services.call(services.beside.schedules.shown, made), status=201)


async def dry_run_new(request: Req) -> Response[bytes]:
    """What a schedule would deliver at this moment, before it is made."""
    new, services, caller = await body_of(request, NewSchedule), services_of(request), caller_of(request)
    draft = await services.call(services.beside.schedules.draft, new, by=name_of(caller), user=caller.user)
    return json_answer(await services.call(services.beside.schedules.dry_run, draft))


async def show_schedule(request: Req) -> Response[bytes]:
    """A schedule, when it runs next, and how it ran last."""
    services = services_of(request)
    found = await services.call(services.beside.schedules.get, segments(request)[2])
    return json_answer(await services.call(services.beside.schedules.shown, found))


async def change_schedule(request: Req) -> Response[bytes]:
    """Change a schedule; what is left out stays."""
    fields, services = await body_of(request, ScheduleFields), services_of(request)
    changed = await services.call(services.beside.schedules.change, segments(request)[2], fields, by=_by(request))
    return json_answer(await services.call(services.beside.schedules.shown, changed))


async def delete_schedule(request: Req) -> Response[bytes]:
    """Forget a schedule; what it wrote stays."""
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.schedules.delete, name, by=_by(request))
    return json_answer({"deleted": name})


async def pause_schedule(request: Req) -> Response[bytes]:
    """Let a schedule rest."""
    services = services_of(request)
    paused = await services.call(services.beside.schedules.pause, segments(request)[2], by=_by(request))
    return json_answer(await services.call(services.beside.schedules.shown, paused))


async def resume_schedule(request: Req) -> Response[bytes]:
    """Let a schedule go on, from its next time."""
    services = services_of(request)
    resumed = await services.call(services.beside.schedules.resume, segments(request)[2], by=_by(request))
    return json_answer(await services.call(services.beside.schedules.shown, resumed))


async def run_schedule(request: Req) -> Response[bytes]:
    """Run a schedule and wait for what comes of it."""
    services = services_of(request)
    return json_answer(await services.call(services.beside.schedules.run_now, segments(request)[2], by=_by(request)))


async def dry_run_schedule(request: Req) -> Response[bytes]:
    """What a run at this moment would deliver; nothing leaves."""
    services = services_of(request)
    found = await services.call(services.beside.schedules.get, segments(request)[2])
    return json_answer(await services.call(services.beside.schedules.dry_run, found))


async def list_runs(request: Req) -> Response[bytes]:
    """How a schedule ran, the latest first."""
    given, services = query_of(request, ["limit"]), services_of(request)
    limit = bounded(given, "limit", 100, 1, RUNS_MAX)
    return json_answer({"runs": await services.call(services.beside.schedules.runs, segments(request)[2], limit)})


async def show_mail(request: Req) -> Response[bytes]:
    """The mail server, without its password."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"mail": await services.call(services.beside.outlets.shown_mail)})


async def set_mail(request: Req) -> Response[bytes]:
    """Send mail by this server from here on."""
    fields, services = await body_of(request, MailFields), services_of(request)
    server = convert(msgspec.to_builtins(fields), MailServer)
    await services.call(services.beside.outlets.set_mail, server, by=_by(request))
    return json_answer({"mail": await services.call(services.beside.outlets.shown_mail)})


async def delete_mail(request: Req) -> Response[bytes]:
    """Send no more mail."""
    services = services_of(request)
    await services.call(services.beside.outlets.set_mail, None, by=_by(request))
    return json_answer({"mail": None})


async def test_mail(request: Req) -> Response[bytes]:
    """Send a mail that says it is a test, and wait for what the server says."""
    asked, services = await body_of(request, MailTest), services_of(request)
    return json_answer({"sent": await services.call(send_test, services.beside, asked.to)})


def send_test(beside: Beside, to: str) -> str:
    """Send a test to an address, which is returned; blocks. Raises what went wrong."""
    with about("to"):
        address = mails.checked_address(to)
    said = "This is a test: mail of whodid arrives here."
    test = Mail("whodid: a test", said, f"<p>{said}</p>", f"test.{secrets.token_hex(8)}")
    mails.send(beside.outlets.mail(), test, [address], beside.clock())
    return address


def _by(request: Req) -> str:
    return name_of(caller_of(request))
