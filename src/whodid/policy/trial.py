"""A draft tried on real traffic: what it would have dropped and hidden of the events that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from msgspec import Struct

from whodid.policy.gate import Compiled
from whodid.policy.pattern import PROTECTED_TOPIC, protected
from whodid.policy.plan import Plan, sampled
from whodid.policy.rule import Rule
from whodid.reading.dialect import Dialect, dialect_of
from whodid.reading.times import instant
from whodid.stores.base import Store

TYPES_MAX: Final = 1_000
ROWS_MAX: Final = 10_000_000

# What an event would be as JSON, about: its texts and what stands around them.
_SIZE: Final = (
    'length(CAST(e."parameters" AS varchar)) + coalesce(length(CAST(e."entities" AS varchar)), 0)'
    ' + coalesce(length(e."description"), 0) + coalesce(length(e."error_message"), 0)'
    ' + coalesce(length(e."error_stack_trace"), 0) + length(e."type") + coalesce(length(e."user"), 0) + 160'
)
_WHO: Final = 'e."user" AS "user", e."key_id" AS key_id, e."type" AS type, e."topic" AS topic'


class TypeCount(Struct, kw_only=True):
    """What would have been dropped of a type, of how many."""

    type: str
    events: int = 0
    bytes: int = 0
    of_events: int = 0


class ParameterCount(Struct, kw_only=True):
    """How many kept events would have had a parameter hidden: `how` is left_out, hashed or truncated."""

    name: str
    how: str
    events: int = 0


class RuleTrial(Struct, kw_only=True):
    """What a rule would have done: to `matched` events, of which `events` would have been dropped."""

    name: str
    matched: int = 0
    matched_bytes: int = 0
    events: int = 0
    bytes: int = 0
    types: list[TypeCount] = []
    parameters: list[ParameterCount] = []


class Trial(Struct, kw_only=True):
    """A draft on the events of a time. Bytes are those of the events as JSON, about."""

    since: datetime
    until: datetime
    events: int = 0
    bytes: int = 0
    dropped_events: int = 0
    dropped_bytes: int = 0
    rules: list[RuleTrial] = []


class _Row(NamedTuple):
    """Events of one user, key, type and topic: how many, how long, and how many of them have each hidden parameter."""

    user: str | None
    type: str
    topic: str
    events: int
    bytes: int
    having: Mapping[str, int]


class _One(NamedTuple):
    """An event of a sampled type."""

    user: str | None
    type: str
    topic: str
    id: str
    bytes: int


def try_out(
    store: Store,
    compiled: Compiled | None,
    rules: Sequence[Rule],
    *,
    since: str,
    until: str | None,
    users_of_keys: Mapping[str, str | None],
    timeout_ms: int = 30_000,
) -> Trial:
    """What rules would have done to the stored events from `since` to `until`.

    users_of_keys  whose the keys are: events without a user are their key's.
    Events are counted by the engine; only those of sampled types are looked at one by one, by their ids.

    Raises
    ------
    WhodidError("invalid")
        A time cannot be read.
    WhodidError("timeout")
        Too many events at once: try a shorter time.
    """
    at = datetime.now(UTC)
    begin = instant(since, name="since", now=at)
    end = instant(until, name="until", now=at) if until is not None else at.replace(tzinfo=None)
    question = _Question(store, begin, end, timeout_ms)
    trying = _Trying(compiled or Compiled({}, None), [rule for rule in rules if rule.enabled])
    hidden = list(dict.fromkeys(name for rule in rules if rule.enabled for name in _hidden_of(rule)))
    for row in question.rows(hidden, users_of_keys):
        trying.add(row)
    for one in question.ids(sorted(trying.sampling), users_of_keys):
        trying.add_sampled(one)
    return trying.trial(begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC))


class _Trying:
    """Takes in what is stored, and tells what became of it."""

    def __init__(self, compiled: Compiled, rules: Sequence[Rule]):
        self.sampling: set[str] = set()
        self._compiled = compiled
        self._told = {rule.id: RuleTrial(name=rule.name, types=[], parameters=[]) for rule in rules}
        self._types: dict[tuple[str, str], TypeCount] = {}
        self._parameters: dict[tuple[str, str], ParameterCount] = {}
        self._events = self._bytes = 0

    def add(self, row: _Row) -> None:
        """Events that share their fate, unless their type is sampled: then they come again one by one."""
        self._events += row.events
        self._bytes += row.bytes
        plan = self._compiled.plan_of(row.user)
        if plan is None:
            return
        told = self._told[plan.rule.id]
        told.matched += row.events
        told.matched_bytes += row.bytes
        share = 1.0 if row.topic == PROTECTED_TOPIC else plan.share(row.type)
        count = self._types.setdefault((plan.rule.id, row.type), TypeCount(type=row.type))
        count.of_events += row.events
        if share <= 0.0:
            self._drop(plan, row.type, row.events, row.bytes)
            return
        if share < 1.0:
            self.sampling.add(row.type)
        if row.type not in protected() and row.topic != PROTECTED_TOPIC:
            self._hide(plan, row)

    def add_sampled(self, one: _One) -> None:
        """An event of a sampled type."""
        plan = self._compiled.plan_of(one.user)
        if plan is None or one.topic == PROTECTED_TOPIC:
            return
        share = plan.share(one.type)
        if 0.0 < share < 1.0 and not sampled(one.id, share):
            self._drop(plan, one.type, 1, one.bytes)

    def trial(self, since: datetime, until: datetime) -> Trial:
        """What came of all that was added."""
        for (rule_id, _), count in sorted(self._types.items(), key=lambda item: (-item[1].events, item[1].type)):
            if count.events and len(self._told[rule_id].types) < TYPES_MAX:
                self._told[rule_id].types.append(count)
        for (rule_id, _), parameter in self._parameters.items():
            self._told[rule_id].parameters.append(parameter)
        rules = list(self._told.values())
        return Trial(
            since=since,
            until=until,
            events=self._events,
            bytes=self._bytes,
            dropped_events=sum(rule.events for rule in rules),
            dropped_bytes=sum(rule.bytes for rule in rules),
            rules=rules,
        )

    def _drop(self, plan: Plan, kind: str, events: int, size_bytes: int) -> None:
        for each in (self._told[plan.rule.id], self._types[plan.rule.id, kind]):
            each.events += events
            each.bytes += size_bytes

    def _hide(self, plan: Plan, row: _Row) -> None:
        for name, how in _hidden_of(plan.rule).items():
            if row.having.get(name):
                key = (plan.rule.id, name)
                count = self._parameters.setdefault(key, ParameterCount(name=name, how=how))
                count.events += row.having[name]


def _hidden_of(rule: Rule) -> dict[str, str]:
    """The parameters that a rule hides, and how."""
    how = {"left_out": rule.left_out, "hashed": rule.hashed, "truncated": rule.truncated}
    return {name: place for place, names in how.items() for name in names}


class _Question:
    """Asks the store about the events of a time."""

    def __init__(self, store: Store, since: datetime, until: datetime, timeout_ms: int):
        self._store = store
        self._dialect: Dialect = dialect_of(store.kind)
        self._timeout_ms = timeout_ms
        self._params: dict[str, Any] = {"since": since, "until": until}
        self._from = (
            f'FROM {self._dialect.events} e WHERE e."time" >= CAST($since AS timestamp)'
            ' AND e."time" < CAST($until AS timestamp)'
        )

    def rows(self, hidden: Sequence[str], users_of_keys: Mapping[str, str | None]) -> Iterator[_Row]:
        params = dict(self._params)
        having = []
        for number, name in enumerate(hidden):
            params[f"h{number}"] = self._dialect.parameter_key(name)
            having.append(f'count(e."parameters" ->> CAST($h{number} AS varchar)) AS h{number}')
        counted = ", ".join(["count(*) AS events", f"sum({_SIZE}) AS bytes", *having])
        sql = f'SELECT {_WHO}, {counted} {self._from} GROUP BY e."user", e."key_id", e."type", e."topic"'
        for row in self._asked(sql, params):
            yield _Row(
                user=row["user"] or users_of_keys.get(row["key_id"]),
                type=row["type"],
                topic=row["topic"],
                events=int(row["events"]),
                bytes=int(row["bytes"] or 0),
                having={name: int(row[f"h{number}"]) for number, name in enumerate(hidden)},
            )

    def ids(self, kinds: Sequence[str], users_of_keys: Mapping[str, str | None]) -> Iterator[_One]:
        """Every event of some types."""
        if not kinds:
            return
        params = {**self._params, **{f"t{number}": kind for number, kind in enumerate(kinds)}}
        listed = ", ".join(f"CAST($t{number} AS varchar)" for number in range(len(kinds)))
        sql = f'SELECT {_WHO}, CAST(e."id" AS varchar) AS id, {_SIZE} AS bytes {self._from} AND e."type" IN ({listed})'
        for row in self._asked(sql, params):
            user = row["user"] or users_of_keys.get(row["key_id"])
            yield _One(user, row["type"], row["topic"], row["id"], int(row["bytes"] or 0))

    def _asked(self, sql: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        found = self._store.query(sql, params, limit=ROWS_MAX, timeout_ms=self._timeout_ms, trusted=True)
        for batch in found.table.to_batches(max_chunksize=10_000):
            yield from batch.to_pylist()
