"""`whodid schedule`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from whodid.amounts import rows_counted
from whodid.cli.options import ANYWHERE, AS_SUITS, AS_SUITS_BESIDE_TO, Output, OutputBesideTo, Place, verb
from whodid.errors import WhodidError

app = verb(
    "schedule",
    """  whodid schedule create weekly --report users --param since=7d --cron '0 7 * * MON' --zone Europe/Berlin \\
      --to lake:reports/users --format parquet
  whodid schedule create errors --report error-groups --param since=1d --cron @daily --mail dev@example.com
  whodid schedule create mine --report users --cron @daily --mail otto@example.com --as otto --dry-run
  whodid schedule list
  whodid schedule run weekly                run it, and wait for what comes of it
  whodid schedule run weekly --dry-run      what it would deliver; nothing leaves
  whodid schedule runs weekly
  whodid schedule pause weekly""",
)
_COLUMNS = ("name", "report", "to", "next", "last_run", "outcome")
_RUNS = ("due", "state", "attempts", "rows", "total", "to", "next_attempt_at", "by", "error")
Name = Annotated[str, Parameter(help="The schedule.")]
Names = list[str] | None
Report = Annotated[str | None, Parameter(help="See: whodid report")]
Cron = Annotated[
    str | None, Parameter(help="Minute, hour, day, month, weekday; or @hourly, @daily, @weekly, @monthly.")
]
Zone = Annotated[str | None, Parameter(help="Time zone of the cron expression [default: UTC].")]
Param = Annotated[Names, Parameter(help="NAME=VALUE of the report; several times, also for several values of one.")]
To = Annotated[str | None, Parameter(help="CONNECTION:FOLDER that files go to.")]
Mail = Annotated[Names, Parameter(help="Address that it is sent to; several times.")]
Form = Annotated[str | None, Parameter(name="--format", help="csv, parquet; none: a mail without a file.")]
As = Annotated[
    str | None, Parameter(name="--as", help="Whose rights count [default: yours]. It tells what they may see.")
]
About = Annotated[str | None, Parameter(help="What it is for.")]


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the schedules, when each runs next, and how it ran last."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "schedules")["schedules"]
    if output.format() == "table":
        flat = [_flat(one) for one in found]
        found = [one | {"next": (one["next"] or "")[:16], "outcome": (one["outcome"] or "")[:24]} for one in flat]
    show_rows(found, output, columns=_COLUMNS)


@app.command
def create(
    name: Annotated[str, Parameter(help="What it shall be called.")],
    *,
    report: Report = None,
    cron: Cron = None,
    zone: Zone = None,
    param: Param = None,
    to: To = None,
    mail: Mail = None,
    format_: Form = None,
    as_: As = None,
    as_nobody: Annotated[bool, Parameter(help="It tells everything, as nobody in particular.")] = False,
    description: About = None,
    paused: Annotated[bool, Parameter(help="Do not start it yet.")] = False,
    dry_run: Annotated[bool, Parameter(help="Make nothing; show what it would deliver.")] = False,
    place: Place = ANYWHERE,
    output: OutputBesideTo = AS_SUITS_BESIDE_TO,
) -> None:
    """Make a schedule. It runs at its next time; what was before is not made up for."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of
    from whodid.cli.mail import note_without_server

    if report is None or cron is None or not (to or mail):
        raise WhodidError(
            "invalid", "A schedule needs --report, --cron, and --to or --mail.", "See its examples: --help"
        )
    body = _given(report, cron, zone, param, to, mail, format_, as_, as_nobody, description)
    body |= {"name": name, "enabled": not paused}
    with backend_of(place, make=True) as backend:
        if dry_run:
            _show_dry_run(backend.ask("POST", "schedules", "dry-run", body=body), output)
        else:
            show_one(_flat(backend.ask("POST", "schedules", body=body)), output)
            note_without_server(backend, mail)


