"""`whodid policy`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.cli.policy_capture import app as capture_app
from whodid.cli.policy_fields import EMPTY, Clearable, PlaceOptions, RuleOptions
from whodid.cli.policy_test import test_draft
from whodid.errors import WhodidError

app = verb(
    "policy",
    """  whodid policy create quiet --level standard
  whodid policy create calm --group analysts --level verbose --off 'viewer-*' --sample click=10%
  whodid policy create partners --group partners --type 'query-*' --hash email
  whodid policy test --since 7d --level standard --leave-out patient
  whodid policy create later --level verbose --user ada --draft
  whodid policy change later --enabled yes
  whodid policy move later --before calm
  whodid policy hash ada@example.org
  whodid policy capture start --user ada --for 2h --reason 'view hangs'""",
)
app.command(capture_app)
app.command(test_draft, name="test")

_COLUMNS = ("position", "name", "for", "level", "logged", "parameters", "filtered", "bytes", "state")
_RULE = RuleOptions()
_ORDER = PlaceOptions()


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the rules in their order, and what each has filtered. The first that matches wins."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    with backend_of(place) as backend:
        told = backend.ask("GET", "policies")
    rules = told["rules"]
    if output.format() != "table":
        show_rows(rules, output, columns=_COLUMNS)
        return
    if not rules:
        note("There are no rules: everything is logged.")
    elif output.to is not None:
        show_rows([_shown(rule) for rule in rules], output, columns=_COLUMNS)
    else:
        print("\n".join(line for rule in rules for line in _lines(rule)))
    for capture in told["captures"]:
        note(f"Capture {capture['name']} runs until {capture['ends_at'][:16].replace('T', ' ')} UTC.")


@app.command
def show(name: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a rule whole."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        rule = backend.ask("GET", "policies", name)
    if output.format() == "table":
        filtered = rule.pop("filtered")
        rule = {key: value for key, value in rule.items() if value not in (None, [], {}, False)}
        rule |= {"filtered": f"{filtered['events']:,} events, {filtered['bytes']:,} bytes"}
    show_one(rule, output)


@app.command
def create(
    name: Annotated[str, Parameter(help="What the rule is called.")],
    *,
    rule: RuleOptions = _RULE,
    order: PlaceOptions = _ORDER,
    draft: Annotated[bool, Parameter(help="Keep it without applying it; switch it on with: change --enabled yes")] = (
        False
    ),
    place: Place = ANYWHERE,
) -> None:
    """Make a rule. It counts at once, and clients have it within 5 seconds.

    Without a place it goes to the end, but before rules for everyone. Try it first with: whodid policy test
    """
    body = {"name": name, **rule.fields(), **order.fields(), "accept_unknown": rule.unknown}
    made = _ask(place, "POST", body=body | ({"enabled": False} if draft else {}), make=True)
    state = "a draft" if draft else "applied"
    print(f"Made the rule {made['name']} at position {made['position']}, {state}.")


@app.command
def change(
    name: str,
    *,
    rule: RuleOptions = _RULE,
    rename: Annotated[str | None, Parameter(help="Its new name.")] = None,
    enabled: Annotated[Literal["yes", "no"] | None, Parameter(help="Apply it, or keep it as a draft.")] = None,
    clear: Annotated[list[Clearable] | None, Parameter(help="Empty this; subject: for everyone.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Change a rule: what is given replaces what was there, the rest stays."""
    body = {key: value for each in clear or () for key, value in EMPTY[each].items()} | rule.fields()
    if enabled is not None:
        body["enabled"] = enabled == "yes"
    if rename is not None:
        body["name"] = rename
    if not body:
        raise WhodidError("invalid", "Nothing to change was given.", "See: whodid policy change --help")
    _ask(place, "PATCH", name, body=body | {"accept_unknown": rule.unknown})
    print(f"Changed the rule {rename or name}.")


@app.command
def move(name: str, *, order: PlaceOptions = _ORDER, place: Place = ANYWHERE) -> None:
    """Put a rule to another place in the order."""
    told = _ask(place, "POST", name, "move", body=order.fields())
    print("Order: " + ", ".join(rule["name"] for rule in told["rules"]))


@app.command
def delete(name: str, *, place: Place = ANYWHERE) -> None:
    """Take a rule away; what it filtered stays counted."""
    _ask(place, "DELETE", name)
    print(f"Deleted the rule {name}.")


@app.command(name="hash")
def hash_(
    value: Annotated[str, Parameter(allow_leading_hyphen=True, help="A value as events had it.")],
    *,
    place: Place = ANYWHERE,
) -> None:
    """Print what stands for a value in parameters that are hashed.

    Search for it: whodid events --param email=$(whodid policy hash ada@example.org)
    """
    print(_ask(place, "POST", "hash", body={"value": value})["hash"])


def _ask(place: Place, method: str, *parts: str, body: Any = None, make: bool = False) -> Any:
    from whodid.cli.backend import backend_of

    with backend_of(place, make=make) as backend:
        return backend.ask(method, "policies", *parts, body=body)


def _lines(rule: dict[str, Any]) -> Iterator[str]:
    """A rule as lines for people."""
    from whodid.reading.printable import printable

    shown = _shown(rule)
    state = "" if shown["state"] == "applied" else f" ({shown['state']})"
    yield printable(f"{shown['position']}. {shown['name']}{state}: for {shown['for']}, {shown['level']}")
    for text in (shown["logged"], shown["parameters"], rule["note"], rule["warning"]):
        if text:
            yield printable(f"     {text}")
    yield f"     left out {shown['filtered']:,} events, {shown['bytes']:,} bytes"


def _shown(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as a row for people."""
    whom = (
        f"user {rule['user']}" if rule["user"] else f"group {rule['group'] or '?'}" if rule["group_id"] else "everyone"
    )
    logged = [*rule["types"], *(f"not {name}" for name in rule["switched_off"])]
    logged += [f"{name} {100 * share:g} %" for name, share in rule["sampling"].items()]
    hidden = [*(f"no {name}" for name in rule["left_out"]), *(f"hashed {name}" for name in rule["hashed"])]
    hidden += [f"{name} to {chars}" for name, chars in rule["truncated"].items()]
    return {
        "position": rule["position"],
        "name": rule["name"],
        "for": whom,
        "level": rule["level"],
        "logged": ", ".join(logged),
        "parameters": ", ".join(hidden),
        "filtered": rule["filtered"]["events"],
        "bytes": rule["filtered"]["bytes"],
        "state": "draft" if not rule["enabled"] else "never matches" if rule["warning"] else "applied",
    }
