"""`whodid mail`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, verb
from whodid.cli.options import Place as Where

if TYPE_CHECKING:
    from whodid.cli.backend import Backend

app = verb(
    "mail",
    """  whodid mail set --host mail.example.com --sender audit@example.com --user audit --password-file mail.password
  whodid mail set --host mail.internal --sender audit@example.com --security none
  whodid mail test --to erika@example.com
  whodid mail show""",
)
_NONE: Final = "There is no mail server yet: whodid mail set --help"


@app.command
def show(*, place: Where = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show by which server mail is sent; its password stays hidden."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    with backend_of(place) as backend:
        found = backend.ask("GET", "mail")["mail"]
    if found is None:
        note(_NONE)
        return
    show_one(found, output)


@app.command(name="set")
def set_(
    *,
    host: Annotated[str, Parameter(help="The mail server.")],
    sender: Annotated[str, Parameter(help="Address that mail comes from.")],
    port: Annotated[int, Parameter(help="0: 587 with starttls, 465 with tls, 25 with none.")] = 0,
    security: Annotated[str, Parameter(help="starttls, tls or none.")] = "starttls",
    user: Annotated[str, Parameter(help="Who signs in there; empty: nobody does.")] = "",
    password_file: Annotated[
        Path | None, Parameter(help="File with the password, - for standard input; left out: it stays.")
    ] = None,
    certificates: Annotated[Path | None, Parameter(help="PEM file of an authority that is trusted besides.")] = None,
    place: Where = ANYWHERE,
) -> None:
    """Send mail by this server from here on."""
    from whodid.cli.backend import backend_of
    from whodid.cli.given import secret_of, text_of

    body = {
        "host": host,
        "sender": sender,
        "port": port,
        "security": security,
        "user": user,
        "password": secret_of(password_file),
        "certificates": text_of(certificates) if certificates else "",
    }
    with backend_of(place, make=True) as backend:
        backend.ask("PUT", "mail", body=body)
    print(f"Mail goes by {host}. Try it with: whodid mail test --to ADDRESS")


@app.command
def test(*, to: Annotated[str, Parameter(help="Where the test goes.")], place: Where = ANYWHERE) -> None:
    """Send a mail that says it is a test."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("POST", "mail", "test", body={"to": to})
    print(f"The mail server took a test for {to}.")


@app.command
def delete(*, place: Where = ANYWHERE) -> None:
    """Send no more mail."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "mail")
    print("No mail is sent any more.")


def note_without_server(backend: Backend, recipients: Sequence[str] | None) -> None:
    """Say so where mail is to go to somebody and there is no mail server."""
    from whodid.cli.terminal import note

    if recipients and backend.ask("GET", "mail")["mail"] is None:
        note(_NONE)
