"""`whodid events`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

app = verb(
    "events",
    """  whodid events --since 7d --user ada
  whodid events --type 'query-*' --entity connection:warehouse --limit 1000
  whodid events --text timeout --level error --since 2026-03-01 --until 2026-04-01
  whodid events --project SALES --output csv --to sales.csv
  whodid events --follow --level error""",
)
_FILTER = Group("Which events", sort_key=10)
Texts = list[str] | None
Filter = Parameter(group=_FILTER)


@app.default
def events(
    *,
    user: Annotated[Texts, Filter, Parameter(help="Done by or for this login.")] = None,
    group: Annotated[Texts, Filter, Parameter(help="Done by members of this group.")] = None,
    type: Annotated[Texts, Filter, Parameter(help="Type, with * for any part.")] = None,
    level: Annotated[Texts, Filter, Parameter(help="audit, usage, error, warning, info or debug.")] = None,
    topic: Annotated[Texts, Filter, Parameter(help="Topic.")] = None,
    entity: Annotated[Texts, Filter, Parameter(help="What it was done to, as type:id.")] = None,
    project: Annotated[Texts, Filter, Parameter(help="Project, by its key.")] = None,
    session: Annotated[Texts, Filter, Parameter(help="Session.")] = None,
    function: Annotated[Texts, Filter, Parameter(help="Function that was run.")] = None,
    status: Annotated[Texts, Filter, Parameter(help="What came of it.")] = None,
    node: Annotated[Texts, Filter, Parameter(help="Server or node that sent it.")] = None,
    request_id: Annotated[Texts, Filter, Parameter(help="Request.")] = None,
    error_hash: Annotated[Texts, Filter, Parameter(help="Group of errors.")] = None,
    param: Annotated[Texts, Filter, Parameter(help="Parameter, as name=value.")] = None,
    text: Annotated[str | None, Filter, Parameter(help="Part of a description, name, error or parameter.")] = None,
    since: Annotated[str | None, Filter, Parameter(help="From then on: 7d, 24h, 2026-03-01, …")] = None,
    until: Annotated[str | None, Filter, Parameter(help="Before then.")] = None,
    order: Annotated[Literal["newest", "oldest"], Parameter(help="What comes first.")] = "newest",
    limit: Annotated[int, Parameter(help="Events at most.")] = 100,
    cursor: Annotated[str | None, Parameter(help="Go on where an earlier answer ended.")] = None,
    follow: Annotated[bool, Parameter(help="Show events as they come in, until Ctrl-C.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List events, or follow them live.

    All conditions have to hold; of several values for one (--user a --user b), one has to.
    """
    from whodid.cli.reader import reader_of

    wanted: dict[str, Any] = {
        "user": user,
        "group": group,
        "type": type,
        "level": level,
        "topic": topic,
        "entity": entity,
        "project": project,
        "session": session,
        "function": function,
        "status": status,
        "node": node,
        "request_id": request_id,
        "error_hash": error_hash,
        "parameter": param,
        "text": text,
    }
    with reader_of(place) as reader:
        if follow:
            _print_live(reader.follow(**wanted), output)
            return
        from whodid.cli.answer import show_events

        show_events(reader.events(**wanted, since=since, until=until, order=order, limit=limit, cursor=cursor), output)


def _print_live(found: Iterator[dict[str, Any]], output: Output) -> None:
    import msgspec

    form = output.format()
    if form not in ("table", "ndjson") or output.to is not None:
        raise WhodidError("invalid", "Live events are shown as table or ndjson on standard output.", "Leave out --to.")
    for event in found:
        line = _line(event) if form == "table" else msgspec.json.encode(event).decode()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _line(event: dict[str, Any]) -> str:
    from whodid.reading.printable import printable

    entity = ":".join(str(event[name]) for name in ("entity_type", "entity_name") if event.get(name))
    said = event.get("error_message") or event.get("description") or ""
    fields = (event["time"], event.get("user") or "–", event["type"], entity, said[:200])
    return printable("  ".join(field for field in fields if field))
