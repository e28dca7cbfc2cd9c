"""`whodid alert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, pairs, verb
from whodid.errors import WhodidError

app = verb(
    "alert",
    """  whodid alert kinds                                     what can be looked for, with its options
  whodid alert create errors --kind new-error-group --mail dev@example.com
  whodid alert create probes --kind failed-logins --option per=address --option above=20 --webhook ops
  whodid alert create rate --kind error-rate --option compare=usual --webhook ops --severity critical --dry-run
  whodid alert create roles --kind event --option types=role-*,target-paused --mail security@example.com
  whodid alert webhook ops --url-file ops.url --secret-file ops.secret
  whodid alert firing                                    what is firing
  whodid alert mute 3f2a --until 2h
  whodid alert resolve 3f2a""",
)
_COLUMNS = ("name", "kind", "options", "severity", "muted_until", "problem")
_FIRINGS = ("id", "state", "severity", "title", "last_at", "ended_by")
Names = list[str] | None
Name = Annotated[str, Parameter(help="The alert.")]
Options = Annotated[Names, Parameter(help="NAME=VALUE; several values with commas. See: whodid alert kinds")]
Mail = Annotated[Names, Parameter(help="Address that is told; several times.")]
Hooks = Annotated[Names, Parameter(help="Webhook that is told; several times.")]
Severity = Annotated[str | None, Parameter(help="info, warning or critical [default: warning].")]
Again = Annotated[int | None, Parameter(help="While it lasts tell again after so long; 0: never [default: 240].")]
About = Annotated[str | None, Parameter(help="What to do about it; it is told along.")]
Until = Annotated[str | None, Parameter(help="How long, or until when: 2h, 3d, 2026-12-01.")]


@app.command
def kinds(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """The kinds of alerts and their options."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "alerts", "kinds")["kinds"]
    rows = [
        {
            "kind": kind["name"],
            "option": option["name"],
            "default": "(needed)" if option["needed"] else _text(option["default"]),
            "unit": option["unit"],
            "choices": ", ".join(option["choices"]),
            "meaning": option["help"],
        }
        for kind in found
        for option in kind["options"]
    ]
    show_rows(rows, output, columns=("kind", "option", "default", "unit", "choices", "meaning"))


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the alerts, and what went wrong when they were looked for."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "alerts")["alerts"]
    show_rows([_flat(one) for one in found] if output.format() == "table" else found, output, columns=_COLUMNS)


