"""The navigation at the left: one row a page."""

from __future__ import annotations

from typing import Final, NamedTuple

from whodid.reading.sight import NOTHING
from whodid.receive.access import Caller


class Stop(NamedTuple):
    """A page of the navigation.

    scope    what a caller needs to see it.
    limited  readers who do not see everything see it too.
    icon     a symbol of `icons.html`.
    keeps    the filter of the page one comes from goes along.
    """

    path: str
    title: str
    icon: str
    scope: str = "read"
    limited: bool = True
    keeps: bool = True


NAVIGATION: Final[tuple[Stop, ...]] = (
    Stop("/", "Overview", "overview"),
    Stop("/users", "Users", "users"),
    Stop("/groups", "Groups", "groups"),
    Stop("/functions", "Functions", "functions"),
    Stop("/interface", "Interface", "interface"),
    Stop("/entities", "Entities", "entities"),
    Stop("/errors", "Errors", "errors"),
    Stop("/security", "Security", "security"),
    Stop("/api-nodes", "API nodes", "api"),
    Stop("/compute", "Compute", "compute"),
    Stop("/events", "Events", "events"),
    Stop("/console", "Console", "console", limited=False, keeps=False),
    Stop("/settings", "Settings", "settings", limited=False, keeps=False),
)


def stops_for(caller: Caller) -> list[Stop]:
    """The pages that a caller may see."""
    sees_some = caller.limited != NOTHING
    return [
        stop
        for stop in NAVIGATION
        if stop.scope in caller.scopes or "admin" in caller.scopes or (stop.limited and sees_some)
    ]
