"""The page of the mail server that scheduled reports and alerts go by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.delivery.mail import MailServer
from whodid.directory.sealed import HIDDEN
from whodid.errors import WhodidError
from whodid.web import schedules as api
from whodid.web.pages.blocks import Block, Button, Doing, Text
from whodid.web.pages.forms import Field, shown
from whodid.web.pages.settings.common import Failed, ask, asked, by, confirm, sent, show, to, tried
from whodid.web.requests import Req, services_of

HERE: Final = "/settings/mail"
_SECURITY: Final = (("starttls", "STARTTLS, port 587"), ("tls", "TLS, port 465"), ("none", "none, port 25"))
FIELDS: Final[tuple[Field, ...]] = (
    Field("host", "Mail server", required=True, placeholder="mail.example.com"),
    Field("sender", "Sender", required=True, help="Address that mail comes from.", placeholder="audit@example.com"),
    Field("security", "Security", "choice", "Certificates are checked.", required=True, choices=_SECURITY),
    Field("user", "User", help="Who signs in there; empty: nobody does."),
    Field("password", "Password", "secret", "Kept encrypted. Left empty it stays; another server needs it again."),
    Field("port", "Port", "whole", "Empty: the usual one.", more=True),
    Field("certificates", "Certificates", "lines", "PEM of an authority that is trusted besides.", more=True),
)
TEST: Final = (Field("to", "To", required=True, placeholder="erika@example.com"),)


async def mail(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """The mail server, and a test of it."""
    asked(request)
    services = services_of(request)
    found = await services.call(services.beside.outlets.shown_mail)
    values = {"security": "starttls"}
    if found is not None:
        given = {name: value for name, value in found.items() if value not in ("", HIDDEN, 0)}
        values = shown(FIELDS, given)
    blocks: list[Block] = [*more, ask(failed, "mail", HERE, FIELDS, "Keep", values)]
    if found is not None:
        blocks.append(ask(failed, "test", f"{HERE}/test", TEST, "Send a test", title="Test it"))
        blocks.append(Doing([Button("Send no more mail", f"{HERE}/delete", kind="danger")]))
    lead = "There is none yet: reports and alerts cannot go by mail." if found is None else ""
    return show(request, "Mail", blocks, lead=lead, status=failed.status if failed else 200)


async def change(request: Req) -> Response[bytes]:
    """Send mail by this server from here on."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        server = MailServer(**{name: value for name, value in values.items() if value is not None})
        await services.call(services.beside.outlets.set_mail, server, by=by(request))
        return to(HERE, f"Mail goes by {server.host}. Send a test.")

    return await tried(request, "mail", FIELDS, given, work, lambda failed: mail(request, failed))


async def test(request: Req) -> Response[bytes]:
    """Send a mail that says it is a test, and show what the server says."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        try:
            address = await services.call(api.send_test, services.beside, values["to"])
        except WhodidError as error:
            if error.code in ("invalid", "internal"):
                raise
            return await mail(request, more=[Text([error.message, error.hint or ""], "The test failed", "bad")])
        return to(HERE, f"The mail server took a test for {address}.")

    return await tried(request, "test", TEST, given, work, lambda failed: mail(request, failed))


async def confirm_delete(request: Req) -> Response[bytes]:
    """What forgetting the mail server will do."""
    asked(request)
    services = services_of(request)
    schedules = [one for one in await services.call(services.beside.schedules.all) if one.to.mail]
    rules = [one for one in await services.call(services.beside.alerts.all) if one.mail]
    sentences = [
        f"{counted(len(schedules), 'scheduled report')} and {counted(len(rules), 'alert')} that go by mail will fail.",
        "Its password is forgotten. This cannot be taken back.",
    ]
    return confirm(request, "Send no more mail?", sentences, action=f"{HERE}/delete", words="Forget the mail server",
                   back=HERE)  # fmt: skip


async def delete(request: Req) -> Response[bytes]:
    """Send no more mail."""
    await sent(request)
    services = services_of(request)
    await services.call(services.beside.outlets.set_mail, None, by=by(request))
    return to(HERE, "No mail is sent any more.")
