"""`whodid group`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

app = verb(
    "group",
    """  whodid group create analysts --description 'Business analysts'
  whodid group add analysts --user ada --user grace
  whodid group add everyone --group analysts
  whodid group show analysts
  whodid group remove analysts --user ada
  whodid group export --to groups.csv
  whodid group import groups.csv                columns: group, user or subgroup, admin""",
)
_COLUMNS = ("name", "friendly_name", "description", "personal")
Text = str | None
Names = list[str] | None


@app.command(name="list")
def list_(
    *,
    personal: Annotated[bool, Parameter(help="Also the groups of single users.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List groups."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        groups = backend.ask("GET", "groups", params={"personal": "true" if personal else None})["groups"]
    show_rows(groups, output, columns=_COLUMNS)


@app.command(name="show")
def show_group(name: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a group, its direct members, and the logins of all users in it."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        group = backend.ask("GET", "groups", name)
    if output.format() == "table":
        group["members"] = [member["group"]["name"] for member in group["members"]]
    show_one(group, output)


@app.command
def create(name: str, *, friendly_name: Text = None, description: Text = None, place: Place = ANYWHERE) -> None:
    """Make an empty group."""
    from whodid.cli.backend import backend_of

    with backend_of(place, make=True) as backend:
        backend.ask("POST", "groups", body={"name": name, **_given(friendly_name, description)})
    print(f"Made the group {name}.")


@app.command
def change(
    name: str,
    *,
    rename: Annotated[Text, Parameter(help="Its new name.")] = None,
    friendly_name: Text = None,
    description: Text = None,
    place: Place = ANYWHERE,
) -> None:
    """Change what is known of a group; what is left out stays."""
    from whodid.cli.backend import backend_of

    body = _given(friendly_name, description) | ({"name": rename} if rename else {})
    if not body:
        raise WhodidError("invalid", "Nothing is to be changed.", "See: whodid group change --help")
    with backend_of(place) as backend:
        backend.ask("PATCH", "groups", name, body=body)
    print(f"Changed the group {rename or name}.")


@app.command
def delete(name: str, *, place: Place = ANYWHERE) -> None:
    """Take a group away; its members stay."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "groups", name)
    print(f"Deleted the group {name}.")


@app.command
def add(
    name: str,
    *,
    user: Annotated[Names, Parameter(help="Login of who joins.")] = None,
    group: Annotated[Names, Parameter(help="Group that joins, with all in it.")] = None,
    admin: Annotated[bool, Parameter(help="As an administrator of the group.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Put users or groups into a group."""
    from whodid.cli.backend import backend_of

    members = _members(user, group)
    with backend_of(place) as backend:
        for member in members:
            backend.ask("POST", "groups", name, "members", body=member | {"is_admin": admin})
    print(f"Added {len(members)} to the group {name}.")


@app.command
def remove(
    name: str,
    *,
    user: Annotated[Names, Parameter(help="Login of who leaves.")] = None,
    group: Annotated[Names, Parameter(help="Group that leaves.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Take users or groups out of a group."""
    from whodid.cli.backend import backend_of

    members = _members(user, group)
    with backend_of(place) as backend:
        for member in members:
            backend.ask("DELETE", "groups", name, "members", params=member)
    print(f"Removed {len(members)} from the group {name}.")


@app.command(name="import")
def import_groups(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="CSV with a header; - for standard input.")],
    *,
    dry_run: Annotated[bool, Parameter(help="Only say what would be done, and which rows are refused.")] = False,
    place: Place = ANYWHERE,
) -> int:
    """Make groups and put members into them from a CSV file.

    Columns: group, description, then user or subgroup (or neither for an empty group), and admin (yes or no). Groups
    that are not there are made. Nobody is taken out.
    """
    from whodid.cli.backend import backend_of
    from whodid.cli.people import import_csv

    with backend_of(place, make=True) as backend:
        return import_csv(backend, "groups", file, "row", dry_run=dry_run)


@app.command(name="export")
def export_groups(
    *,
    to: Annotated[Path | None, Parameter(help="Into this file instead of standard output.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Write the groups with their members as CSV, as `whodid group import` takes it."""
    from whodid.cli.answer import written
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        data = backend.text("groups.csv")
    written(data, Output(to=to))


def _members(users: Names, groups: Names) -> list[dict[str, str]]:
    members = [{"user": login} for login in users or ()] + [{"group": name} for name in groups or ()]
    if not members:
        raise WhodidError("invalid", "Nobody was named.", "Add --user LOGIN or --group NAME.")
    return members


def _given(friendly_name: Text, description: Text) -> dict[str, Any]:
    fields = {"friendly_name": friendly_name, "description": description}
    return {name: value for name, value in fields.items() if value is not None}
