"""`whodid target`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError
from whodid.reading.printable import printable

app = verb(
    "target",
    """  whodid target kinds http                     its options
  whodid target create lake files --option path=/srv/audit --dry-run
  whodid target create siem http --option url=https://siem.example.com/in \\
      --option key=@siem.key --level error --type 'login*' --hash user
  whodid target test siem
  whodid target list
  whodid target dead-letters siem
  whodid target replay siem""",
)
_COLUMNS = ("name", "kind", "state", "waiting_events", "oldest_waiting_s", "sent", "bytes", "rate", "refused",
            "dead_letters", "lost", "reason", "last_error")  # fmt: skip
_SHORT = {"waiting_events": "waiting", "oldest_waiting_s": "oldest s", "rate": "a second", "dead_letters": "dead"}
Names = list[str] | None
Name = Annotated[str, Parameter(help="The target.")]
Options = Annotated[Names, Parameter(help="NAME=VALUE, or NAME=@FILE to read it from a file; several times.")]
Topics = Annotated[Names, Parameter(help="Only events of this topic; several times for several.")]
RoutingKeys = Annotated[Names, Parameter(help="Only events of this routing key.")]
Levels = Annotated[Names, Parameter(help="Only events of this level.")]
Types = Annotated[Names, Parameter(help="Only events of this type; * stands for anything.")]
Users = Annotated[Names, Parameter(help="Only what this user did, or what was done for them.")]
Groups = Annotated[Names, Parameter(help="Only what the users of this group did.")]
Only = Annotated[Names, Parameter(help="Only this field or parameter (parameters.NAME) goes along.")]
LeaveOut = Annotated[Names, Parameter(help="This field or parameter does not go along.")]
Hash = Annotated[Names, Parameter(help="A keyed hash of this field or parameter goes along instead.")]
Truncate = Annotated[Names, Parameter(help="NAME=CHARACTERS: no more of this field or parameter goes along.")]
Form = Annotated[
    str | None,
    Parameter(name="--format", help="native, dss-log4j, dss-event-server, ocsf, cloudevents [default: native]."),
]
Keys = Annotated[Names, Parameter(help="Only this key may write what is selected: the name of a key; several times.")]
Deadline = Annotated[float | None, Parameter(help="Seconds after which a call is given up [default: 60].")]
Since = Annotated[str, Parameter(help="For --dry-run: 1d, 2026-06-01, …")]


@app.command
def kinds(
    kind: Annotated[str | None, Parameter(help="Only this one.")] = None,
    *,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List the kinds of targets and their options."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.owner import server_of
    from whodid.dispatch.management import kinds as kinds_here

    if server_of(place) is None:
        known = kinds_here()
    else:
        with backend_of(place) as backend:
            known = backend.ask("GET", "targets", "kinds")["kinds"]
    names = [found["kind"] for found in known]
    if kind is not None and kind not in names:
        raise WhodidError("invalid", f"There is no kind of target {kind!r}.", f"Kinds: {', '.join(names)}.")
    rows = [
        {"kind": found["kind"], "option": option["name"], **_told(option)}
        for found in known
        if kind in (None, found["kind"])
        for option in found.get("options", [{"name": "", "help": found.get("hint"), "kind": ""}])
    ]
    show_rows(rows, output, columns=("kind", "option", "default", "unit", "choices", "help"))


@app.command
def create(
    name: Annotated[str, Parameter(help="What it shall be called.")],
    kind: Annotated[str, Parameter(help="See: whodid target kinds")],
    *,
    option: Options = None,
    topic: Topics = None,
    routing_key: RoutingKeys = None,
    level: Levels = None,
    type_: Annotated[Types, Parameter(name="--type")] = None,
    user: Users = None,
    group: Groups = None,
    only: Only = None,
    leave_out: LeaveOut = None,
    hash_: Annotated[Hash, Parameter(name="--hash")] = None,
    truncate: Truncate = None,
    format_: Form = None,
    start: Annotated[str, Parameter(help="now, beginning, or since when: 2026-06-01, 30d.")] = "now",
    required_key: Keys = None,
    deadline_s: Deadline = None,
    paused: Annotated[bool, Parameter(help="Do not start it yet.")] = False,
    dry_run: Annotated[bool, Parameter(help="Make nothing; show what of the events --since would go.")] = False,
    since: Since = "1d",
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Make a target; it runs within a second, from --start on."""
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    body: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "options": _options(option),
        "selection": _selection(topic, routing_key, level, type_, user, group),
        "shaping": _shaping(only, leave_out, hash_, truncate),
        "start": start,
        "running": not paused,
    }
    body |= _given(format=format_, deadline_s=deadline_s, keys=required_key)
    with backend_of(place, make=True) as backend:
        if dry_run:
            _show_dry_run(backend.ask("POST", "targets", "dry-run", body={"target": body, "since": since}), output)
        else:
            _show(backend.ask("POST", "targets", body=body), output)
            if output.format() == "table":
                note(f"Try it with: whodid target test {name}")


