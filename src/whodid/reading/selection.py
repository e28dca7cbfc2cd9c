"""The SQL that a filter means, in the common dialect of the stores."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from whodid.errors import WhodidError
from whodid.event import foreign_id
from whodid.reading.definition import WORKED_OUT, definition, worked_out
from whodid.reading.dialect import Dialect, like_escaped, part_without_letters
from whodid.reading.filters import EQUAL, LISTS, EventFilter, sides, split_entity
from whodid.reading.sight import EVERYTHING, Sight
from whodid.reading.sight import condition as seen_by
from whodid.reading.times import instant
from whodid.stores.base import Asked

# Where `text` looks, besides the JSON columns.
TEXT_COLUMNS: Final = (
    "description",
    "type",
    "function",
    "entity_name",
    "entity_id",
    "error_message",
    "error_stack_trace",
)
JSON_TEXT_COLUMNS: Final = ("parameters",)


class Groups(Protocol):
    """What a filter asks of the directory."""

    def group_logins(self, name: str) -> Iterable[str]:
        """Logins of the group's members, through groups within it."""


class Selection(NamedTuple):
    """SQL for the events that a filter means: `FROM {source} e WHERE {where}`, with named parameters.

    `many` when more events touched its things besides than are named one by one.
    """

    source: str
    where: str
    params: dict[str, Any]
    many: bool = False


# Runs a statement for ids; None when there are too many to name them.
Find = Callable[[str, dict[str, Any]], list[str] | None]
# Two times (UTC, without zone), both of them within; None where there is no end.
Between = tuple[datetime | None, datetime | None]
# Stands where a condition looks for what touched a thing besides; who knows how early it may be can say so there.
FROM_WHEN: Final = "/* from when on */"
# Up to so many events that touched a thing besides their first one are named one by one.
FURTHER_MAX: Final = 200
# What gave more than that, by store: it need not be asked again. Where retention has taken some of them away, looking
# for them stays as right as naming them.
_MANY: Final[WeakKeyDictionary[Asked, set[tuple[Any, ...]]]] = WeakKeyDictionary()
_REMEMBERED_MAX: Final = 10_000


def finding(store: Asked) -> Find:
    """Finds ids in a store; it looks no further when they are more than `FURTHER_MAX`. Raises what `query` raises."""
    many = _MANY.setdefault(store, set())

    def find(sql: str, params: dict[str, Any]) -> list[str] | None:
        asked = (FURTHER_MAX, sql, *params.values())
        if asked in many:
            return None
        found = store.query(f"{sql} LIMIT {FURTHER_MAX + 1}", params, limit=FURTHER_MAX, trusted=True)
        if not found.truncated:
            return list(found.table.column("id").to_pylist())
        if len(many) >= _REMEMBERED_MAX:
            many.clear()
        many.add(asked)
        return None

    return find


def select(
    wanted: EventFilter,
    dialect: Dialect,
    groups: Groups,
    now: datetime | None = None,
    *,
    sight: Sight = EVERYTHING,
    find: Find = lambda sql, params: None,
    between: Between = (None, None),
) -> Selection:
    """The SQL that a filter means, without its order, limit and cursor; of the events that `sight` may see.

    `find` is asked which events touched an entity besides their first one: usually none, and that spares the engine
    half of the work. Only those `between` two times are looked for.

    Raises
    ------
    WhodidError("invalid")
        A time, an entity or a parameter cannot be read.
    WhodidError("not_found")
        There is no such group.
    """
    builder = _chosen(wanted, dialect, groups, now, find, between)
    source = builder.entities([split_entity(entity) for entity in sides(wanted.entity).wanted])
    seen, params = seen_by(sight, dialect)
    where = [*builder.conditions, *([seen] if sight.is_limited else [])]
    return Selection(source, " AND ".join(where) or "TRUE", builder.params | params, builder.many)


def conditions(
    wanted: EventFilter, dialect: Dialect, groups: Groups, now: datetime | None = None, *, find: Find
) -> tuple[str, dict[str, Any]]:
    """The same as one condition on events `e`, wherever they are read from; with its parameters. Raises as `select`."""
    builder = _chosen(wanted, dialect, groups, now, find)
    builder.touched([split_entity(entity) for entity in sides(wanted.entity).wanted])
    return " AND ".join(builder.conditions) or "TRUE", builder.params


