"""`whodid role`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

app = verb(
    "role",
    """  whodid role grant admin --user ada
  whodid role grant auditor --group compliance
  whodid role grant reader --group chemists --project CHEM --entity 'dataset:*'
  whodid role grant reader --user grace --project CHEM --no-own
  whodid role list
  whodid role revoke 6b0f97c2                   the id that list shows""",
)
_COLUMNS = ("id", "role", "user", "group", "projects", "entities", "own", "created_at", "created_by")
Text = str | None
Names = list[str] | None


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List who has which role."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        grants = backend.ask("GET", "grants")["grants"]
    if output.format() == "table":
        # The id has to be read whole: it is what revoke takes.
        grants = [grant | {"id": grant["id"][:8]} for grant in grants]
    show_rows(grants, output, columns=_COLUMNS)


@app.command
def grant(
    role: Annotated[str, Parameter(help="admin, auditor (reads all), reader (reads within limits) or writer.")],
    *,
    user: Annotated[Text, Parameter(help="Login of who gets it.")] = None,
    group: Annotated[Text, Parameter(help="Group whose members get it.")] = None,
    project: Annotated[Names, Parameter(help="A reader sees what happens in this project.")] = None,
    entity: Annotated[Names, Parameter(help="A reader sees what touches this: type:id, or type:* for all.")] = None,
    own: Annotated[bool, Parameter(negative="--no-own", help="A reader sees what it did itself.")] = True,
    place: Place = ANYWHERE,
) -> None:
    """Give a role to a user or to all members of a group.

    It counts everywhere after a second. Without a role nobody sees the audit.
    """
    from whodid.cli.backend import backend_of

    body = {
        "role": role,
        "user": user,
        "group": group,
        "projects": project or [],
        "entities": entity or [],
        "own": own,
    }
    with backend_of(place, make=True) as backend:
        made = backend.ask("POST", "grants", body=body)
    print(f"{made['user'] or made['group']} is {made['role']} ({made['id']}).")


@app.command
def revoke(
    which: Annotated[str, Parameter(help="Its id, or the beginning of it: see whodid role list.")],
    *,
    place: Place = ANYWHERE,
) -> None:
    """Take a role back; it counts nowhere after a second."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        grant = backend.ask("DELETE", "grants", which)
    print(f"{grant['user'] or grant['group']} is no {grant['role']} any more.")
