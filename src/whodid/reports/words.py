"""Reports are written once; here they get each store's own words.

Besides the common dialect of DuckDB and PostgreSQL a report may say the words of `WORDS`; the events it reads have to
be named `e` where it says them.

    percentile(0.95, x)   where 95 of 100 values lie below
    percentiles(x, 0.5, 0.95)   several of them as a list, counted from 1: the values are put in order once
    as_list(x)            the value, as a list of one where the store keeps lists of such values
    listed_percentiles(x, 0.5, 0.95)   percentiles of all that such lists hold
    parameter('name')     a parameter of the event, as text
    parameter_at('a.b')   the same of an object within its parameters
    person()              the login behind the event: whom a program acted for, else whoever acted
    who()                 the same if it is a person, else NULL
    is_program(login)     whether a login is that of a program
    of_request(x)         whether the event belongs to the request x
    is_use(), is_run(), is_error(), project()   see docs/reports.md, "What the words mean"
    has_roles()           whether the event may tell in which roles it touched its things: input, output, …
    has_flow_roles()      whether it may tell that something went in or came out; others are in no flow of things
    chance()              from 0 to 1 by the end of the event's id: which of many are looked at, always the same
    verb()                what was done to the event's thing: made, edited, shared, run, read, exported, deleted, …
    verb_by_type()        the same where the type alone tells, else NULL: quick to look at, because types are few
    seconds_between(x, y) from one time to the other, as a number; below 0 when the other is earlier
    period($by, x)        where the hour, day, week or month of a time begins
    twelfth(x)            in which twelfth of the report's time the hour of a time begins: 0 to 11
    trend(part, n)        the sums of n for each twelfth, as the text of a list
    local(x)              a time in the reader's time zone: date_trunc('day', local(e.time)), …
    texts_of(json, '/a/b', …), elements_of(json, '/a'), number_of(text)   see `json_words`
    chosen()              the condition that the common filters make, on what the caller may see; TRUE without any
    chosen_in_hours()     the same on events of the hours that were found first (`-- needs:`), where some were
    seen()                the condition that the caller may see an event; every other look at events says it

Instead of `events` a report may read, also as `e`, what the store keeps beside them (`stores.base.KEPT`); there
`e.person` and `e.who` are columns. Relations by the hour have `time` instead of `hour`, and the sums events, uses,
runs, errors, failed (errors, and what ended so), row_count, first and last; they hold the same as the events as long as
`time` is only compared with the report's own parameters of type time, and cut to hours or longer in `local()` time.
Relations by the day are the same for reports that cut it to days or longer, or to hours where their parameter `by` is
`hour`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlglot
from sqlglot import exp

from whodid.errors import WhodidError
from whodid.reading.definition import definition
from whodid.reading.dialect import dialect_of
from whodid.reading.selection import FROM_WHEN
from whodid.reports import json_words, kept
from whodid.reports.common import Shift
from whodid.reports.left_out import leave_out

# What sqlglot calls the dialects of our stores; the one in ClickHouse translates DuckDB's itself.
_SQLGLOT: Final = {"duckdb": "duckdb", "postgresql": "postgres", "clickhouse": "duckdb", "lake": "duckdb"}
_COMMON: Final = "duckdb"
_PROGRAM: Final = "({} LIKE 'api:%' OR {} LIKE 'no:auth%')"

_RELATIONS: Final = ("events", "event_entities", "rejected_events")
# Stand for the conditions until they are known; the first by the relation that it is on, in some hours or in all.
_CHOSEN: Final = "{{chosen {}}}"
_CHOSEN_IN_HOURS: Final = "{{chosen {} in hours}}"
_IS_CHOSEN: Final = re.compile(r"\{chosen (\w+)( in hours)?\}")
_SEEN: Final = "{seen}"

# The roles in which things go into what runs or come out of it; `sql/parts/flow_edges.sql` says which do which.
FLOW_ROLES: Final = ("input", "source", "read", "output", "target", "result", "written")
# One of these stands in JSON that names such a role: JSON may write it with escapes.
_FLOW_SIGNS: Final = (*(f'"{role}"' for role in FLOW_ROLES), "\\")
_FLOW_PATTERN: Final = rf'"role"\s*:\s*"({"|".join(FLOW_ROLES)})"'

# Points of a small picture of a time.
TREND_PARTS: Final = 12

# As many arguments as are given.
ANY: Final = -1

# Names and values of parameters that are choices.
Choices = tuple[tuple[str, str], ...]

Say = Callable[[str, list[exp.Expression]], str]


def _percentile(kind: str, words: list[exp.Expression]) -> str:
    share, value = (word.sql(_SQLGLOT[kind]) for word in words)
    return f"percentile_cont({share}) WITHIN GROUP (ORDER BY {value})"


def _percentiles(kind: str, words: list[exp.Expression]) -> str:
    value, *shares = (word.sql(_SQLGLOT[kind]) for word in words)
    if kind != "postgresql":
        return f"quantile_cont({value}, [{', '.join(shares)}])"
    return f"percentile_cont(ARRAY[{', '.join(shares)}]::double precision[]) WITHIN GROUP (ORDER BY {value})"


def _as_list(kind: str, words: list[exp.Expression]) -> str:
    value = words[0].sql(_SQLGLOT[kind])
    return f"ARRAY[{value}]" if kind == "postgresql" else value


def _listed_percentiles(kind: str, words: list[exp.Expression]) -> str:
    """PostgreSQL takes lists apart once they are gathered by hashing: half of the work of taking rows apart and putting
    their values in groups. A group may have 67 million values, more than it reads within the time limit."""
    if kind != "postgresql":
        return _percentiles(kind, words)
    gathered = f"unnest(array_agg(ROW({words[0].sql(_SQLGLOT[kind])}))) AS gathered (list double precision[])"
    told = f"(SELECT unnest(gathered.list) AS value FROM {gathered}) told"  # noqa: S608 (words of our own)
    return f"(SELECT {_percentiles(kind, [exp.column('value', 'told'), *words[1:]])} FROM {told})"  # noqa: S608


def _parameter(kind: str, words: list[exp.Expression]) -> str:
    key = dialect_of(kind).parameter_key(words[0].name).replace("'", "''")
    return f"(e.\"parameters\" ->> '{key}')"


def _program(kind: str, words: list[exp.Expression]) -> str:
    login = words[0].sql(_SQLGLOT[kind])
    return _PROGRAM.format(login, login)


def _parameter_at(kind: str, words: list[exp.Expression]) -> str:
    return dialect_of(kind).parameter_at(words[0].name.replace("'", "''"))


def _period(kind: str, words: list[exp.Expression]) -> str:
    length, at = (word.sql(_SQLGLOT[kind]) for word in words)
    return f"date_trunc(CAST({length} AS varchar), {at})"


def _seconds_between(kind: str, words: list[exp.Expression]) -> str:
    begin, end = (word.sql(_SQLGLOT[kind]) for word in words)
    if kind == "duckdb":
        # An interval takes it four times as long as a difference of numbers.
        return f"((epoch_us({end}) - epoch_us({begin})) / 1000000.0)"
    return f"CAST(extract(epoch FROM {end} - {begin}) AS double precision)"


def _twelfth(kind: str, words: list[exp.Expression]) -> str:
    (at,) = (word.sql(_SQLGLOT[kind]) for word in words)
    begin, end = "CAST($since AS timestamp)", "CAST($until AS timestamp)"
    passed = f"CAST(extract(epoch FROM date_trunc('hour', {at}) - {begin}) AS double precision)"
    whole = f"CAST(extract(epoch FROM {end} - {begin}) AS double precision)"
    return f"CAST(greatest(floor({passed} * {TREND_PARTS} / {whole}), 0) AS integer)"


def _trend(kind: str, words: list[exp.Expression]) -> str:
    part, number = (word.sql(_SQLGLOT[kind]) for word in words)
    sums = (f"sum(CASE WHEN {part} = {place} THEN {number} ELSE 0 END)" for place in range(TREND_PARTS))
    told = " || ',' || ".join(f"CAST(CAST({one} AS bigint) AS varchar)" for one in sums)
    return f"('[' || {told} || ']')"


def _who(kind: str, words: list[exp.Expression]) -> str:
    login = definition("person")
    return f"CASE WHEN NOT {_PROGRAM.format(login, login)} THEN {login} END"


def _has_roles(kind: str, _words: list[exp.Expression]) -> str:
    if kind != "postgresql":
        return 'contains(CAST(e."entities" AS varchar), \'"role"\')'
    return "jsonb_path_exists(e.\"entities\", '$[*].role')"


def _has_flow_roles(kind: str, words: list[exp.Expression]) -> str:
    if kind == "postgresql":
        roles = " || ".join(f'@ == "{role}"' for role in FLOW_ROLES)
        return f"jsonb_path_exists(e.\"entities\", '$[*].role ? ({roles})')"
    if kind == "duckdb":
        # A pattern that begins with a word takes a third of what one that begins with a choice does, or looks for each.
        touched = 'CAST(e."entities" AS varchar)'
        has_escapes = f"contains({touched}, '\\')"
        return f"(regexp_matches({touched}, '{_FLOW_PATTERN}') OR ({has_escapes} AND {_has_roles(kind, words)}))"
    told = " OR ".join(f"contains(CAST(e.\"entities\" AS varchar), '{text}')" for text in _FLOW_SIGNS)
    return f"({_has_roles(kind, words)} AND ({told}))"


def _chance(kind: str, _words: list[exp.Expression]) -> str:
    if kind != "postgresql":
        return "(CAST('0x' || right(CAST(e.\"id\" AS varchar), 6) AS INTEGER) / 16777216.0)"
    high, middle, low = (f'get_byte(uuid_send(e."id"), {place})' for place in (13, 14, 15))
    return f"(CAST(({high} << 16) | ({middle} << 8) | {low} AS double precision) / 16777216)"


def _verb_by_type(kind: str, _words: list[exp.Expression]) -> str:
    case = sqlglot.parse_one(definition("verb"), read=_COMMON).find(exp.Case)
    assert case is not None
    by_type = [one for one in case.args["ifs"] if {column.name for column in one.find_all(exp.Column)} == {"type"}]
    return exp.Case(ifs=by_type).sql(_SQLGLOT[kind])


def _of_request(kind: str, words: list[exp.Expression]) -> str:
    return dialect_of(kind).of_request.format(request=words[0].sql(_SQLGLOT[kind]))


def _defined(name: str) -> Say:
    return lambda _kind, _words: definition(name)


# Word, number of its arguments, and how a store says it.
WORDS: Final[dict[str, tuple[int, Say]]] = {
    "percentile": (2, _percentile),
    "percentiles": (ANY, _percentiles),
    "as_list": (1, _as_list),
    "listed_percentiles": (ANY, _listed_percentiles),
    "parameter": (1, _parameter),
    "parameter_at": (1, _parameter_at),
    "is_program": (1, _program),
    "seconds_between": (2, _seconds_between),
    "period": (2, _period),
    "twelfth": (1, _twelfth),
    "trend": (2, _trend),
    "person": (0, _defined("person")),
    "who": (0, _who),
    "of_request": (1, _of_request),
    "is_run": (0, _defined("run")),
    "is_error": (0, _defined("error")),
    "is_use": (0, _defined("use")),
    "verb": (0, _defined("verb")),
    "verb_by_type": (0, _verb_by_type),
    "chance": (0, _chance),
    "has_roles": (0, _has_roles),
    "has_flow_roles": (0, _has_flow_roles),
    "texts_of": (ANY, json_words.texts_of),
    "elements_of": (2, json_words.elements_of),
    "number_of": (1, json_words.number_of),
    "project": (0, lambda kind, _words: dialect_of(kind).project),
    "chosen": (1, lambda _kind, words: _CHOSEN.format(words[0].name)),
    "chosen_in_hours": (1, lambda _kind, words: _CHOSEN_IN_HOURS.format(words[0].name)),
    "seen": (0, lambda _kind, _words: _SEEN),
}


def statement(
    sql: str,
    kind: str,
    chosen: str = "TRUE",
    seen: str = "TRUE",
    zone: Sequence[Shift] = (),
    relations: kept.Relations | None = None,
    choices: Choices = (),
) -> str:
    """A report's statement as the store of this kind understands it; parameters stay `$name`.

    Parameters
    ----------
    chosen, seen
        What `chosen()` and `seen()` stand for, in the store's words.
    zone
        What `local()` adds; the times of its shifts are the parameters of `zone_parameters`.
    relations
        What the relations of `kept.RELATIONS` stand for, and `chosen()` on them.
    choices
        Values of the parameters that are choices.
    """
    plain = translated(sql, kind, len(zone) if any(shift.seconds for shift in zone) else 0, choices)
    meant = relations or kept.Relations({}, {}, {})

    def condition(found: re.Match[str]) -> str:
        on_it = meant.chosen.get(found[1], chosen)
        if found[2] and meant.in_hours is not None:
            on_it = meant.in_hours
        return on_it.replace(FROM_WHEN, "")

    for name, relation in meant.told.items():
        plain = plain.replace(f"{{{name}}}", relation)
    return _IS_CHOSEN.sub(condition, plain).replace(_SEEN, seen)


def zone_parameters(zone: Sequence[Shift]) -> dict[str, Any]:
    """The parameters of a statement that says `local()`."""
    if not any(shift.seconds for shift in zone):
        return {}
    named: dict[str, Any] = {f"zone_seconds_{place}": shift.seconds for place, shift in enumerate(zone)}
    return named | {f"zone_begins_{place}": shift.begins for place, shift in enumerate(zone) if place}


def _local(kind: str, words: list[exp.Expression], shifts: int) -> str:
    (at,) = (word.sql(_SQLGLOT[kind]) for word in words)
    if not shifts:
        return at
    seconds = "CAST($zone_seconds_0 AS integer)"
    if shifts > 1:
        turns = "".join(
            f" WHEN {at} >= CAST($zone_begins_{place} AS timestamp) THEN CAST($zone_seconds_{place} AS integer)"
            for place in range(shifts - 1, 0, -1)
        )
        seconds = f"CASE{turns} ELSE {seconds} END"
    return f"({at} + {seconds} * INTERVAL '1 second')"


@functools.lru_cache(maxsize=1024)
def translated(sql: str, kind: str, shifts: int = 0, choices: Choices = ()) -> str:
    """The statement with every word but the condition, without what choices leave out.

    `local()` knows so many shifts of the zone, 0 for UTC.
    """
    try:
        tree = sqlglot.parse_one(sql, read=_COMMON)
    except sqlglot.ParseError as error:
        raise WhodidError("internal", f"A report's statement cannot be read: {str(error)[:300]}") from error
    leave_out(tree, dict(choices))
    for word in tree.find_all(exp.Anonymous):
        if word.name.lower() in ("chosen", "chosen_in_hours"):
            word.append("expressions", exp.Literal.string(_read_as_e(word)))
    for table in tree.find_all(exp.Table):
        if table.name in kept.NOBODY and not _asks_for_people(table):
            table.set("this", exp.to_identifier(kept.NOBODY[table.name]))
    return tree.transform(functools.partial(_said, kind=kind, shifts=shifts)).sql(_SQLGLOT[kind])


def _read_as_e(word: exp.Expression) -> str:
    """The relation that is named `e` where a word is said."""
    select = word.find_ancestor(exp.Select)
    tables = select.find_all(exp.Table) if select is not None else ()
    return next((table.name for table in tables if table.alias == "e"), "events")


def _asks_for_people(table: exp.Table) -> bool:
    """Whether what reads a relation names one of its columns of people."""
    select = table.find_ancestor(exp.Select)
    if select is None:
        return True
    words = {word.name.lower() for word in select.find_all(exp.Anonymous)}
    return not kept.PEOPLE.isdisjoint({column.name for column in select.find_all(exp.Column)} | words)


def _said(node: exp.Expression, *, kind: str, shifts: int) -> exp.Expression:
    if isinstance(node, exp.Placeholder):
        return exp.Var(this=f"${node.name}")
    if isinstance(node, exp.Table) and node.name in _RELATIONS:
        schema, _, name = getattr(dialect_of(kind), node.name).rpartition(".")
        node.set("this", exp.to_identifier(name))
        node.set("db", exp.to_identifier(schema) if schema else None)
        return node
    if isinstance(node, exp.Table) and (node.name in kept.RELATIONS or node.name in kept.NOBODY.values()):
        node.set("this", exp.Var(this=f"{{{node.name}}}"))
        return node
    if kind == "postgresql" and isinstance(node, exp.Extract) and node.name.upper() == "EPOCH":
        # As a binary number: `extract` makes a decimal one, which takes longer.
        between = node.expression.transform(functools.partial(_said, kind=kind, shifts=shifts))
        return exp.Anonymous(this="date_part", expressions=[exp.Literal.string("epoch"), between])
    if isinstance(node, exp.Anonymous) and node.name.lower() in (*WORDS, "local"):
        count, say = WORDS.get(node.name.lower(), (1, functools.partial(_local, shifts=shifts)))
        words = [word.transform(functools.partial(_said, kind=kind, shifts=shifts)) for word in node.expressions]
        if count not in (ANY, len(words)):
            raise WhodidError("internal", f"{node.name}() takes {count} arguments.")
        return exp.Var(this=say(kind, words))
    return node