@app.command
def change(
    name: Name,
    *,
    report: Report = None,
    cron: Cron = None,
    zone: Zone = None,
    param: Param = None,
    to: To = None,
    mail: Mail = None,
    format_: Form = None,
    as_: As = None,
    as_nobody: Annotated[bool, Parameter(help="It tells everything, as nobody in particular.")] = False,
    description: About = None,
    place: Place = ANYWHERE,
    output: OutputBesideTo = AS_SUITS_BESIDE_TO,
) -> None:
    """Change a schedule; what is not named stays. --param names all parameters anew."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of
    from whodid.cli.mail import note_without_server

    body = _given(report, cron, zone, param, to, mail, format_, as_, as_nobody, description)
    if not body:
        raise WhodidError("invalid", "Nothing is to be changed.", "See: whodid schedule change --help")
    with backend_of(place) as backend:
        show_one(_flat(backend.ask("PATCH", "schedules", name, body=body)), output)
        note_without_server(backend, mail)


@app.command
def show(name: Name, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a schedule."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "schedules", name)
    show_one(_flat(found) if output.format() == "table" else found, output)


@app.command
def runs(
    name: Name,
    *,
    limit: Annotated[int, Parameter(help="The latest of them.")] = 20,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """How a schedule ran."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "schedules", name, "runs", params={"limit": limit})["runs"]
    show_rows(found, output, columns=_RUNS)


@app.command
def run(
    name: Name,
    *,
    dry_run: Annotated[bool, Parameter(help="Show what it would deliver; nothing leaves.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Run a schedule and wait for what comes of it."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        if dry_run:
            _show_dry_run(backend.ask("POST", "schedules", name, "dry-run"), output)
        else:
            show_one(backend.ask("POST", "schedules", name, "run"), output)


@app.command
def pause(name: Name, *, place: Place = ANYWHERE) -> None:
    """Let a schedule rest."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("POST", "schedules", name, "pause")
    print(f"Paused the schedule {name}.")


@app.command
def resume(name: Name, *, place: Place = ANYWHERE) -> None:
    """Let a schedule go on, from its next time."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("POST", "schedules", name, "resume")
    print(f"Resumed the schedule {name}; it runs next at {found['next']}.")


@app.command
def delete(name: Name, *, place: Place = ANYWHERE) -> None:
    """Forget a schedule; what it wrote stays."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "schedules", name)
    print(f"Deleted the schedule {name}.")


def _given(
    report: str | None,
    cron: str | None,
    zone: str | None,
    param: Names,
    to: str | None,
    mail: Names,
    form: str | None,
    as_: str | None,
    as_nobody: bool,
    description: str | None,
) -> dict[str, Any]:
    named = {"report": report, "cron": cron, "zone": zone, "format": form, "as_user": as_, "description": description}
    body: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if as_nobody:
        body["as_user"] = None
    if param is not None:
        body["parameters"] = parameters(param)
    if to is not None or mail:
        connection, _, path = (to or "").partition(":")
        body["to"] = {"connection": connection, "path": path, "mail": mail or []}
    return body


def parameters(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE texts; a name that comes several times has a list."""
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise WhodidError("invalid", f"--param {text!r} has no value.", "Write it as --param NAME=VALUE")
        before = found.get(name)
        found[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return found


def _flat(schedule: dict[str, Any]) -> dict[str, Any]:
    """A schedule with its destination as one text, and its last run as two."""
    to, last = schedule["to"], schedule.get("last") or {}
    where = f"{to['connection']}:{to.get('path', '')}" if to.get("connection") else ", ".join(to.get("mail", []))
    given = " ".join(f"{name}={value}" for name, value in schedule["parameters"].items())
    outcome = last.get("error") or last.get("to")
    told = {name: value for name, value in schedule.items() if name not in ("last", "since")}
    return {**told, "parameters": given, "to": where, "last_run": last.get("state"), "outcome": outcome}


def _show_dry_run(told: dict[str, Any], output: Output) -> None:
    from whodid.cli.answer import printed_to, show_one
    from whodid.reading.printable import printable

    if output.format() != "table":
        show_one(told, output)
        return
    with printed_to(output):
        print(f"{rows_counted(told)} would go to {told['to']}.")
        if "text" in told:
            picture = "with a picture" if told["picture"] else "without a picture"
            print(f"Subject: {printable(told['subject'])} ({picture})\n")
            for line in told["text"].splitlines():
                print(printable(line))
