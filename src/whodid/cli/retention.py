"""`whodid retention`."""

from __future__ import annotations

from typing import Annotated, Any, Final

from cyclopts import Parameter

from whodid.amounts import counted
from whodid.cli.options import ANYWHERE, AS_SUITS, AS_TABLE, Output, Place, verb
from whodid.errors import WhodidError

app = verb(
    "retention",
    """  whodid retention show
  whodid retention set debug=14 info=90 sessions=365 --dry-run      how many events would go
  whodid retention set debug=14 info=90 sessions=365
  whodid retention set info=forever
  whodid retention run                                              now instead of tonight""",
)
SESSIONS: Final = "sessions"
FOREVER: Final = "forever"
_RUNS: Final = ("due", "state", "started_at", "finished_at", "outcome")


@app.command
def show(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show how many days events of each level, and sessions, are kept, and what went lately."""
    from whodid.cli.answer import printed_to, show_one, show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        told = backend.ask("GET", "retention")
    if output.format() != "table":
        show_one(told, output)
        return
    with printed_to(output):
        for line in _kept(told):
            print(line)
        if told["runs"]:
            show_rows([{**run, "outcome": _outcome(run)} for run in told["runs"]], AS_TABLE, columns=_RUNS)


@app.command(name="set")
def set_(
    *days: Annotated[str, Parameter(help="LEVEL=DAYS, sessions=DAYS; =forever keeps them. What is not named stays.")],
    dry_run: Annotated[bool, Parameter(help="Only say how many events would go.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Set how long events are kept; what is too old goes for good with the next daily step."""
    from whodid.cli.backend import backend_of

    given = _given(days)
    with backend_of(place, make=True) as backend:
        before = backend.ask("GET", "retention")
        wanted = _changed(before, given)
        counts = backend.ask("POST", "retention", "dry-run", body=wanted)["levels"]
        if not dry_run:
            told = backend.ask("PUT", "retention", body=wanted)
    for level, count in counts.items():
        is_or_are = "is" if count == 1 else "are"
        print(f"{level}: {counted(count, 'event')} {is_or_are} older than {counted(wanted['levels'][level], 'day')}.")
    if dry_run:
        print("Nothing was changed.")
        return
    for line in _kept(told):
        print(line)


@app.command
def run(*, place: Place = ANYWHERE) -> None:
    """Have what is too old taken away now; a running server does it, within a minute."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("POST", "retention", "run")
    print("It begins as soon as a server runs: whodid retention show")


def _given(days: tuple[str, ...]) -> dict[str, int | None]:
    """LEVEL=DAYS texts; None is for ever."""
    if not days:
        raise WhodidError("invalid", "Nothing is to be set.", "Write it as: whodid retention set debug=14")
    found: dict[str, int | None] = {}
    for text in days:
        name, sign, value = text.partition("=")
        if not sign or not (value == FOREVER or value.isdecimal()):
            raise WhodidError("invalid", f"{text[:100]!r} is no LEVEL=DAYS.", "Write it as debug=14, or info=forever")
        found[name] = None if value == FOREVER else int(value)
    return found


def _changed(before: dict[str, Any], given: dict[str, int | None]) -> dict[str, Any]:
    """The whole setting, with what was given in place of what was set."""
    levels = {**before["levels"], **{name: value for name, value in given.items() if name != SESSIONS}}
    sessions = given.get(SESSIONS, before["sessions"])
    return {"levels": {name: value for name, value in levels.items() if value is not None}, "sessions": sessions}


def _kept(told: dict[str, Any]) -> list[str]:
    lines = [f"{level}: {counted(days, 'day')}" for level, days in told["levels"].items()]
    lines += [f"{SESSIONS}: {counted(told['sessions'], 'day')}"] if told["sessions"] is not None else []
    return [*lines, "Everything else is kept for ever."] if lines else ["Everything is kept for ever."]


def _outcome(run: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in (run["outcome"] or {}).items())
