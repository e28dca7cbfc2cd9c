"""Pages of connections: places that hold files, made from the options of their kind, and who may use them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.datasets.connections import Connection
from whodid.directory.sealed import HIDDEN
from whodid.errors import WhodidError
from whodid.places import KINDS, File, kind_of
from whodid.web import in_use, words
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.forms import OPTION, Field, shown
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
    shown_in_use,
    to,
    tried,
)
from whodid.web.pages.settings.extensions import extensions_table
from whodid.web.pages.settings.target_forms import label_of
from whodid.web.requests import Req, segments, services_of

HERE: Final = "/settings/connections"
ADD: Final = "/settings/add/connections"
FILES_SHOWN: Final = 200

_NAME: Final = Field("name", "Name", required=True, help="Letters, digits, . _ and -.")
_WHO: Final[tuple[Field, ...]] = (
    Field("users", "Users who may use it", "list", "Besides administrators."),
    Field("groups", "Groups who may use it", "list", "With all users in them."),
    Field("description", "Description", more=True),
)


async def connections(request: Req) -> Response[bytes]:
    """The connections, and kinds of places to add."""
    asked(request)
    services = services_of(request)
    found = [one.shown() for one in await services.call(services.datasets.connections.all)]
    datasets = await services.call(services.datasets.all)
    rows = [
        [
            Item(one["name"], f"{HERE}/{segment(one['name'])}", note=one["description"] or ""),
            Item(one["kind"]),
            Item(_where(one)),
            Item(f"{sum(each.connection == one['name'] for each in datasets):,}", kind="number"),
            Item(_allowed(one)),
        ]
        for one in found
    ]
    kinds = [
        [Item(kind.title), Item(buttons=[Button("Add", f"{ADD}/{name}", label=f"Add a connection: {kind.title}")])]
        for name, kind in KINDS.items()
    ]
    heads = ("Connection", "Kind", "Where", "#Datasets", "Who may use it")
    blocks: list[Block] = [
        Table("", heads, rows, "None yet."),
        extensions_table(await services.call(services.extensions.shown)),
        Table("Kinds of places", ("Place", ""), kinds),
    ]
    return show(request, "Connections", blocks)


async def new(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a connection, from the options of its kind."""
    asked(request)
    kind = segments(request)[3]
    form = ask(failed, "connection", f"{ADD}/{segment(kind)}", fields_of(kind, is_new=True), "Add the connection")
    title = f"Add a connection: {kind_of(kind).title}"
    return show(request, title, [form], back=(HERE, "Connections"), status=failed.status if failed else 200)


async def create(request: Req) -> Response[bytes]:
    """Make a connection; its secrets are kept encrypted."""
    services, kind, given = services_of(request), segments(request)[3], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        options = {name: value for name, value in _options(kind, values).items() if value}
        connection = Connection(name=values["name"], kind=kind, options=options, **_who(values))
        made = await services.call(services.datasets.connections.create, connection, by=by(request))
        return to(f"{HERE}/{segment(made.name)}/files", f"{made.name} is added. This is what it holds:")

    fields = fields_of(kind, is_new=True)
    return await tried(request, "connection", fields, given, work, lambda failed: new(request, failed))