@app.command
def change(
    name: Name,
    *,
    option: Options = None,
    topic: Topics = None,
    routing_key: RoutingKeys = None,
    level: Levels = None,
    type_: Annotated[Types, Parameter(name="--type")] = None,
    user: Users = None,
    group: Groups = None,
    take_all: Annotated[bool, Parameter(help="Take every event again.")] = False,
    only: Only = None,
    leave_out: LeaveOut = None,
    hash_: Annotated[Hash, Parameter(name="--hash")] = None,
    truncate: Truncate = None,
    leave_as_is: Annotated[bool, Parameter(help="Let everything of an event go along again.")] = False,
    format_: Form = None,
    required_key: Keys = None,
    any_key: Annotated[bool, Parameter(help="Any key may write what is selected again.")] = False,
    deadline_s: Deadline = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Change a target; it goes on from where it is.

    An option without a value (--option NAME=) goes back to its default. Selection and shaping are replaced as a whole
    when anything of them is given.
    """
    from whodid.cli.backend import backend_of

    body: dict[str, Any] = _given(format=format_, deadline_s=deadline_s, keys=[] if any_key else required_key)
    if option:
        body["options"] = {key: value if value != "" else None for key, value in _options(option).items()}
    if (selection := _selection(topic, routing_key, level, type_, user, group)) or take_all:
        body["selection"] = selection
    if (shaping := _shaping(only, leave_out, hash_, truncate)) or leave_as_is:
        body["shaping"] = shaping
    if not body:
        raise WhodidError("invalid", "Nothing is to be changed.", "See: whodid target change --help")
    with backend_of(place) as backend:
        _show(backend.ask("PATCH", "targets", name, body=body), output)


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the targets and how each stands."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    with backend_of(place) as backend:
        found = [_rounded(target["status"]) for target in backend.ask("GET", "targets")["targets"]]
    if output.format() != "table":
        show_rows(found, output, columns=_COLUMNS)
        return
    rows = [{_SHORT.get(name, name): one[name] for name in _COLUMNS[:-2]} for one in found]
    show_rows(rows, output, columns=tuple(_SHORT.get(name, name) for name in _COLUMNS[:-2]))
    for one in found:
        why = one["reason"] or (one["last_error"] if one["state"] in ("backing-off", "hung") else None)
        if why:
            note(f"{one['name']}: {printable(why)}")


@app.command
def show(name: Name, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a target, without its secrets, and how it stands."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        _show(backend.ask("GET", "targets", name), output)


@app.command
def delete(
    name: Name,
    *,
    drop: Annotated[bool, Parameter(help="Also when it has dead letters, which then are gone.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Take a target away; what it has sent stays where it is."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "targets", name, params={"drop": "true" if drop else None})
    print(f"Deleted the target {name}.")


@app.command
def pause(name: Name, *, place: Place = ANYWHERE) -> None:
    """Let a target rest; it goes on later from where it is."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("POST", "targets", name, "pause")
    print(f"Paused the target {name}.")


@app.command
def resume(name: Name, *, place: Place = ANYWHERE) -> None:
    """Let a target go on from where it is."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("POST", "targets", name, "resume")
    print(f"Resumed the target {name}.")


@app.command
def test(
    name: Name,
    *,
    dry_run: Annotated[bool, Parameter(help="Send nothing; show what of the events --since would go.")] = False,
    since: Since = "1d",
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Send one marked event and show what the other side answers."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        if dry_run:
            _show_dry_run(backend.ask("POST", "targets", "dry-run", body={"name": name, "since": since}), output)
        else:
            show_one(backend.ask("POST", "targets", name, "test"), output)


@app.command
def dead_letters(
    name: Name,
    *,
    limit: Annotated[int, Parameter(help="The oldest of them.")] = 100,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List what a target refused for good, with the reasons."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        letters = backend.ask("GET", "targets", name, "dead-letters", params={"limit": limit})["dead_letters"]
    rows = [
        {key: letter[key] for key in ("at", "code", "message", "seq")}
        | {"id": letter["event"]["id"], "type": letter["event"]["type"], "event": letter["event"]}
        for letter in letters
    ]
    show_rows(rows, output, columns=("at", "code", "message", "type", "id"))


@app.command
def replay(
    name: Name,
    *,
    limit: Annotated[int, Parameter(help="The oldest of them.")] = 1_000,
    drop: Annotated[bool, Parameter(help="Throw them away instead.")] = False,
    place: Place = ANYWHERE,
) -> int:
    """Send dead letters once more; those that are taken are no more."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        told = backend.ask("POST", "targets", name, "replay", body={"limit": limit, "drop": drop})
    if drop:
        print(f"Threw away {told['dropped']:,} dead letters; {told['left']:,} are left.")
        return 0
    print(f"Sent {told['replayed']:,}; {told['refused']:,} were refused again; {told['left']:,} are left.")
    return 3 if told["refused"] else 0


def _options(given: Names) -> dict[str, str]:
    options: dict[str, str] = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise WhodidError("invalid", f"--option {text!r} has no value.", "Write it as --option NAME=VALUE")
        # Secrets given on the command line would be seen in the list of processes.
        options[name] = _of_file(name, Path(value[1:])) if value.startswith("@") else value
    return options


def _of_file(option: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise WhodidError("invalid", f"The option {option} cannot be read from {path}: {why}.") from error


def _selection(
    topics: Names, routing_keys: Names, levels: Names, types: Names, users: Names, groups: Names
) -> dict[str, Any]:
    return _given(topics=topics, routing_keys=routing_keys, levels=levels, types=types, users=users, groups=groups)


def _shaping(only: Names, left_out: Names, hashed: Names, truncate: Names) -> dict[str, Any]:
    truncated: dict[str, int] = {}
    for text in truncate or []:
        name, _, characters = text.partition("=")
        if not characters.isdecimal():
            raise WhodidError("invalid", f"--truncate {text!r} names no number.", "Write it as --truncate NAME=100")
        truncated[name] = int(characters)
    return _given(only=only, left_out=left_out, hashed=hashed, truncated=truncated or None)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _told(option: dict[str, Any]) -> dict[str, Any]:
    needed = option.get("default") is None and not option.get("optional") and option["name"]
    default = "(needed)" if needed else option.get("default")
    return {
        "default": "" if default in (None, {}, []) else str(default),
        "unit": option.get("unit", ""),
        "choices": ", ".join(option.get("choices", ())),
        "help": f"{option.get('help')}{' (secret)' if option.get('secret') else ''}",
    }


def _rounded(status: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in status.items()}


def _show(target: dict[str, Any], output: Output) -> None:
    from whodid.cli.answer import show_one
    from whodid.cli.terminal import note

    if warning := target.pop("warning", None):
        note(warning)
    if output.format() != "table":
        show_one(target, output)
        return
    told = {name: value for name, value in target.items() if name not in ("status", "options", "id")}
    options = {f"option {name}": value for name, value in target["options"].items()}
    status = {name: value for name, value in _rounded(target["status"]).items() if name not in ("name", "kind")}
    show_one({**told, **options, **status}, output)


def _show_dry_run(told: dict[str, Any], output: Output) -> None:
    from whodid.cli.answer import printed_to, show_one
    from whodid.cli.terminal import note

    if output.format() != "table":
        show_one(told, output)
        return
    more = " (and there are more)" if told["truncated"] else ""
    with printed_to(output):
        print(f"Of {told['looked_at']:,} events since {told['since']}{more}, {told['events']:,} would go: "
              f"{told['bytes']:,} bytes.")  # fmt: skip
        for name, count in told["types"].items():
            print(f"{count:>10,}  {name}")
        for line in told["samples"]:
            print(line)
    note("Nothing was sent.")
