"""The navigation at the left: one row a page."""

from __future__ import annotations

from typing import Final, NamedTuple


class Stop(NamedTuple):
    """A page of the navigation; `scope` is what a caller needs to see it, `icon` a symbol of `icons.html`."""

    path: str
    title: str
    icon: str
    scope: str = "read"


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
)