async def connection(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """One connection."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = (await services.call(services.datasets.connections.get, name)).shown()
    datasets = [one for one in await services.call(services.datasets.all) if one.connection == name]
    here = f"{HERE}/{segment(name)}"
    fields = fields_of(found["kind"], is_new=False)
    values = {f"{OPTION}{key}": value for key, value in found["options"].items() if value != HIDDEN}
    form = ask(failed, "connection", here, fields, "Keep", shown(fields, {**found, **values}), title="What it is")
    rows = [[Item(one.name, f"/settings/datasets/{segment(one.name)}"), Item(one.path or "/")] for one in datasets]
    add = f"/settings/add/datasets?connection={segment(name)}"
    blocks: list[Block] = [
        Facts([("Kind", kind_of(found["kind"]).title, ""), ("Where", _where(found), ""),
               ("Who may use it", _allowed(found), "")]),
        Table("Datasets on it", ("Dataset", "Path"), rows, "None yet."),
        form,
        Doing([Button("Delete", f"{here}/delete", kind="danger")]),
    ]  # fmt: skip
    buttons = [Button("Look into it", f"{here}/files", kind="main"), Button("Define a dataset", add)]
    status = failed.status if failed else 200
    return show(request, name, blocks, buttons=buttons, back=(HERE, "Connections"), status=status)


async def change(request: Req) -> Response[bytes]:
    """Change a connection; a secret that is left empty stays."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)
    kind = (await services.call(services.datasets.connections.get, name)).kind

    async def work(values: dict[str, Any]) -> Response[bytes]:
        secrets = {option.name for option in kind_of(kind).options if option.secret}
        given_options = _options(kind, values).items()
        options = {key: value or "" for key, value in given_options if value or key not in secrets}
        changes = {"options": options, **_who(values)}
        await services.call(services.datasets.connections.change, name, changes, by=by(request))
        return to(f"{HERE}/{segment(name)}", "Kept.")

    fields = fields_of(kind, is_new=False)
    return await tried(request, "connection", fields, given, work, lambda failed: connection(request, failed))


async def files(request: Req) -> Response[bytes]:
    """The first files of a connection: whether it works, and what is there."""
    path = asked(request, "path")["path"]
    services, name = services_of(request), segments(request)[2]

    def found() -> list[File]:
        place = services.datasets.connections.open(name)
        try:
            return list(islice(place.files(path), FILES_SHOWN + 1))
        finally:
            place.close()

    back = (f"{HERE}/{segment(name)}", name)
    try:
        listed = await services.call(found)
    except WhodidError as error:
        if error.code in ("not_found", "internal") and not path:
            await services.call(services.datasets.connections.get, name)
        return show(request, f"Files of {name}", [Text([error.message, error.hint or ""], "It does not work", "bad")],
                    back=back)  # fmt: skip
    rows = [
        [
            Item(file.path),
            Item(words.size(file.size_bytes), kind="number"),
            moment_item(file.modified_at, request, words.UNKNOWN),
        ]
        for file in listed[:FILES_SHOWN]
    ]
    note = f"The first {FILES_SHOWN}; there are more." if len(listed) > FILES_SHOWN else ""
    table = Table("", ("Path", "#Size", "Changed"), rows, "It answers, and holds no files here.", note)
    return show(request, f"Files of {name}", [table], back=back, lead=path)


async def confirm_delete(request: Req) -> Response[bytes]:
    """What forgetting a connection will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = (await services.call(services.datasets.connections.get, name)).shown()
    here = f"{HERE}/{segment(name)}"
    if uses := await services.call(in_use.uses_of_connection, services, name):
        return shown_in_use(request, name, uses, back=here)
    people = len(found["users"]) + len(found["groups"])
    sentences = [
        f"Its credentials are forgotten; {counted(people, 'user or group', 'users and groups')} who may use it"
        " cannot any more.",
        f"The files in {_where(found)} stay where they are. This cannot be taken back.",
    ]
    return confirm(
        request, f"Forget {name}?", sentences, action=f"{here}/delete", words="Forget the connection", back=here
    )


async def delete(request: Req) -> Response[bytes]:
    """Forget a connection."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(in_use.delete_connection, services, name, by=by(request))
    return to(HERE, f"{name} is forgotten. Its files stay.")


def fields_of(kind: str, *, is_new: bool) -> tuple[Field, ...]:
    """The fields of a form. Raises WhodidError("invalid") for an unknown kind."""
    found = kind_of(kind)
    options = []
    for option in found.options:
        is_needed = option.name in found.needed
        told = f"{option.help[:1].upper()}{option.help[1:]}."
        if option.secret and not is_new:
            told += " Empty: it stays as it is."
        options.append(
            Field(
                f"{OPTION}{option.name}",
                label_of(option.name),
                "secret" if option.secret else "text",
                told,
                required=is_needed,
                more=option.name in _RARE,
            )
        )
    return (*((_NAME,) if is_new else ()), *options, *_WHO)


_RARE: Final = ("endpoint", "session_token", "sas_token")


def _options(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {option.name: values[f"{OPTION}{option.name}"] for option in kind_of(kind).options}


def _who(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"users": tuple(values["users"]), "groups": tuple(values["groups"]), "description": values["description"]}


def _where(one: Mapping[str, Any]) -> str:
    options = one["options"]
    first = options.get("path") or options.get("bucket") or options.get("container") or ""
    return f"{first}/{options['prefix']}" if options.get("prefix") else str(first)


def _allowed(one: Mapping[str, Any]) -> str:
    return ", ".join([*one["users"], *(f"group {name}" for name in one["groups"])]) or "administrators"
