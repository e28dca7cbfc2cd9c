"""What a report reads instead of the events, where the store keeps it: the relations of `stores.base.KEPT`.

Relations by the hour give rows whose `time` is the beginning of an hour, those by the day rows whose `time` is the
beginning of a day of UTC. What a part of a report that asks for nobody reads of things is told without people where
the store keeps that: fewer rows. A day in which one of the report's times lies is read by the hour, and the hour in
which it lies from the events, so that every row lies on one side of each of them, and what comes out is what counting
the events would give. What other time zones than UTC cut to days is read by the hour. What the store does not keep,
and what a filter, the caller's sight or the time zone asks beyond the columns that are kept, is worked out of the
events by `sql/kept/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from whodid.reading.dialect import dialect_of
from whodid.reading.selection import FROM_WHEN
from whodid.reading.sight import Sight
from whodid.reports.common import Shift
from whodid.reports.edges import Edges, edges_of, hour_of
from whodid.reports.hours import between, spans_of
from whodid.stores.base import COLUMNS, KEPT, WORKED_OUT

RELATIONS: Final = tuple(KEPT)

_LENGTHS: Final = ("hour", "day")

_IN_FLOW: Final = (
    "has_flow_roles() OR (e.entity_type = 'dataset' AND e.type IN ("
    "'flow-object-build-success', 'flow-object-build-failed', 'dataset-read-data', 'dataset-read-data-sample')"
    " AND e.via LIKE '_%:_%' AND NOT has_roles())"
)
# Which events a relation by the hour or day is about; all when it is not named here.
_AMONG: Final = {
    "session_hours": "e.session IS NOT NULL",
    "session_days": "e.session IS NOT NULL",
    "run_hours": "is_run()",
    "run_lists": "is_run()",
    "flow_hours": _IN_FLOW,
    "flow_days": _IN_FLOW,
}
# What tells the same, the quickest first. Who asks for one thing is told by entities, who asks for none by the first
# things; so a report that reads entities does not say which things these are.
_TOLD_BY_HOUR: Final = {
    "user_hours": ("user_hours", "event_hours", "thing_hours", "entity_hours"),
    "event_hours": ("event_hours", "thing_hours", "entity_hours"),
    "thing_hours": ("thing_hours",),
    "entity_hours": ("thing_hours", "entity_hours"),
    "session_hours": ("session_hours",),
    "usage_hours": ("usage_hours",),
    "query_hours": ("query_hours", "entity_query_hours"),
}
# Where a part of a report asks for nobody, it reads one of these instead.
NOBODY: Final = {
    name: f"{name} of all"
    for name in ("event_hours", "thing_hours", "entity_hours", "event_days", "thing_days", "entity_days")
}
PEOPLE: Final = frozenset({"user", "acting_for", "person", "who"})
_TOLD_WITH_PEOPLE: Final = _TOLD_BY_HOUR | {
    name.replace("hours", "days"): (*(one.replace("hours", "days") for one in told), *told)
    for name, told in _TOLD_BY_HOUR.items()
}
_TOLD_BY: Final[dict[str, tuple[str, ...]]] = _TOLD_WITH_PEOPLE | {
    "total_hours": ("total_hours", "thing_hours"),
    "flow_days": ("flow_days", "flow_hours"),
    "run_lists": ("run_lists", "run_hours"),
    **{of_all: ("total_hours", *_TOLD_WITH_PEOPLE[name]) for name, of_all in NOBODY.items()},
}
# What a relation of runs one by one says as one of lists does.
_AS_LISTS: Final = "(SELECT *, duration_ms AS durations, duration_ms AS total_ms FROM {})"
OF_SESSIONS: Final = ("session_hours", "session_days")
_OF_ENTITIES: Final = ("entity_hours", "entity_days", "entity_query_hours")
# What is read of events that are chosen already.
_OF_CHOSEN: Final = ("answer_events", "outcome_events", "error_entities")
# What a statement may read, and the relation that it means.
_ASKED: Final = {name: name for name in RELATIONS} | {of_all: name for name, of_all in NOBODY.items()}
# What is made of some events with what is taken out of their JSON, not of the events themselves.
_MADE_OF: Final = {
    "usage_hours": "usage_events",
    "usage_days": "usage_events",
    "item_hours": "item_events",
    "version_hours": "query_events",
    "query_hours": "query_events",
    "entity_query_hours": "query_events",
    "pod_hours": "pod_events",
}
# Where some events are kept with what they touched besides, in fewer rows than that of all events.
_FURTHER: Final = {"error_events": "error_entities"}
_PODS: Final = "pod_hours"
# What a census found counts until the next one, for 15 minutes at most: so much more is looked at.
_OF_REPORT: Final = (
    "c.time >= $since AND c.time < CAST($until AS timestamp) + INTERVAL '15 minutes'",
    "e.time >= $since AND e.time < $until",
)
# What these count of each event.
_COUNTS: Final = {
    "events": "1 AS events",
    "failed": "CASE WHEN e.has_failed THEN 1 ELSE 0 END AS failed",
    "durations": "as_list(e.duration_ms) AS durations",
}
# Stores in which events wait to be counted: what a relation's counts are called without those that wait, the events
# that do, and what a relation makes of these. Both read apart make the statement a third of what a view of both would.
_COUNTED: Final = {"duckdb": "counted_{}", "clickhouse": "(SELECT * FROM kept_{} WHERE counting = ANY($countings))"}
_WAITING: Final = {"duckdb": ("SELECT {} FROM uncounted_events e", "SELECT * FROM told_{} e")}
# Stores with views of what relations make of all events, and which of these wait.
_TELLING: Final = {"clickhouse": 'NOT toYYYYMMDD(e."time") = ANY($counted_days)'}
# The last day there is instead of nothing: an engine that compares with NULL would read everything.
_FIRST: Final = "coalesce(min(e.\"time\"), CAST('9999-12-31' AS timestamp))"
_WORD: Final = re.compile(r"\w+")
_OF_EVENTS: Final = tuple(column.name for column in (*COLUMNS, *WORKED_OUT))
# The columns by which a filter, or a part of a sight, chooses.
_ASKED_BY: Final = {
    "users": {"user", "acting_for"},
    "groups": {"user", "acting_for"},
    "projects": {"project"},
    "topics": {"topic"},
    "types": {"type"},
    "levels": {"level"},
    "entities": {"id", "entity_type", "entity_id"},
}


class Chosen(NamedTuple):
    """What the common filters and the caller's sight mean.

    Attributes
    ----------
    filters
        Names of the common filters that are given.
    entity
        Type and id of the thing that `filters` ask for, when it is exactly one.
    where
        The condition that all of them are on events `e`.
    rest
        The same without the thing.
    """

    filters: Collection[str] = ()
    entity: tuple[str, str] | None = None
    where: str = "TRUE"
    rest: str = "TRUE"


class Relations(NamedTuple):
    """What each relation stands for in a store's words, what `chosen()` is on it, and the parameters of both.

    `in_hours` is what `chosen_in_hours()` is instead, where it looks in some hours alone.
    """

    told: Mapping[str, str]
    chosen: Mapping[str, str]
    params: dict[str, Any]
    in_hours: str | None = None


def relations(
    kind: str,
    say: Callable[[str], str],
    *,
    times: Iterable[datetime],
    chosen: Chosen = Chosen(),  # noqa: B008 (a constant)
    sight: Sight,
    zone: Sequence[Shift] = (),
    by: str = "day",
    asking: str = "",
    whole: bool = True,
    visited: Iterable[datetime] | None = None,
    hours: Iterable[datetime] | None = None,
) -> Relations:
    """What the relations stand for when a report is asked.

    Parameters
    ----------
    say
        Puts a statement in the store's words.
    times
        The moments (UTC, without zone) that the report compares times with.
    zone
        What the report's `local()` adds.
    by
        What a report that reads by the day is asked to cut times to; "hour" makes it read by the hour.
    asking
        The report's statement in the store's words: the relations that it reads are told; those by the hour and day
        have the columns that it and the conditions name, because an engine looks at every expression before it drops
        those that nobody asks for. All of them when it is empty.
    whole
        False to read the events alone.
    visited
        Those of `times` that sessions are compared with; all of them when it is None.
    hours
        Where the hours begin in which `chosen_in_hours()` looks; None for all of them.
    """
    named = set(_WORD.findall(f"{asking} {chosen.where} {chosen.rest}"))
    edges = edges_of(times)
    edges_of_sessions = edges if visited is None else edges.of(visited)
    turns = [shift.begins for shift in zone if shift.begins is not None]
    even = all(shift.seconds % 3600 == 0 for shift in zone) and all(turn == hour_of(turn) for turn in turns)
    in_days = by != "hour" and not any(shift.seconds for shift in zone)
    params: dict[str, Any] = {**edges.hours, **edges.days}
    if chosen.entity is not None:
        params |= {"kept_type": chosen.entity[0], "kept_id": chosen.entity[1]}
    store_keeps = dialect_of(kind).kept if whole else {}
    told: dict[str, str] = {}
    where: dict[str, str] = {}
    for name, relation in _asked(asking).items():
        by_time = KEPT[relation][0] in _LENGTHS
        able = [one for one in _TOLD_BY.get(name, (name,)) if one in store_keeps and _is_able(one, chosen, sight)]
        able = [one for one in able if in_days or KEPT[one][0] != "day"]
        columns_of = able[0] if able and "durations" not in KEPT[relation] else relation
        columns = tuple(one for one in KEPT[columns_of][1:] if one in named or not asking)
        where[name] = chosen.where
        if name in _MADE_OF and not (able and even):
            form = say(_form(name, events="uncounted", spans=_OF_REPORT))
            told[name] = f"({form.replace('uncounted', told[_MADE_OF[name]])})"
        elif not able or (by_time and not even):
            told[name] = f"({say(_form(relation, columns))})"
        elif not by_time:
            told[name] = store_keeps[name]
            if (further := store_keeps.get(_FURTHER.get(name, ""))) is not None:
                looked_at = dialect_of(kind).event_entities
                where[name] = where[name].replace(f"FROM {looked_at} x", f"FROM {further} x")
        elif name == _PODS:
            told[name] = _pods(columns, store_keeps, edges.hours, say)
        else:
            form = say(_form(able[0], columns, "uncounted"))
            within = edges_of_sessions if name in OF_SESSIONS else edges
            told[name] = _split(able[0], columns, kind, within, chosen, form)
            if able[0] in _OF_ENTITIES:
                where[name] = chosen.rest
    if hours is None:
        return Relations(told, where, params)
    spans = spans_of(hours)
    return Relations(told, where, params | spans, _in_spans(kind, chosen, list(spans)))


def _in_spans(kind: str, chosen: Chosen, names: Sequence[str]) -> str:
    """What is chosen of the spans that begin and end at the parameters of these names."""
    events, further = (between(f'{table}."time"', names) for table in "ex")
    return f"({events} AND {_by_ids(kind, chosen).replace(FROM_WHEN, f'AND {further}')})"


def _by_ids(kind: str, chosen: Chosen) -> str:
    """What touched a thing by its ids, where indices find these: else a time's events would be looked at one by one."""
    dialect = dialect_of(kind)
    if chosen.entity is None or not dialect.has_index:
        return chosen.where
    branches = (
        f'SELECT x."{id_}" FROM {relation} x WHERE x."{type_}" = CAST($kept_type AS varchar)'  # noqa: S608
        f' AND x."{name}" = CAST($kept_id AS varchar) {FROM_WHEN}'
        for relation, id_, type_, name in (
            (dialect.events, "id", "entity_type", "entity_id"),
            (dialect.event_entities, "event_id", "type", "id"),
        )
    )
    return f'({chosen.rest} AND e."id" IN ({" UNION ALL ".join(branches)}))'


