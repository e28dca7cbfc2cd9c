"""Who acted, in the words of a DSS event: a person, a program, or a program for a person."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from whodid.event import is_program

_KEY: Final = r"(?P<project>[^\s.:,]+)\.(?P<name>[^\s,]+)"

# What an entry of authVia looks like, and which kind of program it stands for.
_PROGRAMS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(rf"scenario=\s*{_KEY}"), "scenario"),
    (re.compile(rf"ticket:python_trigger:\s*{_KEY}"), "trigger"),
    (
        re.compile(r"ticket:Standard webapp backend:\s*(?P<project>[^\s.:,]+)\.(?P<name>[^\s,]+)(?:,(?P<login>.+))?"),
        "webapp",
    ),
    (re.compile(r"ticket:jupyter:\s*(?P<project>[^\s.:,]+)\.(?P<name>.+)"), "notebook"),
    (re.compile(rf"ticket:job:\s*{_KEY}"), "job"),
    (re.compile(r"ticket:plugin_ui_setup:\s*(?P<name>.*)"), "plugin"),
)


class Program(NamedTuple):
    """The program behind a call: `via` as `kind:PROJECT.NAME`, its project, and the login it says it acts for."""

    via: str
    kind: str | None = None
    project: str | None = None
    name: str | None = None
    login: str | None = None


class Actor(NamedTuple):
    """Who acted: columns `user`, `acting_for` and `via` of an event, and the program's project."""

    user: str | None
    acting_for: str | None
    via: str | None
    project: str | None


def program(auth_via: Any) -> Program | None:
    """The program that `authVia` (a list or one text) names; an entry of unknown form is kept as it is."""
    entries = [auth_via] if isinstance(auth_via, str) else auth_via if isinstance(auth_via, (tuple, list)) else []
    texts = [entry.strip() for entry in entries if isinstance(entry, str) and entry.strip()]
    for text in texts:
        found = _program_of(text)
        if found is not None:
            return found
    return Program(texts[0][:1000]) if texts else None


def _program_of(text: str) -> Program | None:
    for pattern, kind in _PROGRAMS:
        match = pattern.match(text)
        if match is None:
            continue
        parts = match.groupdict()
        project, name = parts.get("project"), parts["name"].strip().rstrip(",")
        full_name = f"{project}.{name}" if project else name
        return Program(f"{kind}:{full_name}"[:1000], kind, project, name, parts.get("login"))
    return None


def with_login(entry: str, change: Callable[[str], Any] | None) -> str:
    """An entry of `authVia` in which the login that a program says it acts for is changed; None takes it out."""
    for pattern, _ in _PROGRAMS:
        match = pattern.match(entry.strip())
        if match is not None and match.groupdict().get("login"):
            start, end = match.span("login")
            before, after = match.string[:start], match.string[end:]
            return (
                before.removesuffix(",") + after
                if change is None
                else f"{before}{change(match['login'].strip())}{after}"
            )
    return entry


def auth_via_entry(via: str, acting_for: str | None) -> str:
    """What `authVia` says of the program `via`; whom it acts for DSS says of a webapp alone."""
    if acting_for is None or not via.startswith("webapp:"):
        return via
    entry = f"ticket:Standard webapp backend: {via.removeprefix('webapp:')},{acting_for}"
    found = _program_of(entry)
    says_so = found is not None and (found.via, found.login) == (via, acting_for)
    return entry if says_so else via


def actor(logins: tuple[Any, ...], auth_via: Any) -> Actor:
    """Who acted.

    logins    the candidates in their order: `message.login`, `message.user`, `message.authUser`, `mdc.user`.
    auth_via  `message.authVia`.
    Returns   Actor. `acting_for` is the person whom a program acted for: the one it names, else the user if that
              is a person's login.
    """
    user = next((login for login in logins if isinstance(login, str) and login), None)
    behind = program(auth_via)
    if behind is None:
        return Actor(user, None, None, None)
    acting_for = behind.login.strip() if behind.login else user
    if acting_for is not None and is_program(acting_for):
        acting_for = None
    return Actor(user, acting_for, behind.via, behind.project)
