"""`whodid user`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

app = verb(
    "user",
    """  whodid user create ada --name 'Ada Lovelace' --email ada@example.com
  whodid user list --text love
  whodid user change ada --email ada@example.org
  whodid user import people.csv                 columns: login, name, first_name, last_name, email, groups
  whodid user sign-in ada                       a link that signs one browser in, once
  whodid user delete ada""",
)
_COLUMNS = ("login", "name", "email", "made", "joined", "last_seen")
_FIELDS = ("name", "first_name", "last_name", "friendly_name", "email")
Text = str | None


@app.command(name="list")
def list_(
    *,
    text: Annotated[Text, Parameter(help="Part of login, name or e-mail.")] = None,
    limit: Annotated[int, Parameter(help="Users at most.")] = 1000,
    offset: Annotated[int, Parameter(help="Leave out the first ones.")] = 0,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List users, those that only events mention too."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        users = backend.ask("GET", "users", params={"text": text, "limit": limit, "offset": offset})["users"]
    show_rows(users, output, columns=_COLUMNS)


@app.command(name="show")
def show_user(login: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a user and the groups it is in."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        user = backend.ask("GET", "users", login)
    if output.format() == "table":
        user["groups"] = [group["name"] for group in user["groups"]]
    show_one(user, output)


@app.command
def create(
    login: str,
    *,
    name: Text = None,
    first_name: Text = None,
    last_name: Text = None,
    friendly_name: Text = None,
    email: Text = None,
    place: Place = ANYWHERE,
) -> None:
    """Make a user, or take over one that events mention. The first one ends access without a key."""
    from whodid.cli.backend import backend_of

    fields = _given(name=name, first_name=first_name, last_name=last_name, friendly_name=friendly_name, email=email)
    with backend_of(place, make=True) as backend:
        user = backend.ask("POST", "users", body={"login": login, **fields})
    print(f"Made the user {user['login']}.")


@app.command
def change(
    login: str,
    *,
    name: Text = None,
    first_name: Text = None,
    last_name: Text = None,
    friendly_name: Text = None,
    email: Text = None,
    place: Place = ANYWHERE,
) -> None:
    """Change what is known of a user; what is left out stays."""
    from whodid.cli.backend import backend_of

    fields = _given(name=name, first_name=first_name, last_name=last_name, friendly_name=friendly_name, email=email)
    with backend_of(place) as backend:
        backend.ask("PATCH", "users", login, body=fields)
    print(f"Changed the user {login}.")


@app.command
def delete(login: str, *, place: Place = ANYWHERE) -> None:
    """Take a user away, with its group, keys and signed-in browsers; its events stay."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "users", login)
    print(f"Deleted the user {login}.")


@app.command(name="import")
def import_users(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="CSV with a header; - for standard input.")],
    *,
    place: Place = ANYWHERE,
) -> int:
    """Make and change users from a CSV file.

    Columns: login, and any of name, first_name, last_name, friendly_name, email, groups (names, separated by ;).
    Users that are there are changed; groups that are not there are made. Nobody is deleted.
    """
    from whodid.cli.backend import backend_of
    from whodid.cli.people import import_rows, read_csv, user_importer

    rows = read_csv(file, required=("login",), known=("login", *_FIELDS, "groups"))
    with backend_of(place, make=True) as backend:
        return import_rows(rows, user_importer(backend), "user")


@app.command(name="sign-in")
def sign_in(
    login: Annotated[Text, Parameter(help="As this user; nobody in particular by default.")] = None,
    *,
    scope: Annotated[list[str] | None, Parameter(help="write, read or admin [default: all].")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Print a link that signs one browser in to the running server, once, within 15 minutes."""
    from whodid.cli.owner import server_of
    from whodid.directory import Directory
    from whodid.directory.model import SCOPES
    from whodid.engine import directory_url
    from whodid.errors import WhodidError

    config = place.config()
    server = server_of(place)
    if server is None or config.server:
        raise WhodidError(
            "invalid",
            f"No server of this data folder runs: {config.data}.",
            "Start it with whodid serve, or see --data.",
        )
    directory = Directory.open(directory_url(config))
    try:
        token = directory.create_sign_in_token(login, scope or SCOPES)
    finally:
        directory.close()
    print(f"{server.url}/sign-in?token={token}")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
