"""`whodid events`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from whodid.cli.filters import ALL, Which
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


@app.default
def events(
    *,
    which: Which = ALL,
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

    wanted = which.wanted()
    if follow and (which.since or which.until or cursor):
        raise WhodidError(
            "invalid", "--follow shows what comes in from here on.", "Leave out --since, --until and --cursor."
        )
    with reader_of(place) as reader:
        if follow:
            del wanted["since"], wanted["until"]
            _print_live(reader.follow(**wanted), output)
            return
        from whodid.cli.answer import show_events

        show_events(reader.events(**wanted, order=order, limit=limit, cursor=cursor), output)


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
