"""Pages of the connections that come with the product: the audit as files, switched on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response

from whodid.web.pages.blocks import Button, Facts, Item, Table
from whodid.web.pages.forms import Field
from whodid.web.pages.settings.common import Failed, ask, asked, by, confirm, segment, sent, show, to, tried
from whodid.web.requests import Req, segments, services_of
from whodid.web.services import Services

HERE: Final = "/settings/extensions"
BACK: Final = ("/settings/connections", "Connections")


def extensions_table(extensions: Sequence[dict[str, Any]]) -> Table:
    """The list of extensions, as the page of connections shows it."""
    rows = [
        [
            Item(one["name"], f"{HERE}/{segment(one['name'])}"),
            Item(one["title"]),
            Item("on" if one["on"] else "off", tag="good" if one["on"] else ""),
            Item("with the first API node" if one["by_itself"] and not one["on"] else ""),
        ]
        for one in extensions
    ]
    return Table("The audit itself, as files", ("Connection", "What", "State", "Comes by itself"), rows)


async def extension(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """One extension: what it writes and where; the form that switches it on."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.extensions.shown_one, name)
    here = f"{HERE}/{segment(name)}"
    facts = Facts(
        [
            ("State", "on" if found["on"] else "off", "good" if found["on"] else ""),
            ("Events of the topics", ", ".join(found["topics"]), ""),
            ("Folders", found["partitioning"].removesuffix("/.*"), ""),
            ("Below", found["connection"] or "the server's data folder", ""),
        ]
    )
    if found["on"]:
        made = [("Its connection", "connections"), ("Its target", "targets"), ("Its dataset", "datasets")]
        buttons = [Button(words, f"/settings/{part}/{segment(name)}") for words, part in made]
        buttons.append(Button("Switch it off", f"{here}/off", kind="danger"))
        return show(request, name, [facts], buttons=buttons, back=BACK, lead=found["title"])
    form = ask(failed, "extension", here, _fields(services, name), "Switch it on", {"start": "now"},
               help="Makes a connection, a target that writes the files, and a dataset that reads them. Only"
               " administrators may use them, until others are let in.")  # fmt: skip
    status = failed.status if failed else 200
    return show(request, name, [facts, form], back=BACK, lead=found["title"], status=status)


async def switch_on(request: Req) -> Response[bytes]:
    """Make the connection, the target and the dataset of an extension."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        start = values["start"] or "now"
        await services.call(
            services.extensions.switch_on, name, connection=values["connection"], start=start, by=by(request)
        )
        return to(f"{HERE}/{segment(name)}", f"{name} is on: its files are written from here on.")

    fields = _fields(services, name)
    return await tried(request, "extension", fields, given, work, lambda failed: extension(request, failed))


async def confirm_off(request: Req) -> Response[bytes]:
    """What switching an extension off will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.extensions.shown_one, name)
    here = f"{HERE}/{segment(name)}"
    sentences = [
        "Its target, its dataset and its connection are taken away; what waits to be written is not written.",
        f"The files below {found['connection'] or 'the data folder'} stay. It can be switched on again.",
    ]
    return confirm(request, f"Switch {name} off?", sentences, action=f"{here}/off", words="Switch it off", back=here)


async def switch_off(request: Req) -> Response[bytes]:
    """Take the dataset, the target and the connection of an extension away; the files stay."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.extensions.switch_off, name, by=by(request))
    return to(f"{HERE}/{segment(name)}", f"{name} is off. Its files stay.")


def _fields(services: Services, own: str) -> tuple[Field, ...]:
    places = tuple((one.name, one.name) for one in services.datasets.connections.all() if one.name != own)
    return (
        Field("connection", "Below", "choice", "The connection whose place its files go to. Empty: as the server is"
              " configured, else its data folder.", choices=places),
        Field("start", "Begin with", help="now, beginning (all that is stored), or a time: 2026-06-01, 30d."),
    )  # fmt: skip
