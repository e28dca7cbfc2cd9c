"""`whodid key`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

app = verb(
    "key",
    """  whodid key create etl --scope write
  whodid key create apinode-7 --scope write --topic apinode-query --node api-7 --node-type api
  whodid key create me --scope admin --user ada --expires 2027-01-31T00:00:00Z
  whodid key list
  whodid key revoke etl""",
)
_COLUMNS = (
    "name",
    "prefix",
    "scopes",
    "topics",
    "nodes",
    "routing_keys",
    "node_type",
    "user",
    "expires_at",
    "last_used_at",
)
# Of a key that was made.
_TOLD = ("name", "scopes", "topics", "nodes", "routing_keys", "node_type", "user", "expires_at", "secret")
Names = list[str] | None


@app.command
def create(
    name: Annotated[str, Parameter(help="The program that uses it.")],
    *,
    scope: Annotated[list[str], Parameter(help="write, read or admin, several times for several; or scim alone.")],
    topic: Annotated[Names, Parameter(help="May write events of this topic only.")] = None,
    node: Annotated[Names, Parameter(help="May write events of this node only.")] = None,
    routing_key: Annotated[Names, Parameter(help="May write events of this routing key only.")] = None,
    node_type: Annotated[str | None, Parameter(help="May write events of this type of node only.")] = None,
    user: Annotated[str | None, Parameter(help="Login of the person whose key it is.")] = None,
    expires: Annotated[datetime | None, Parameter(help="When it ends, with zone: 2027-01-31T00:00:00Z.")] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Make a key; its secret is shown this once.

    The first key ends access without one.
    """
    from whodid.cli.answer import private_files, show_one
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    body = {
        "name": name,
        "scopes": scope,
        "topics": topic or [],
        "nodes": node or [],
        "routing_keys": routing_key or [],
        "node_type": node_type,
        "user": user,
        "expires_at": expires.isoformat() if expires else None,
    }
    with backend_of(place, make=True) as backend:
        key = backend.ask("POST", "keys", body=body)
    warning = key.pop("warning", None)
    shown = {name: key[name] for name in _TOLD if name in ("name", "scopes", "secret") or key[name]}
    with private_files():
        show_one(shown if output.format() == "table" else key, output)
    note("The secret cannot be shown again.")
    if warning:
        note(warning)


@app.command(name="list")
def list_(
    *,
    revoked: Annotated[bool, Parameter(help="Also those that count no more.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List the keys, without their secrets."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        keys = backend.ask("GET", "keys", params={"revoked": "true" if revoked else None})["keys"]
    show_rows(keys, output, columns=(*_COLUMNS, "revoked_at") if revoked else _COLUMNS)


@app.command
def revoke(
    which: Annotated[str, Parameter(help="Its name, prefix or id.")],
    *,
    place: Place = ANYWHERE,
) -> None:
    """End a key; it counts nowhere after a second."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        key = backend.ask("DELETE", "keys", which)
    print(f"Revoked the key {key['name']} ({key['prefix']}…).")
