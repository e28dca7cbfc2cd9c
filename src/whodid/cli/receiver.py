"""`whodid receiver`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

app = verb(
    "receiver",
    """  whodid receiver list
  whodid receiver show collector-2
  whodid receiver retire collector-2     its disk is gone: wait for it no more""",
)
_COLUMNS = (
    "name",
    "state",
    "address",
    "version",
    "seen_s_ago",
    "acknowledged",
    "unsettled_events",
    "lost_events",
    "clock_ahead_ms",
    "receiver",
)


@app.command(name="list")
def list_(
    *,
    retired: Annotated[bool, Parameter(help="Those that were retired, too.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List the servers that share the store, and how each stands."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    asked = {"retired": "true" if retired else None}
    with backend_of(place) as backend:
        receivers: list[dict[str, Any]] = backend.ask("GET", "receivers", params=asked)["receivers"]
    show_rows(receivers, output, columns=_COLUMNS)


@app.command
def show(receiver: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show one, by its name or id: problems, lag, disk, targets."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        told = backend.ask("GET", "receivers", receiver)
    show_one(_in_lines(told) if output.format() == "table" else told, output)


def _in_lines(told: dict[str, Any]) -> dict[str, Any]:
    """A receiver with what it said of itself as lines of their own, and what targets wait for in words."""
    said = dict(told["standing"])
    waiting = [f"{one['name']}: {one['waiting_events']:,} events wait" for one in said.pop("targets", ())]
    return {**{name: value for name, value in told.items() if name != "standing"}, **said, "targets": waiting}


@app.command
def retire(receiver: str, *, place: Place = ANYWHERE) -> None:
    """Wait for a server no more. What it acknowledged and never stored is written down as lost."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        told = backend.ask("DELETE", "receivers", receiver)
    print(f"Retired the receiver {told['name']}.")
    if told["lost_events"]:
        span = f"{told['lost_first']:,} to {told['lost_last']:,}"
        print(f"It had acknowledged {told['lost_events']:,} events that are not stored: numbers {span}.")
    for target in told["standing"].get("targets", ()):
        if target["waiting_events"]:
            print(f"Up to {target['waiting_events']:,} stored events of it did not reach the target {target['name']}.")
