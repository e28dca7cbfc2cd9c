"""`whodid error`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, AS_TABLE, Output, Place, verb

app = verb(
    "error",
    """  whodid error list --since 7d
  whodid error show v1:47c17e9b172b4f60
  whodid error mute v1:47c17e9b172b4f60 --until 2026-12-01T00:00:00Z
  whodid error resolve v1:47c17e9b172b4f60 --version 2.4.1
  whodid error merge v1:7f5ed31858ca6b07 v1:a27d81613b186df7 --into v1:47c17e9b172b4f60
  whodid error split v1:47c17e9b172b4f60 --by message""",
)
_COLUMNS = ("group", "title", "status", "state", "errors", "previous", "people", "last", "version")
_SHOWN = ("group", "title", "status", "state", "errors", "people", "first", "last", "first_version", "version", "why")
Group = Annotated[str, Parameter(help="Id of the group, as `whodid error list` shows it.")]
Since = Annotated[str | None, Parameter(help="From when on: 2026-11-01, or how long ago: 7d [default: 30d].")]


@app.command(name="list")
def list_(
    *,
    since: Since = None,
    until: Annotated[str | None, Parameter(help="Until when [default: now].")] = None,
    state: Annotated[str | None, Parameter(help="all, open, muted, resolved or back [default: all].")] = None,
    limit: Annotated[int | None, Parameter(help="Groups at most.")] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Groups of errors: new, came back or known, the most frequent first."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    params = {"since": since, "until": until, "state": state, "limit": limit}
    with backend_of(place) as backend:
        found = backend.ask("GET", "error-groups", params=params)["groups"]
    show_rows(found, output, columns=_COLUMNS)


@app.command
def show(group: Group, /, *, since: Since = None, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Why a group is one, its latest stack trace, and what people did before."""
    from whodid.cli.answer import printed_to, show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "error-groups", group, params={"since": since})
    if output.format() != "table":
        show_one(found, output)
        return
    samples = found["samples"]
    told = {name: found.get(name) for name in _SHOWN}
    told["versions"] = [f"{version} ({count})" for version, count in found["versions"].items()]
    told["before"] = [f"{row['type']} {row['what'] or ''} ({row['errors']})".strip() for row in found["before"][:5]]
    told["message"] = samples[0]["message"] if samples else None
    with printed_to(output):
        show_one(told, AS_TABLE)
        if samples and samples[0]["stack_trace"]:
            from whodid.reading.printable import printable

            print()
            for line in samples[0]["stack_trace"].splitlines():
                print(printable(line))


@app.command
def mute(
    group: Group,
    /,
    *,
    until: Annotated[
        datetime | None, Parameter(help="When it is open again, with zone; without: until opened.")
    ] = None,
    place: Place = ANYWHERE,
) -> None:
    """Be quiet about a group."""
    _decide(place, group, {"state": "muted", "until": until.isoformat() if until else None})


@app.command
def resolve(
    group: Group,
    /,
    *,
    version: Annotated[
        str | None, Parameter(help="The version that mends it: seen in it or later, it came back.")
    ] = None,
    place: Place = ANYWHERE,
) -> None:
    """Say that a group is mended."""
    _decide(place, group, {"state": "resolved", "version": version})


@app.command(name="open")
def open_(group: Group, /, *, place: Place = ANYWHERE) -> None:
    """Open a muted or resolved group again."""
    _decide(place, group, {"state": "open"})


@app.command
def merge(
    group: Group,
    /,
    *groups: str,
    into: Annotated[str, Parameter(help="The group that they count as from now on.")],
    place: Place = ANYWHERE,
) -> None:
    """Count groups as another one."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        merged = backend.ask("POST", "error-groups", into, "merge", body={"groups": [group, *groups]})["merged"]
    print(f"{', '.join(merged)} count as {into}.")


@app.command
def unmerge(group: Group, /, *, place: Place = ANYWHERE) -> None:
    """Take a group out of the one it was merged into."""
    _without(place, group, "merge")
    print(f"{group} counts as itself.")


@app.command
def split(
    group: Group,
    /,
    *,
    by: Annotated[str, Parameter(help="message, type, hash or contains.")],
    text: Annotated[str | None, Parameter(help="What the errors contain, for `contains`.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Split a group: each message, type or hash is a group, or what contains a text."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("POST", "error-groups", group, "split", body={"by": by, **({"text": text} if text else {})})
    print(f"{group} is split by {by}{f' “{text}”' if text else ''}.")


@app.command
def join(group: Group, /, *, place: Place = ANYWHERE) -> None:
    """Take all rules away that split a group."""
    _without(place, group, "split")
    print(f"{group} is one again.")


def _decide(place: Place, group: str, wanted: dict[str, Any]) -> None:
    from whodid.cli.backend import backend_of

    body = {name: value for name, value in wanted.items() if value is not None}
    with backend_of(place) as backend:
        told = backend.ask("PATCH", "error-groups", group, body=body)
    more = f" until {told['until']}" if told.get("until") else f" in {told['version']}" if told.get("version") else ""
    print(f"{group} is {told.get('state', 'open')}{more}.")


def _without(place: Place, group: str, what: str) -> None:
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "error-groups", group, what)
