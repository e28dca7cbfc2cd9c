"""`whodid policy capture`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

app = verb(
    "capture",
    """  whodid policy capture start --user ada --for 2h --reason 'her view hangs'
  whodid policy capture start --type 'menu *' --anonymous --reason 'what is used'
  whodid policy capture list
  whodid policy capture stop capture-1
  whodid events --param capture=capture-1""",
    help="Keep for a while what the policy leaves out.",
)
_COLUMNS = ("name", "state", "for", "scope", "events", "events_max", "ends_at", "anonymous", "reason", "started_by")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Texts = list[str] | None


@app.command
def start(
    *,
    reason: Annotated[str, Parameter(help="What it is for; it is kept with the audit.")],
    name: Annotated[str | None, Parameter(help="What it is called [default: capture-N].")] = None,
    user: Annotated[str | None, Parameter(help="Of this login; without --user and --group: of everyone.")] = None,
    group: Annotated[str | None, Parameter(help="Of the members of this group.")] = None,
    type: Annotated[Texts, Parameter(help="Only this type; * stands for anything.")] = None,
    entity: Annotated[Texts, Parameter(help="Only what touched this type:id; query:* for all queries.")] = None,
    topic: Annotated[Texts, Parameter(help="Only this topic.")] = None,
    duration: Annotated[str, Parameter(name="--for", help="How long: 30m, 2h, 7d at most.")] = "1h",
    events: Annotated[int, Parameter(help="It ends when it has so many.")] = 10_000,
    anonymous: Annotated[bool, Parameter(help="Keep no user, session or address of what it adds.")] = False,
    unknown: Annotated[bool, Parameter(help="Take types nobody has sent, users nobody has seen.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Start a capture: what the policy leaves out is kept after all, until the time is over or it is full."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    body = {
        "reason": reason,
        "name": name,
        "user": user,
        "group": group,
        "types": type or [],
        "entities": entity or [],
        "topics": topic or [],
        "duration_s": _seconds(duration),
        "events_max": events,
        "anonymous": anonymous,
        "accept_unknown": unknown,
    }
    with backend_of(place) as backend:
        capture = backend.ask("POST", "captures", body=body)
    if output.to is None and output.output in (None, "table"):
        print(f"Started {capture['name']}; it ends at {_moment(capture['ends_at'])} or with {events:,} events.")
    else:
        show_one(capture, output)


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the captures that run and the last ones that ended."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        captures = backend.ask("GET", "captures")["captures"]
    rows = [_shown(each) for each in captures] if output.format() == "table" else captures
    show_rows(rows, output, columns=_COLUMNS)


@app.command
def stop(name: str, *, place: Place = ANYWHERE) -> None:
    """End a capture."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        ended = backend.ask("DELETE", "captures", name)
    print(f"Stopped {ended['name']}: {ended['events']:,} events.")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})\s*([smhd])", text.strip())
    if found is None:
        raise WhodidError("invalid", f"--for is {text!r}, which is no duration.", "Write 30m, 2h or 7d.")
    return int(found[1]) * _UNITS[found[2]]


def _shown(capture: dict[str, Any]) -> dict[str, Any]:
    """A capture as a row for people."""
    whom = capture["user"] or (f"group {capture['group'] or '?'}" if capture["group_id"] else "everyone")
    scope = [*capture["types"], *capture["entities"], *(f"topic {topic}" for topic in capture["topics"])]
    why = {"time": "its time was over", "events": "full", "stopped": f"by {capture['ended_by']}"}
    return {
        **capture,
        "for": whom,
        "scope": ", ".join(scope) or "all",
        "state": f"ended: {why.get(capture['ended_why'], '?')}" if capture["ended_at"] else "runs",
        "ends_at": _moment(capture["ended_at"] or capture["ends_at"]),
        "anonymous": "yes" if capture["anonymous"] else "",
    }


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
