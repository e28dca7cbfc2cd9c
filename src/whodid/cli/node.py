"""`whodid node`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

app = verb(
    "node",
    """  whodid node list
  whodid node show design-1
  whodid node retire design-1            it is missed no more, until it sends again""",
)
_COLUMNS = (
    "node",
    "node_type",
    "state",
    "last_seen",
    "events",
    "waiting_events",
    "clock_ahead_ms",
    "version",
    "address",
)


@app.command(name="list")
def list_(
    *,
    retired: Annotated[bool, Parameter(help="Those that were retired, too.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List the nodes that send, and how each stands."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        nodes: list[dict[str, Any]] = backend.ask("GET", "nodes", params={"retired": "true" if retired else None})[
            "nodes"
        ]
    show_rows(nodes, output, columns=_COLUMNS)


@app.command
def show(node: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show one node."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        show_one(backend.ask("GET", "nodes", node), output)


@app.command
def retire(node: str, *, place: Place = ANYWHERE) -> None:
    """Miss a node no more; its events stay."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "nodes", node)
    print(f"Retired the node {node}; it is back when it sends again.")