def _asked(asking: str) -> Mapping[str, str]:
    """What a statement names, with what that is made of, and the relations that are meant; all when it is empty."""
    if not asking:
        return _ASKED
    # As `{name}` where it is read, and as `{chosen name}` in conditions.
    read = {name for name in _ASKED if f"{name}}}" in asking}
    read |= {_MADE_OF[name] for name in read & _MADE_OF.keys()}
    return {name: relation for name, relation in _ASKED.items() if name in read}


def _split(name: str, columns: Sequence[str], kind: str, edges: Edges, chosen: Chosen, form: str) -> str:
    """The store's counts by the day but those of some days, of these by the hour but some, and the events of these."""
    store_keeps = dialect_of(kind).kept
    counted = _COUNTED.get(kind, "")
    waiting, waiting_of = _WAITING.get(kind, ("", ""))
    events, read = dialect_of(kind).events, _read(columns, form, chosen.where)
    if name in _MADE_OF:
        events, read, waiting = store_keeps[_MADE_OF[name]], "*", waiting_of.format(_MADE_OF[name])
    hours, days = ([f"CAST(${edge} AS timestamp)" for edge in begins] for begins in edges)
    asked, touched = [], []
    if name in _OF_ENTITIES:
        asked = ['"entity_type" = CAST($kept_type AS varchar)', '"entity_id" = CAST($kept_id AS varchar)']
        touched = [chosen.where.replace(FROM_WHEN, _from_earliest(kind, hours))]
    parts = []
    if KEPT[name][0] == "day":
        whole_days = [f'"day" NOT IN ({", ".join(days)})'] if days else []
        parts.append(_part("day", columns, counted.format(name) or store_keeps[name], whole_days + asked))
        name = name.replace("days", "hours")
        asked = [_within('"hour"', days, "1 day"), *asked] if days else []
    if days or not parts:
        whole_hours = [f'"hour" NOT IN ({", ".join(hours)})'] if hours else []
        of_hours = counted.format(name) or store_keeps[name]
        if "durations" in columns and name == "run_hours":
            of_hours = _AS_LISTS.format(of_hours)
        parts.append(_part("hour", columns, of_hours, whole_hours + asked))
    if kind in _TELLING:
        within = [_within('e."time"', hours, "1 hour")] if hours else []
        told = "told_events" if name in _OF_ENTITIES else f"told_{name}"
        parts.append(_part("time", columns, f"{told} e", [f"({' OR '.join([_TELLING[kind], *within])})", *touched]))
    else:
        # What touched the thing is chosen first: there is less to work out then.
        uncounted = _uncounted(f"SELECT {read} FROM {events} e", waiting.format(read), hours, touched)  # noqa: S608
        if uncounted:
            parts.append(_part("time", columns, f"(WITH uncounted AS ({uncounted}) {form}) e", []))
    return f"({' UNION ALL '.join(parts)})"