def _chosen(
    wanted: EventFilter,
    dialect: Dialect,
    groups: Groups,
    now: datetime | None,
    find: Find,
    between: Between = (None, None),
) -> _Builder:
    builder = _Builder(dialect, find, between)
    builder.times(wanted, now or datetime.now(UTC))
    parted = {name: sides(getattr(wanted, name)) for name in LISTS}
    _narrowed(builder, {name: both.wanted for name, both in parted.items()}, groups)
    builder.text(wanted.text)
    unwanted = {name: both.unwanted for name, both in parted.items()}
    with builder.negated():
        _narrowed(builder, unwanted, groups)
        builder.touched([split_entity(entity) for entity in unwanted["entity"]])
    return builder


def _narrowed(builder: _Builder, given: Mapping[str, Sequence[Any]], groups: Groups) -> None:
    """Every condition of lists but that of entities, which `_Builder.entities` or `_Builder.touched` makes."""
    logins = [*given["user"], *_members(given["group"], groups)]
    builder.users(logins, given=bool(given["user"] or given["group"]))
    builder.types(given["type"])
    builder.kinds(given["kind"])
    for name in EQUAL:
        builder.one_of(f'e."{name}"', given[name])
    builder.requests(given["request_id"])
    builder.one_of('e."session"', [_uuid_or_foreign(value) for value in given["session"]], cast="uuid")
    builder.one_of('e."error_hash"', [_uuid("error_hash", value) for value in given["error_hash"]], cast="uuid")
    builder.one_of(builder.dialect.project, given["project"])
    builder.parameters(given["parameter"])
    for name in WORKED_OUT:
        builder.worked_out(name, given[name])


