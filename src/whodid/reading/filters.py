"""Which events: a filter as people and programs state it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from whodid.errors import WhodidError
from whodid.event import LEVELS
from whodid.reading.definition import WORKED_OUT
from whodid.reading.times import instant

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 10_000_000
VALUES_MAX: Final = 1_000
VALUE_LENGTH_MAX: Final = 2_000

# Filters that ask a column for one of some values.
EQUAL: Final = ("level", "topic", "function", "status", "node")
LISTS: Final = (
    *EQUAL, "request_id", "user", "group", "type", "kind", "entity", "session", "error_hash", "parameter", "project",
    *WORKED_OUT,
)  # fmt: skip

# What reports count of events, and define in `reading/sql/`.
KINDS: Final = ("run", "use", "error")

# In front of a value: is not.
NOT: Final = "!"

# Such text cannot be written as UTF-8.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class EventFilter(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which events, in which order, how many.

    All given conditions have to hold; of several values for one condition, one has to. `since` is inclusive, `until`
    exclusive (see `reading.times`). `user` finds what a login did and what was done for it. `group` is a group's name;
    its members are found through groups within it. `type` may hold `*`. `kind` is what reports count an event as: a
    run, a use, an error. `entity` is `type:id` and finds events that touched it in any role. `parameter` is
    `name=value`. `project` is a project's key (`dialect.project` says which one an event has). `item` is `kind:name` of
    an item of the interface (menu, dialog, click, command, input); `service`, `endpoint`, `version` and `caller` find
    queries of API nodes, whichever way they tell it, and `unknown` those that do not. `text` is a part of a
    description, name, error or parameter, in any case. `cursor` is a page's `next_cursor`.
    """

    since: str | date | datetime | None = None
    until: str | date | datetime | None = None
    user: list[str] = []
    group: list[str] = []
    type: list[str] = []
    kind: list[str] = []
    level: list[str] = []
    topic: list[str] = []
    entity: list[str | tuple[str, str]] = []
    session: list[str] = []
    function: list[str] = []
    status: list[str] = []
    node: list[str] = []
    request_id: list[str] = []
    error_hash: list[str] = []
    parameter: list[str] = []
    project: list[str] = []
    item: list[str] = []
    service: list[str] = []
    endpoint: list[str] = []
    version: list[str] = []
    caller: list[str] = []
    text: str | None = None
    order: Literal["newest", "oldest"] = "newest"
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.limit, int) or not 1 <= self.limit <= LIMIT_MAX:
            raise WhodidError("invalid", f"limit is {self.limit!r}; it goes from 1 to {LIMIT_MAX:,}.")
        if self.order not in ("newest", "oldest"):
            raise WhodidError("invalid", f"order is {self.order!r}.", "It is newest or oldest (first).")
        for name in LISTS:
            values = getattr(self, name)
            _check_values(name, [part for value in values for part in ([value] if isinstance(value, str) else value)])
        if self.text is not None:
            _check_values("text", [self.text])
        for level in (level for both in sides(self.level) for level in both):
            if level not in LEVELS:
                raise WhodidError("invalid", f"There is no level {level!r}.", f"Levels: {', '.join(LEVELS)}.")
        for kind in (kind for both in sides(self.kind) for kind in both):
            if kind not in KINDS:
                raise WhodidError("invalid", f"There is no kind {kind!r}.", f"Kinds: {', '.join(KINDS)}.")


class Sides(NamedTuple):
    """The values of a list that are wanted, and those that are not."""

    wanted: list[Any]
    unwanted: list[Any]


def sides(values: Sequence[str | tuple[str, str]]) -> Sides:
    """The values of a list, without the `!` in front of those that are not wanted."""
    found = Sides([], [])
    for value in values:
        if not isinstance(value, str) or not value.startswith(NOT):
            found.wanted.append(value)
        elif value.startswith(NOT + NOT):
            found.wanted.append(value[1:])
        else:
            found.unwanted.append(value[1:])
    return found


def literal(value: str) -> str:
    """A value that stands for itself in a list, whatever it begins with."""
    return NOT + value if value.startswith(NOT) else value


def make_filter(**given: Any) -> EventFilter:
    """A filter from what a caller wrote: a single value stands for a list of one, a mapping of parameters for pairs.

    Raises
    ------
    WhodidError("invalid")
        There is no such condition, or a value is none for it.
    """
    known: dict[str, Any] = {}
    for name, value in given.items():
        if name not in EventFilter.__struct_fields__:
            names = ", ".join(EventFilter.__struct_fields__)
            raise WhodidError("invalid", f"There is no filter {name!r}.", f"Filters: {names}.")
        if value is None:
            continue
        if name in ("since", "until") and not isinstance(value, str | date):
            value = instant(value, name=name).replace(tzinfo=UTC)
        known[name] = _as_list(name, value) if name in LISTS else value
    return EventFilter(**known)


def split_entity(text: str | tuple[str, str]) -> tuple[str, str]:
    """Type and id of `type:id`; the id may hold colons of its own. A pair is taken as it is."""
    if isinstance(text, tuple):
        return text
    kind, colon, name = text.partition(":")
    if not colon or not kind or not name:
        raise WhodidError("invalid", f"entity is {text!r}.", "Write it as type:id, for example query:q-17.")
    return kind, name


def _as_list(name: str, value: Any) -> list[Any]:
    if name == "parameter" and isinstance(value, dict):
        return [f"{key}={_plain(one)}" for key, one in value.items()]
    if name == "entity" and isinstance(value, tuple) and len(value) == 2:
        return [value]
    if isinstance(value, str | uuid.UUID):
        return [str(value)]
    return [one if isinstance(one, tuple) else str(one) for one in value]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_values(name: str, values: Sequence[str]) -> None:
    if len(values) > VALUES_MAX:
        raise WhodidError("invalid", f"{name} has {len(values):,} values; at most {VALUES_MAX:,} are taken.")
    for value in values:
        if value in ("", NOT) or len(value) > VALUE_LENGTH_MAX or "\0" in value or _SURROGATE.search(value):
            raise WhodidError(
                "invalid",
                f"{name} is {value[:50]!r}.",
                f"It takes 1 to {VALUE_LENGTH_MAX:,} characters, without NUL and lone surrogates.",
            )