def _pods(
    columns: Sequence[str], store_keeps: Mapping[str, str], edges: Collection[str], say: Callable[[str], str]
) -> str:
    """The store's counts by the hour but those of some hours, and what the censuses of these found."""
    begins = [f"CAST(${edge} AS timestamp)" for edge in edges]
    whole_hours = [f'"hour" NOT IN ({", ".join(begins)})'] if begins else []
    parts = [_part("hour", columns, store_keeps[_PODS], whole_hours)]
    if begins:
        spans = (_within("c.time", begins, "75 minutes"), _within("e.time", begins, "1 hour"))
        form = say(_form(_PODS, events="uncounted", spans=spans)).replace("uncounted", store_keeps[_MADE_OF[_PODS]])
        parts.append(_part("time", columns, f"({form}) e", []))
    return f"({' UNION ALL '.join(parts)})"


def _read(columns: Sequence[str], *texts: str) -> str:
    """The columns of events that are among these or that statements name: an engine looks at each that is read."""
    named = {"time", *columns, *_WORD.findall(" ".join(texts))}
    return ", ".join(f'"{column}"' for column in _OF_EVENTS if column in named)


def _uncounted(events: str, waiting: str, hours: Sequence[str], where: Sequence[str]) -> str:
    """The events of some hours, and those of others that wait to be counted; empty when there can be none."""
    within = _within('e."time"', hours, "1 hour") if hours else ""
    if within and waiting:
        both = f"{events} WHERE {within} UNION ALL {waiting} WHERE NOT {within}"
        return f"SELECT * FROM ({both}) e WHERE {' AND '.join(where) or 'TRUE'}"  # noqa: S608 (values are parameters)
    of_hours, all_of = (events, [within, *where]) if within else (waiting, where)
    return of_hours and f"{of_hours} WHERE {' AND '.join(all_of) or 'TRUE'}"