class _Builder:
    """Collects conditions; every value of a caller becomes a parameter, never SQL."""

    def __init__(self, dialect: Dialect, find: Find, between: Between):
        self.dialect = dialect
        self.find = find
        self.between = between
        self.conditions: list[str] = []
        self.span: list[str] = []
        self.params: dict[str, Any] = {}
        self.many = False

    @contextmanager
    def negated(self) -> Iterator[None]:
        """The conditions that are made within have not to hold; what is not known does not hold."""
        count = len(self.conditions)
        yield
        self.conditions[count:] = [f"(({condition}) IS NOT TRUE)" for condition in self.conditions[count:]]

    def add(self, value: Any) -> str:
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f"${name}"

    def times(self, wanted: EventFilter, now: datetime) -> None:
        since = None if wanted.since is None else instant(wanted.since, name="since", now=now)
        until = None if wanted.until is None else instant(wanted.until, name="until", now=now)
        if since is not None and until is not None and since > until:
            raise WhodidError("invalid", f"since ({since}) lies after until ({until}).", "Turn them round.")
        for at, sign in ((since, ">="), (until, "<")):
            if at is not None:
                self.span.append(f'."time" {sign} CAST({self.add(at)} AS timestamp)')
        self.conditions += [f"e{condition}" for condition in self.span]

    def one_of(self, expression: str, values: Sequence[str], cast: str = "varchar") -> None:
        if values:
            self.conditions.append(self._one_of(expression, values, cast))

    def _one_of(self, expression: str, values: Sequence[str], cast: str = "varchar") -> str:
        items = [f"CAST({self.add(value)} AS {cast})" for value in dict.fromkeys(values)]
        return f"{expression} = {items[0]}" if len(items) == 1 else f"{expression} IN ({', '.join(items)})"

    def users(self, logins: Sequence[str], *, given: bool) -> None:
        if logins:
            did, was_done_for = (self._one_of(f'e."{column}"', logins) for column in ("user", "acting_for"))
            self.conditions.append(f"({did} OR {was_done_for})")
        elif given:
            self.conditions.append("FALSE")

    def requests(self, ids: Sequence[str]) -> None:
        if ids:
            values = (f"CAST({self.add(id_)} AS varchar)" for id_ in dict.fromkeys(ids))
            ways = [self.dialect.of_request.format(request=value) for value in values]
            self.conditions.append(f"({' OR '.join(ways)})")

    def types(self, patterns: Sequence[str]) -> None:
        names = [pattern for pattern in patterns if "*" not in pattern]
        ways = [self._one_of('e."type"', names)] if names else []
        for pattern in patterns:
            if "*" in pattern:
                like = self.add(like_escaped(pattern).replace("*", "%"))
                ways.append(rf"""e."type" LIKE CAST({like} AS varchar) ESCAPE '\'""")
        if ways:
            self.conditions.append(f"({' OR '.join(ways)})")

    def kinds(self, names: Sequence[str]) -> None:
        if names:
            self.conditions.append(f"({' OR '.join(definition(name) for name in dict.fromkeys(names))})")

    def worked_out(self, name: str, values: Sequence[str]) -> None:
        if values:
            told = self._one_of(worked_out(name, self.dialect), values)
            self.conditions.append(f"({definition(WORKED_OUT[name])} AND {told})")

    def parameters(self, pairs: Sequence[str]) -> None:
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise WhodidError("invalid", f"parameter is {pair!r}.", "Write it as name=value.")
            key = self.add(self.dialect.parameter_key(name))
            self.conditions.append(f'(e."parameters" ->> CAST({key} AS varchar)) = CAST({self.add(value)} AS varchar)')

    def text(self, text: str | None) -> None:
        if text is None:
            return
        pattern = self.add(f"%{like_escaped(text)}%")
        ways = self._hinted(text, rf"{{column}} ILIKE CAST({pattern} AS varchar) ESCAPE '\'", TEXT_COLUMNS)
        for within in _as_in_json(text):
            pattern = self.add(self.dialect.json_pattern(within))
            ways += self._hinted(within, self.dialect.json_search.replace("{pattern}", pattern), JSON_TEXT_COLUMNS)
        self.conditions.append(f"({' OR '.join(ways)})")

    def _hinted(self, text: str, search: str, columns: Sequence[str]) -> list[str]:
        """The condition `search` for each column, behind a quick look for the part of the text without letters."""
        part = part_without_letters(text)
        if self.dialect.hint is not None and part:
            search = f"({self.dialect.hint.replace('{part}', self.add(part))} AND {search})"
        return [search.replace("{column}", f'e."{column}"') for column in columns]

    def entities(self, entities: Sequence[tuple[str, str]]) -> str:
        """The relation to read from: all events, or those that touched one of the entities, each once.

        Two branches instead of an OR, so that either engine can go straight to the rows of both.
        """
        events = self.dialect.events
        if not entities:
            return events
        names = [tuple(f"CAST({self.add(part)} AS varchar)" for part in entity) for entity in entities]
        first = " OR ".join(f'(s."entity_type" = {kind} AND s."entity_id" = {name})' for kind, name in names)
        further = self._further(names)
        if not further:
            return f"(SELECT * FROM {events} s WHERE {first})"  # noqa: S608 (values are parameters)
        return (
            f"(SELECT * FROM {events} s WHERE {first}"  # noqa: S608 (values are parameters)
            f' UNION ALL SELECT * FROM {events} s WHERE ({first}) IS NOT TRUE AND s."id" IN ({further}))'
        )

    def touched(self, entities: Sequence[tuple[str, str]]) -> None:
        """The condition that an event touched one of the entities."""
        if entities:
            names = [tuple(f"CAST({self.add(part)} AS varchar)" for part in entity) for entity in entities]
            ways = [f'(e."entity_type" = {kind} AND e."entity_id" = {name})' for kind, name in names]
            if further := self._further(names):
                ways.append(f'e."id" IN ({further})')
            self.conditions.append(f"({' OR '.join(ways)})")

    def _further(self, names: Sequence[tuple[str, ...]]) -> str:
        """What stands for the ids of events that touched the entities besides: nothing, the ids, or a subquery."""
        touched = " OR ".join(f'(x."type" = {kind} AND x."id" = {name})' for kind, name in names)
        near = (
            f"x.\"time\" {sign} CAST('{at.isoformat(' ')}' AS timestamp)"
            for at, sign in zip(self.between, (">=", "<="), strict=True)
            if at is not None
        )
        among = " AND ".join([f"({touched})", *(f"x{condition}" for condition in self.span), *near])
        relation = self.dialect.event_entities
        used = {name: value for name, value in self.params.items() if re.search(rf"\${name}\b", among)}
        ids = self.find(f'SELECT CAST(x."event_id" AS varchar) AS id FROM {relation} x WHERE {among}', used)  # noqa: S608
        if ids is None:
            self.many = True
            return f'SELECT x."event_id" FROM {relation} x WHERE {among} {FROM_WHEN}'  # noqa: S608 (values are parameters)
        return ", ".join(f"CAST({self.add(one)} AS uuid)" for one in dict.fromkeys(ids))


def _members(names: Sequence[str], groups: Groups) -> list[str]:
    return [login for name in names for login in groups.group_logins(name)]


def _as_in_json(text: str) -> list[str]:
    """The ways in which JSON may write the text: with its letters as they are, or as `\\u` escapes."""
    ways = {json.dumps(text, ensure_ascii=False)[1:-1]: None}
    if not text.isascii():
        ways.update((json.dumps(way)[1:-1], None) for way in (text, text.lower(), text.upper()))
    return list(ways)


def _uuid(name: str, text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise WhodidError("invalid", f"{name} is {text[:100]!r}, which is no UUID.") from None


def _uuid_or_foreign(text: str) -> str:
    """Sessions that came under another kind of id are stored as its UUID."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return foreign_id(text)
