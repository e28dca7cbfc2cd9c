"""`whodid usage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, AS_TABLE, Output, Place, verb

if TYPE_CHECKING:
    from whodid.reading.answer import UsageAnswer

app = verb(
    "usage",
    """  whodid usage entity query:daily-sales
  whodid usage user ada --since 30d
  whodid usage entity dataset:SALES.orders --part by_day --output csv""",
)
Part = Literal["numbers", "by_day", "by_type", "top_users", "top_entities", "top_errors", "durations"]


@app.default
def usage(
    of: Annotated[Literal["entity", "user"], Parameter(help="Of an entity, or of a user.")],
    which: Annotated[str, Parameter(help="The entity as type:id, or the user's login.")],
    *,
    since: Annotated[str | None, Parameter(help="From then on [default: 7d].")] = None,
    until: Annotated[str | None, Parameter(help="Before then.")] = None,
    part: Annotated[Part | None, Parameter(help="Only this part, as rows.")] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """How much an entity or a user was used, by day.

    Without --part all parts are shown, on a terminal as tables, else as one JSON object.
    """
    from whodid.cli.answer import show
    from whodid.cli.reader import reader_of
    from whodid.errors import WhodidError

    entity, user = (which, None) if of == "entity" else (None, which)
    if part is None and (form := output.asked()) not in (None, "table", "json"):
        raise WhodidError("invalid", f"{form} holds rows of one kind.", "Add for example: --part by_day")
    with reader_of(place) as reader:
        found = reader.usage(entity=entity, user=user, since=since, until=until)
    if part is not None:
        show(found[part], output)
    else:
        _show_all(found, output)


def _show_all(found: UsageAnswer, output: Output) -> None:
    import msgspec

    from whodid.cli.answer import printed_to, show, written

    if output.format() != "table":
        written(msgspec.json.encode(found.plain()) + b"\n", output)
        return
    with printed_to(output):
        print(f"From {_to_the_minute(found.since)} to {_to_the_minute(found.until)} UTC")
        for name, answer in found.parts.items():
            if len(answer):
                print(f"\n{name.replace('_', ' ').capitalize()}")
                show(answer, AS_TABLE)


def _to_the_minute(time: str) -> str:
    return time[:16].replace("T", " ")