def _from_earliest(kind: str, hours: Sequence[str]) -> str:
    """From when on things were touched by the events that are not read as counts; empty where that is not known."""
    waiting, _ = _WAITING.get(kind, ("", ""))
    begins = [*hours, *([f"({waiting.format(_FIRST)})"] if waiting else [])]
    if kind in _TELLING or not begins:
        return ""
    earliest = begins[0] if len(begins) == 1 else f"least({', '.join(begins)})"
    return f'AND x."time" >= {earliest}'


def _part(time: str, columns: Sequence[str], relation: str, where: Sequence[str]) -> str:
    told = ", ".join([f'"{time}" AS "time"', *(f'"{column}"' for column in columns)])
    return f"SELECT {told} FROM {relation} WHERE {' AND '.join(where) or 'TRUE'}"  # noqa: S608


def _within(time: str, begins: Sequence[str], length: str) -> str:
    """That a time lies in one of the spans of this length that begin so."""
    each = (f"({time} >= {at} AND {time} < {at} + INTERVAL '{length}')" for at in begins)
    return f"({' OR '.join(each)})"


def _is_able(name: str, chosen: Chosen, sight: Sight) -> bool:
    """Whether the kept columns tell what is asked for."""
    if name in _OF_CHOSEN:
        return True
    filters = set(chosen.filters)
    if name in _OF_ENTITIES:
        if chosen.entity is None:
            return False
        filters.discard("entities")
    if sight.is_limited:
        filters |= {part for part in ("users", "projects", "entities") if getattr(sight, part)}
    return all(_ASKED_BY[one] <= set(KEPT[name]) for one in filters)


