"""`whodid connection`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, pairs, verb
from whodid.errors import WhodidError

app = verb(
    "connection",
    """  whodid connection kinds                                        what there is, with its options
  whodid connection create lake --kind s3 --option bucket=audit --option region=eu-central-1
  whodid connection create local --kind folder --option path=/srv/audit
  whodid connection files lake --path design/2026                that it works, and what is there
  whodid connection allow lake --user erika --group analysts     by default administrators only
  whodid connection change lake --option secret_access_key=…     a secret is never shown again
  whodid connection extension dku-audit-log                      the instances' audit as data; --off undoes it
  whodid connection list""",
)
_COLUMNS = ("name", "kind", "options", "users", "groups", "description")
Names = list[str] | None


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the connections you may use, without their secrets."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "connections")["connections"]
    if output.format() == "table":
        found = [{**one, "options": _options(one["options"])} for one in found]
    show_rows(found, output, columns=_COLUMNS)


@app.command
def extension(
    name: Annotated[
        str | None, Parameter(help="customer-audit-log or dku-audit-log; without it they are listed.")
    ] = None,
    *,
    off: Annotated[bool, Parameter(help="Take its connection, target and dataset away; the files stay.")] = False,
    connection: Annotated[
        str | None, Parameter(help="Below whose place its files go [default: the data folder].")
    ] = None,
    start: Annotated[str, Parameter(help="From when on: now, beginning, 2026-06-01, 30d.")] = "now",
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Switch on a connection that comes with the product, with its target and its dataset."""
    from whodid.cli.answer import show_one, show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place, make=True) as backend:
        if name is None:
            columns = ("name", "on", "title", "partitioning", "connection")
            show_rows(backend.ask("GET", "connections", "extensions")["extensions"], output, columns=columns)
        elif off:
            show_one(backend.ask("DELETE", "connections", "extensions", name), output)
        else:
            body = {"connection": connection, "start": start}
            show_one(backend.ask("POST", "connections", "extensions", name, body=body), output)


@app.command
def kinds(*, output: Output = AS_SUITS) -> None:
    """The kinds of place and their options."""
    from whodid.cli.answer import show_rows
    from whodid.places.base import kinds_shown

    rows = [
        {
            "kind": kind["name"],
            "option": option["name"],
            "needed": "yes" if option["needed"] else "",
            "secret": "yes" if option["secret"] else "",
            "meaning": option["help"],
        }
        for kind in kinds_shown()
        for option in kind["options"]
    ]
    show_rows(rows, output, columns=("kind", "option", "needed", "secret", "meaning"))


@app.command
def show(name: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a connection, its secrets as ***."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "connections", name)
    if output.format() == "table":
        found["options"] = _options(found["options"])
    show_one(found, output)


@app.command
def create(
    name: str,
    *,
    kind: Annotated[str, Parameter(help="folder, s3, gcs or azure.")],
    option: Annotated[Names, Parameter(help="name=value; several times. See: whodid connection kinds")] = None,
    user: Annotated[Names, Parameter(help="Login who may use it, besides administrators.")] = None,
    group: Annotated[Names, Parameter(help="Group whose members may use it.")] = None,
    description: Annotated[str | None, Parameter(help="What it is for.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Make a connection. Only administrators may use it unless others are named."""
    from whodid.cli.backend import backend_of

    body = {
        "name": name,
        "kind": kind,
        "options": pairs(option),
        "users": user or [],
        "groups": group or [],
        "description": description,
    }
    with backend_of(place, make=True) as backend:
        made = backend.ask("POST", "connections", body=body)
    print(f"Made the connection {made['name']} ({made['kind']}). Try it with: whodid connection files {made['name']}")


@app.command
def change(
    name: str,
    *,
    option: Annotated[Names, Parameter(help="name=value; an empty value takes the option away.")] = None,
    description: Annotated[str | None, Parameter(help="What it is for.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Change options of a connection; what is not named stays."""
    from whodid.cli.backend import backend_of

    if option is None and description is None:
        raise WhodidError("invalid", "Nothing is to be changed.", "Name --option or --description.")
    body = {"options": pairs(option)} | ({"description": description} if description is not None else {})
    with backend_of(place) as backend:
        backend.ask("PATCH", "connections", name, body=body)
    print(f"Changed the connection {name}.")


@app.command
def allow(
    name: str,
    *,
    user: Annotated[Names, Parameter(help="Login who may use it.")] = None,
    group: Annotated[Names, Parameter(help="Group whose members may use it.")] = None,
    only: Annotated[bool, Parameter(help="Nobody else may any more; alone: administrators only.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Let users and groups use a connection."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        before = {"users": [], "groups": []} if only else backend.ask("GET", "connections", name)
        body = {
            "users": list(dict.fromkeys([*before["users"], *(user or [])])),
            "groups": list(dict.fromkeys([*before["groups"], *(group or [])])),
        }
        backend.ask("PATCH", "connections", name, body=body)
    people = ", ".join([*body["users"], *(f"group {one}" for one in body["groups"])])
    print(f"{name} may be used by administrators" + (f" and {people}." if people else " only."))


@app.command
def files(
    name: str,
    *,
    path: Annotated[str | None, Parameter(help="Only what lies below this path.")] = None,
    limit: Annotated[int | None, Parameter(help="Files at most [default: 100].")] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List files of a connection: shows that it works."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "connections", name, "files", params={"path": path, "limit": limit})["files"]
    show_rows(found, output, columns=("path", "size_bytes", "modified_at"))


@app.command
def delete(name: str, *, place: Place = ANYWHERE) -> None:
    """Forget a connection; the files stay where they are."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "connections", name)
    print(f"Forgot the connection {name}; its files stay.")


def _options(options: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())
