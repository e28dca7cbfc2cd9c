"""Pages of webhooks: where alerts are posted to. The URL and the secret are written, and never shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response
from msgspec import UNSET

from whodid.errors import WhodidError
from whodid.web import alerts as api
from whodid.web import in_use
from whodid.web.pages.blocks import Block, Button, Doing, Item, Table, Text
from whodid.web.pages.forms import Field
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    segment,
    sent,
    show,
    shown_in_use,
    to,
    tried,
)
from whodid.web.requests import Req, segments, services_of

HERE: Final = "/settings/webhooks"
ADD: Final = "/settings/add/webhooks"
ALERTS: Final = ("/settings/alerts", "Alerts")
NAME: Final = Field("name", "Name", required=True, help="Letters, digits, . _ and -.")
_REST: Final[tuple[Field, ...]] = (
    Field("url", "URL", "secret", "Where JSON is posted to; as secret as the secret, so only its host is shown."),
    Field("secret", "Secret", "secret", "Signs what is sent, so that the receiver knows whose it is."),
    Field("certificates", "Certificates", "lines", "PEM of an authority that is trusted besides.", more=True),
)
_STAYS: Final = " Left empty it stays."


def webhooks_table(hooks: Sequence[dict[str, Any]]) -> list[Block]:
    """The list of webhooks, as the page of alerts shows it."""
    rows = [
        [
            Item(one["name"], f"{HERE}/{segment(one['name'])}"),
            Item(one["host"]),
            Item("yes" if one["signed"] else "no", tag="" if one["signed"] else "warning"),
            Item(buttons=[Button("Test", f"{HERE}/{segment(one['name'])}/test", True, label=f"Test {one['name']}")]),
        ]
        for one in hooks
    ]
    table = Table("Webhooks", ("Webhook", "Host", "Signed", ""), rows, "None yet.")
    return [table, Doing([Button("Add a webhook", ADD)])]


async def new(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a webhook."""
    asked(request)
    form = ask(failed, "webhook", ADD, _fields(is_new=True), "Add the webhook")
    return show(request, "Add a webhook", [form], back=ALERTS, status=failed.status if failed else 200)


async def create(request: Req) -> Response[bytes]:
    """Make a webhook."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        known = await services.call(services.beside.outlets.webhooks)
        if values["name"] in {one["name"] for one in known}:
            raise WhodidError("conflict", f"There is a webhook {values['name']!r} already.", "Take another name.")
        fields = api.WebhookFields(**{name: value or "" for name, value in values.items() if name != "name"})
        made = await services.call(api.save_webhook, services.beside.outlets, values["name"], fields, by=by(request))
        return to(f"{HERE}/{segment(made['name'])}", f"{made['name']} is added. Test it.")

    return await tried(request, "webhook", _fields(is_new=True), given, work, lambda failed: new(request, failed))


async def webhook(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """One webhook."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = next((one for one in await services.call(services.beside.outlets.webhooks) if one["name"] == name), None)
    if found is None:
        raise WhodidError("not_found", f"There is no webhook {name[:100]!r}.", "They are listed with the alerts.")
    rules = [rule for rule in await services.call(services.beside.alerts.all) if name in rule.webhooks]
    here = f"{HERE}/{segment(name)}"
    rows = [[Item(rule.name, f"{ALERTS[0]}/{segment(rule.name)}"), Item(rule.kind)] for rule in rules]
    blocks: list[Block] = [
        *more,
        Table("Alerts that tell it", ("Alert", "Kind"), rows, "None."),
        ask(failed, "webhook", here, _fields(is_new=False), "Keep", title="Where to", open=False),
        Doing([Button("Delete", f"{here}/delete", kind="danger")]),
    ]
    buttons = [Button("Test", f"{here}/test", True, kind="main")]
    lead = f"Posts to {found['host']}, {'signed' if found['signed'] else 'not signed'}."
    status = failed.status if failed else 200
    return show(request, name, blocks, buttons=buttons, back=ALERTS, lead=lead, status=status)


async def change(request: Req) -> Response[bytes]:
    """Change a webhook; what is left empty stays."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        fields = api.WebhookFields(**{key: value or UNSET for key, value in values.items()})
        await services.call(api.save_webhook, services.beside.outlets, name, fields, by=by(request))
        return to(f"{HERE}/{segment(name)}", "Kept.")

    return await tried(request, "webhook", _fields(is_new=False), given, work, lambda failed: webhook(request, failed))


async def test(request: Req) -> Response[bytes]:
    """Send a webhook that says it is a test, and show the answer."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    try:
        status = await services.call(api.send_test, services.beside, name)
    except WhodidError as error:
        if error.code in ("not_found", "internal"):
            raise
        return await webhook(request, more=[Text([error.message, error.hint or ""], "The test failed", "bad")])
    return await webhook(request, more=[Text([f"The other side answered {status}."], "The test went well", "good")])


async def confirm_delete(request: Req) -> Response[bytes]:
    """What forgetting a webhook will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.beside.outlets.webhook_exists, name)
    here = f"{HERE}/{segment(name)}"
    if uses := await services.call(in_use.uses_of_webhook, services, name):
        return shown_in_use(request, name, uses, back=here)
    sentences = ["Its URL and its secret are forgotten. This cannot be taken back."]
    return confirm(request, f"Forget {name}?", sentences, action=f"{here}/delete", words="Forget the webhook",
                   back=here)  # fmt: skip


async def delete(request: Req) -> Response[bytes]:
    """Forget a webhook."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(in_use.delete_webhook, services, name, by=by(request))
    return to(ALERTS[0], f"{name} is forgotten.")


def _fields(*, is_new: bool) -> tuple[Field, ...]:
    if is_new:
        return (NAME, _REST[0]._replace(required=True), *_REST[1:])
    stays = {"secret": " Left empty it stays, unless the URL becomes another."}
    return tuple(field._replace(help=field.help + stays.get(field.name, _STAYS)) for field in _REST)
