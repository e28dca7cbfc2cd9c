"""`whodid activity`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

app = verb(
    "activity",
    """  whodid activity entity query:daily-sales
  whodid activity user ada --since 30d --limit 1000
  whodid activity entity dataset:SALES.orders --output json""",
)


@app.default
def activity(
    of: Annotated[Literal["entity", "user"], Parameter(help="Of an entity, or of a user.")],
    which: Annotated[str, Parameter(help="The entity as type:id, or the user's login.")],
    *,
    since: Annotated[str | None, Parameter(help="From then on [default: 7d].")] = None,
    until: Annotated[str | None, Parameter(help="Before then.")] = None,
    limit: Annotated[int, Parameter(help="Events at most.")] = 100,
    cursor: Annotated[str | None, Parameter(help="Go on where an earlier answer ended.")] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """What happened to an entity, or what a user did; newest first.

    A thing that is called otherwise now is shown as `then (now: …)`.
    """
    from whodid.cli.answer import show_events
    from whodid.cli.reader import reader_of

    entity, user = (which, None) if of == "entity" else (None, which)
    with reader_of(place) as reader:
        found = reader.activity(entity=entity, user=user, since=since, until=until, limit=limit, cursor=cursor)
    show_events(found, output)
