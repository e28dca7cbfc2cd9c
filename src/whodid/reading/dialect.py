"""What the stores say in words of their own; everything else is written once, in their common dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from whodid.stores.base import KEPT, KEPT_BY_DUCKDB, KEPT_BY_POSTGRESQL


def _at_pointer(keys: str) -> str:
    return f"(e.\"parameters\" ->> '/{keys.replace('.', '/')}')"


def _at_path(keys: str) -> str:
    return f"(e.\"parameters\" #>> '{{{keys.replace('.', ',')}}}')"


class Dialect(NamedTuple):
    """A store's own words.

    `events`, `event_entities` and `rejected_events` are the relations to read from, `kept` those of `stores.base.KEPT`
    that the store keeps, under the names they have there; `parameter_key` makes the right-hand side of
    `parameters ->> …` from a parameter's name. `json_search` is the condition that the JSON `{column}` holds a text, in
    any case of its letters, and `json_pattern` makes its `{pattern}` from the text; `hint` is a quick condition that a
    `{column}` holds a `{part}` of the text that has no letters, or None where it gains nothing. `project` is the
    project of an event; `stores.base.WORKED_OUT` says which that is. `of_request` is the condition that an event `e`
    belongs to the request `{request}`, as the store's index finds it. `has_index` says whether events of a thing, and
    those of given ids, are found by indices. `parameter_at` is a parameter of an event `e` as text, from keys with dots
    between them.
    """

    events: str
    event_entities: str
    rejected_events: str
    kept: Mapping[str, str]
    parameter_key: Callable[[str], str]
    json_search: str
    json_pattern: Callable[[str], str]
    hint: str | None
    project: str
    of_request: str = 'e."request_id" = {request}'
    has_index: bool = False
    parameter_at: Callable[[str], str] = _at_pointer


# Beyond ASCII it is the engine that knows what is a letter.
_NO_LETTERS: Final = re.compile(r"[ -@\[-`{-~]+")
_REGULAR: Final = "regexp_matches(CAST({column} AS varchar), CAST({pattern} AS varchar), 'i')"
_CONTAINS: Final = "contains(CAST({column} AS varchar), CAST({part} AS varchar))"
_PROJECT: Final = 'e."project"'
_LIKE: Final = r"CAST({column} AS varchar) ILIKE CAST({pattern} AS varchar) ESCAPE '\'"


def _json_pointer(name: str) -> str:
    """DuckDB reads keys as paths, in which `*`, `$` and backslashes mean something; in a JSON pointer they do not."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def like_escaped(text: str) -> str:
    """The text as it has to stand in a LIKE pattern with a backslash as its escape."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def part_without_letters(text: str) -> str:
    """The longest part of a text that is the same in any case of its letters; empty when that is but one character.

    Without spaces around it: an engine looks for its first character first, and spaces are everywhere.
    """
    longest = max((part.strip(" ") for part in _NO_LETTERS.findall(text)), key=len, default="")
    return longest if len(longest) > 1 else ""


def _like_pattern(text: str) -> str:
    return f"%{like_escaped(text)}%"


_COUNTED_BY_CLICKHOUSE: Final = (
    "user_hours", "event_hours", "thing_hours", "entity_hours", "session_hours", "flow_hours", "user_days",
    "event_days", "thing_days", "entity_days", "session_days", "error_events", "query_events", "login_events",
    "item_events", "usage_events", "pod_events",
)  # fmt: skip


def _of_counted_days(name: str) -> str:
    """What ClickHouse keeps: of days that are counted the counts, of all others what is told of the events."""
    length, *columns = KEPT[name]
    told, listed = f"told_{name}", ", ".join(f'"{column}"' for column in columns)
    begin = f'"{length}"'
    if length == "day":
        told, begin = told.replace("days", "hours"), "date_trunc('day', hour) AS day"
    return (
        f'(SELECT "{length}", {listed} FROM kept_{name} WHERE counting = ANY($countings) UNION ALL '  # noqa: S608
        f'SELECT {begin}, {listed} FROM {told} WHERE NOT toYYYYMMDD("time") = ANY($counted_days))'
    )


# DuckDB's ILIKE makes a lower-case copy of every value first: 1.5 million parameters took it 115 to 390 ms,
# a regular expression 100 ms whatever was sought; behind a look for the part without letters it took 45 ms.
_DIALECTS: Final[dict[str, Dialect]] = {
    "duckdb": Dialect(
        "events",
        "event_entities",
        "rejected_events",
        {name: name for name in KEPT_BY_DUCKDB},
        _json_pointer,
        _REGULAR,
        re.escape,
        _CONTAINS,
        _PROJECT,
    ),
    "clickhouse": Dialect(
        "events",
        "event_entities",
        "rejected_events",
        {name: _of_counted_days(name) for name in _COUNTED_BY_CLICKHOUSE},
        str,
        _LIKE,
        _like_pattern,
        None,
        _PROJECT,
    ),
    # What `reports.engines` translates.
    "lake": Dialect(
        "events",
        "event_entities",
        "rejected_events",
        {},
        _json_pointer,
        _REGULAR,
        re.escape,
        None,
        _PROJECT,
    ),
    "postgresql": Dialect(
        "whodid.events",
        "whodid.event_entities",
        "whodid.rejected_events",
        {name: f"whodid.{name}" for name in KEPT_BY_POSTGRESQL},
        str,
        _LIKE,
        _like_pattern,
        None,
        _PROJECT,
        """(left(e."request_id", 200) = left({request}, 200) AND e."request_id" = {request})""",
        has_index=True,
        parameter_at=_at_path,
    ),
}


def dialect_of(kind: str) -> Dialect:
    """The dialect of a store by its `kind`."""
    return _DIALECTS[kind]