@cache
def _form(
    name: str, columns: Sequence[str] = (), events: str = "events", spans: tuple[str, str] = ("TRUE", "TRUE")
) -> str:
    """What a relation makes of the events, in the words of reports; by the hour and day these columns of it, or all.

    spans  of pods: the condition on censuses `c` that are looked at, and that on `e`, which count.
    """
    if name == _PODS:
        made_of = f"({_form(_MADE_OF[name])})" if events == "events" else events
        looked_at, counted = spans
        return _text(name).format(looked_at=looked_at, counted=counted).replace(_MADE_OF[name], made_of)
    if name in _MADE_OF:
        made_of = f"({_form(_MADE_OF[name])})" if events == "events" else events
        counts = "".join(f"{count}, " for column, count in _COUNTS.items() if column in KEPT[name])
        return f"SELECT e.*, {counts}e.time AS first, e.time AS last FROM {made_of} e"  # noqa: S608 (names of our own)
    by_time = KEPT[name][0] in _LENGTHS
    text = _text("told" if by_time else name).replace("FROM events e", f"FROM {events} e")
    if not by_time:
        return text
    import sqlglot

    select = sqlglot.parse_one(text, read="duckdb")
    wanted = columns or KEPT[name]
    select.set("expressions", [one for one in select.expressions if one.is_star or one.alias in wanted])
    return f"{select.sql('duckdb')} WHERE {_AMONG.get(name, 'TRUE')}"


def _text(name: str) -> str:
    return (files(__package__) / "sql" / "kept" / f"{name}.sql").read_text("utf-8")