@app.command
def show(name: Name, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show an alert."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        show_one(_flat(backend.ask("GET", "alerts", name)), output)


@app.command
def create(
    name: Annotated[str, Parameter(help="What it shall be called.")],
    *,
    kind: Annotated[str, Parameter(help="See: whodid alert kinds")],
    option: Options = None,
    mail: Mail = None,
    webhook: Hooks = None,
    severity: Severity = None,
    again_minutes: Again = None,
    description: About = None,
    dry_run: Annotated[bool, Parameter(help="Make nothing; show what it would find at this moment.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Make an alert; it is looked for every minute from here on."""
    from whodid.cli.answer import show_one, show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.mail import note_without_server

    with backend_of(place, make=True) as backend:
        known = backend.ask("GET", "alerts", "kinds")["kinds"]
        body = _given(mail, webhook, severity, again_minutes, description)
        body |= {"name": name, "kind": kind, "options": _options(option, known, kind)}
        if dry_run:
            found = backend.ask("POST", "alerts", "dry-run", body=body)["findings"]
            show_rows(found, output, columns=("title", "message"))
        else:
            show_one(_flat(backend.ask("POST", "alerts", body=body)), output)
            note_without_server(backend, mail)


@app.command
def change(
    name: Name,
    *,
    option: Options = None,
    mail: Mail = None,
    webhook: Hooks = None,
    severity: Severity = None,
    again_minutes: Again = None,
    description: About = None,
    off: Annotated[bool, Parameter(help="Look for it no more.")] = False,
    on: Annotated[bool, Parameter(help="Look for it again.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Change an alert; what is not named stays. An empty --option goes back to its default."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of
    from whodid.cli.mail import note_without_server

    body = _given(mail, webhook, severity, again_minutes, description)
    if on and off:
        raise WhodidError("invalid", "--on and --off contradict each other.", "Leave one of them out.")
    if not (body or option or on or off):
        raise WhodidError("invalid", "Nothing is to be changed.", "See: whodid alert change --help")
    with backend_of(place) as backend:
        if option:
            kind = backend.ask("GET", "alerts", name)["kind"]
            body["options"] = _options(option, backend.ask("GET", "alerts", "kinds")["kinds"], kind)
        if on or off:
            body["enabled"] = on
        show_one(_flat(backend.ask("PATCH", "alerts", name, body=body)), output)
        note_without_server(backend, mail)


@app.command
def delete(name: Name, *, place: Place = ANYWHERE) -> None:
    """Forget an alert; its firings end."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "alerts", name)
    print(f"Deleted the alert {name}.")


@app.command
def firing(
    *,
    alert: Annotated[str | None, Parameter(help="Only those of this alert.")] = None,
    all_: Annotated[bool, Parameter(name="--all", help="Also what ended.")] = False,
    limit: Annotated[int, Parameter(help="The latest of them.")] = 100,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """What is firing."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    params = {"rule": alert, "all": "true" if all_ else None, "limit": limit}
    with backend_of(place) as backend:
        found = backend.ask("GET", "alerts", "firing", params=params)["firings"]
    if output.format() == "table":
        # The id has to be read whole: it is what mute and resolve take.
        short = {"title": 36, "last_at": 16, "id": 8}
        found = [one | {name: one[name][:length] for name, length in short.items()} for one in found]
    show_rows(found, output, columns=_FIRINGS)


@app.command
def mute(
    what: Annotated[str, Parameter(help="A firing, by its id or the beginning of it; or with --alert an alert.")],
    *,
    until: Until = None,
    end: Annotated[bool, Parameter(help="Be quiet no longer.")] = False,
    alert: Annotated[bool, Parameter(help="All of an alert of this name.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Be quiet about a firing, or about all of an alert, until a time [default: 1d]."""
    from whodid.cli.backend import backend_of

    body = {"until": None if end else until or "1d"}
    path = ("alerts", what, "mute") if alert else ("alerts", "firing", what, "mute")
    with backend_of(place) as backend:
        muted = backend.ask("POST", *path, body=body)["muted_until"]
    print(f"{what} is muted until {muted}." if muted else f"{what} is muted no longer.")


@app.command
def resolve(
    what: Annotated[str, Parameter(help="A firing, by its id or the beginning of it.")], *, place: Place = ANYWHERE
) -> None:
    """It is dealt with. What lasts is told again only after it was over."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        done = backend.ask("POST", "alerts", "firing", what, "resolve")
    print(f"Resolved {done['id'][:8]}: {done['title']}")


@app.command
def webhooks(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the webhooks; URLs and secrets stay hidden."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        show_rows(backend.ask("GET", "webhooks")["webhooks"], output, columns=("name", "host", "signed"))


@app.command
def webhook(
    name: Annotated[str, Parameter(help="What it is called.")],
    *,
    url_file: Annotated[Path | None, Parameter(help="File with the URL, - for standard input.")] = None,
    secret_file: Annotated[Path | None, Parameter(help="File with the secret that signs it.")] = None,
    certificates: Annotated[Path | None, Parameter(help="PEM file of an authority that is trusted besides.")] = None,
    test: Annotated[bool, Parameter(help="Send a test.")] = False,
    delete: Annotated[bool, Parameter(help="Forget it.")] = False,
    place: Place = ANYWHERE,
) -> None:
    """Make, change, test or forget a webhook."""
    from whodid.cli.backend import backend_of
    from whodid.cli.given import secret_of, text_of

    given = {"url": url_file, "secret": secret_file}
    body = {key: secret_of(path) for key, path in given.items() if path is not None}
    body |= {"certificates": text_of(certificates)} if certificates else {}
    if not (body or test or delete):
        raise WhodidError("invalid", "Nothing is to be done.", "Name --url-file, --secret-file, --test or --delete.")
    with backend_of(place, make=True) as backend:
        if delete:
            backend.ask("DELETE", "webhooks", name)
            print(f"Deleted the webhook {name}.")
            return
        if body:
            made = backend.ask("PUT", "webhooks", name, body=body)
            print(f"The webhook {name} goes to {made['host']}{', signed' if made['signed'] else ''}.")
        if test:
            print(f"{name} answered {backend.ask('POST', 'webhooks', name, 'test')['status']}.")


def _given(
    mail: Names, webhook: Names, severity: str | None, again_minutes: int | None, description: str | None
) -> dict[str, Any]:
    named = {
        "mail": mail, "webhooks": webhook, "severity": severity, "renotify_minutes": again_minutes,
        "description": description,
    }  # fmt: skip
    return {name: value for name, value in named.items() if value is not None}


def _options(given: Names, kinds: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Options as their kind takes them: lists out of commas, `since=7d,limit=10` as a map."""
    known = {option["name"]: option["kind"] for one in kinds if one["name"] == kind for option in one["options"]}
    found: dict[str, Any] = {}
    for name, value in pairs(given).items():
        if known.get(name) == "texts":
            found[name] = [part for part in value.split(",") if part]
        elif known.get(name) == "map":
            found[name] = pairs([part for part in value.split(",") if part])
        else:
            found[name] = value
    return found


def _flat(rule: dict[str, Any]) -> dict[str, Any]:
    options = " ".join(f"{name}={_text(value)}" for name, value in rule["options"].items())
    return {**rule, "options": options}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={inner}" for name, inner in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
