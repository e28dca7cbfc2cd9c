"""What the stores say in words of their own; everything else is written once, in their common dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple


class Dialect(NamedTuple):
    """A store's own words.

    `events`, `event_entities` and `rejected_events` are the relations to read from; `parameter_key` makes the
    right-hand side of `parameters ->> …` from a parameter's name.
    """

    events: str
    event_entities: str
    rejected_events: str
    parameter_key: Callable[[str], str]


def _json_pointer(name: str) -> str:
    """DuckDB reads keys as paths, in which `*`, `$` and backslashes mean something; in a JSON pointer they do not."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


_DIALECTS: Final[dict[str, Dialect]] = {
    "duckdb": Dialect("events", "event_entities", "rejected_events", _json_pointer),
    "postgresql": Dialect("whodid.events", "whodid.event_entities", "whodid.rejected_events", str),
}


def dialect_of(kind: str) -> Dialect:
    """The dialect of a store by its `kind`."""
    return _DIALECTS[kind]
