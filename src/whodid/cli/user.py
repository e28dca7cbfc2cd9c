"""`whodid user`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

app = verb(
    "user",
    """  whodid user create ada --name 'Ada Lovelace' --email ada@example.com
  whodid user list --text love
  whodid user change ada --email ada@example.org
  whodid user sessions ada --open               where ada is signed in, and works
  whodid user import people.csv                 columns: login, name, first_name, email, groups, …
  whodid user password ada                      asks for a new password, twice
  whodid user password ada --link               a link with which ada chooses one
  whodid user export --to people.csv
  whodid user sign-in ada                       a link that signs one browser in, once
  whodid user delete ada""",
)
_COLUMNS = ("login", "name", "email", "made", "joined", "last_seen")
_SESSION_COLUMNS = ("id", "started", "last_seen", "ended", "ended_by", "type", "ip", "client", "user_agent")
_FIELDS = ("name", "first_name", "last_name", "friendly_name", "email")
Text = str | None
To = Annotated[Path | None, Parameter(help="Into this file instead of standard output.")]


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
    if not fields:
        raise WhodidError("invalid", "Nothing is to be changed.", "See: whodid user change --help")
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


@app.command
def sessions(
    login: str,
    *,
    open: Annotated[
        bool | None, Parameter(negative="--no-open", help="Only those that go on, or (--no-open) that have ended.")
    ] = None,
    since: Annotated[Text, Parameter(help="Those that went on since then: 7d, 2026-11-01.")] = None,
    limit: Annotated[int, Parameter(help="Sessions at most.")] = 100,
    end: Annotated[Text, Parameter(help="End the session with this id.")] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List the sessions of a user, those that began last first; or end one."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    is_open = None if open is None else str(open).lower()
    with backend_of(place) as backend:
        if end is not None:
            if backend.ask("GET", "sessions", end)["user"] != login:
                raise WhodidError("not_found", f"{login} has no session {end}.", f"See: whodid user sessions {login}")
            backend.ask("DELETE", "sessions", end)
            print(f"Ended the session {end}.")
            return
        params = {"user": login, "open": is_open, "since": since, "limit": limit}
        found = backend.ask("GET", "sessions", params=params)["sessions"]
    show_rows(found, output, columns=_SESSION_COLUMNS)


@app.command(name="import")
def import_users(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="CSV with a header; - for standard input.")],
    *,
    dry_run: Annotated[bool, Parameter(help="Only say what would be done, and which rows are refused.")] = False,
    place: Place = ANYWHERE,
) -> int:
    """Make and change users from a CSV file.

    Columns: login, and any of name, first_name, last_name, friendly_name, email, active (yes or no), groups (names,
    separated by ;). An empty field leaves what is there; groups that are not there are made. Nobody is deleted.
    """
    from whodid.cli.backend import backend_of
    from whodid.cli.people import import_csv

    with backend_of(place, make=True) as backend:
        return import_csv(backend, "users", file, "user", dry_run=dry_run)


@app.command(name="export")
def export_users(*, to: To = None, place: Place = ANYWHERE) -> None:
    """Write the users that were made as CSV, as `whodid user import` takes it."""
    from whodid.cli.answer import written
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        data = backend.text("users.csv")
    written(data, Output(to=to))


@app.command(name="sign-in")
def sign_in(
    login: Annotated[Text, Parameter(help="As this user; nobody in particular by default.")] = None,
    *,
    scope: Annotated[
        list[str] | None, Parameter(help="write, read or admin [default: the user's roles; for nobody, all].")
    ] = None,
    place: Place = ANYWHERE,
) -> None:
    """Print a link that signs one browser in to the running server, once, within 15 minutes."""
    from whodid.cli.owner import server_of
    from whodid.directory import Directory
    from whodid.directory.model import SCOPES
    from whodid.engine import directory_url

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
        if login is not None:
            directory.user(login)
        token = directory.create_sign_in_token(login, scope or (SCOPES if login is None else ()))
    finally:
        directory.close()
    print(f"{config.public_url.rstrip('/') or server.url}/sign-in?token={token}")


@app.command
def password(
    login: str,
    *,
    link: Annotated[bool, Parameter(help="Print a link with which the user chooses it, once, within a day.")] = False,
    remove: Annotated[bool, Parameter(help="Take the password away.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Give a user a password; it is asked for, or read from standard input. The user's browsers are signed out."""
    from whodid.cli.backend import backend_of

    if remove:
        with backend_of(place) as backend:
            backend.ask("DELETE", "users", login, "password")
        print(f"{login} has no password any more.")
        return
    if link:
        with backend_of(place) as backend:
            print(backend.ask("POST", "users", login, "password-link")["link"])
        return
    new = _new_password(login)
    with backend_of(place) as backend:
        backend.ask("POST", "users", login, "password", body={"password": new})
    print(f"{login} has a new password.")


def _new_password(login: str) -> str:
    """What is written twice on a terminal, or the first line of standard input. Never an argument: others see those."""
    import getpass
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    new = getpass.getpass(f"New password of {login}: ")
    if getpass.getpass("Once more: ") != new:
        raise WhodidError("invalid", "The two passwords are not the same.", "Write both again.")
    return new


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
