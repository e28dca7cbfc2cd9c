"""What a report reads instead of the events, where the store keeps it: the relations of `stores.base.KEPT`.

Relations by the hour give rows whose `time` is the beginning of an hour. An hour in which one of the report's times
lies is read from the events, so that every row lies on one side of each of them, and what comes out is what counting
the events would give. What the store does not keep, and what a filter, the caller's sight or the time zone asks beyond
the columns that are kept, is worked out of the events by `sql/kept/`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from whodid.reading.dialect import dialect_of
from whodid.reading.sight import Sight
from whodid.reports.common import Shift
from whodid.stores.base import KEPT

RELATIONS: Final = tuple(KEPT)

# Which events a relation by the hour is about; all when it is not named here.
_AMONG: Final = {
    "session_hours": "e.session IS NOT NULL",
    "flow_hours": (
        "has_roles() OR (e.via LIKE '_%:_%' AND e.entity_type = 'dataset' AND e.type IN ('flow-object-build-success', "
        "'flow-object-build-failed', 'dataset-read-data', 'dataset-read-data-sample'))"
    ),
}
# What tells the same, the quickest first. Who asks for one thing is told by `entity_hours`, who asks for none by the
# first things; so a report that reads `entity_hours` does not say which things these are.
_TOLD_BY: Final = {
    "user_hours": ("user_hours", "event_hours", "thing_hours", "entity_hours"),
    "event_hours": ("event_hours", "thing_hours", "entity_hours"),
    "entity_hours": ("thing_hours", "entity_hours"),
}
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
    """What each relation stands for in a store's words, what `chosen()` is on it, and the parameters of both."""

    told: Mapping[str, str]
    chosen: Mapping[str, str]
    params: dict[str, Any]


def relations(
    kind: str,
    say: Callable[[str], str],
    *,
    times: Iterable[datetime],
    chosen: Chosen = Chosen(),  # noqa: B008 (a constant)
    sight: Sight,
    zone: Sequence[Shift] = (),
    whole: bool = True,
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
    whole
        False to read the events alone.
    """
    edges = sorted({_hour_of(at) for at in times if at != _hour_of(at)})
    turns = [shift.begins for shift in zone if shift.begins is not None]
    even = all(shift.seconds % 3600 == 0 for shift in zone) and all(turn == _hour_of(turn) for turn in turns)
    params: dict[str, Any] = {f"edge_{place}": edge for place, edge in enumerate(edges)}
    if chosen.entity is not None:
        params |= {"kept_type": chosen.entity[0], "kept_id": chosen.entity[1]}
    store_keeps = dialect_of(kind).kept if whole else {}
    told, where = {}, {}
    for name in RELATIONS:
        by_hour = KEPT[name][0] == "hour"
        able = [one for one in _TOLD_BY.get(name, (name,)) if one in store_keeps and _is_able(one, chosen, sight)]
        where[name] = chosen.where
        if not able or (by_hour and not even):
            told[name] = f"({say(_form(name))})"
        elif not by_hour:
            told[name] = store_keeps[name]
        else:
            told[name] = _split(able[0], store_keeps[able[0]], len(edges), chosen, say(_form(name)))
            if able[0] == "entity_hours":
                where[name] = chosen.rest
    return Relations(told, where, params)


def _split(name: str, relation: str, edges: int, chosen: Chosen, form: str) -> str:
    """The store's own counts but those of some hours, and the events of these."""
    columns = ", ".join(f'"{column}"' for column in KEPT[name][1:])
    hours = [f"CAST($edge_{place} AS timestamp)" for place in range(edges)]
    among = [f'"hour" NOT IN ({", ".join(hours)})'] if hours else []
    if name == "entity_hours":
        among += ['"entity_type" = CAST($kept_type AS varchar)', '"entity_id" = CAST($kept_id AS varchar)']
    own = f'SELECT "hour" AS "time", {columns} FROM {relation} WHERE {" AND ".join(among) or "TRUE"}'  # noqa: S608
    if not hours:
        return f"({own})"
    within = " OR ".join(f'(e."time" >= {hour} AND e."time" < {hour} + INTERVAL \'1 hour\')' for hour in hours)
    touched = chosen.where if name == "entity_hours" else "TRUE"
    return f'({own} UNION ALL SELECT "time", {columns} FROM ({form}) e WHERE ({within}) AND {touched})'  # noqa: S608


def _is_able(name: str, chosen: Chosen, sight: Sight) -> bool:
    """Whether the kept columns tell what is asked for."""
    filters = set(chosen.filters)
    if name == "entity_hours":
        if chosen.entity is None:
            return False
        filters.discard("entities")
    if sight.is_limited:
        filters |= {part for part in ("users", "projects", "entities") if getattr(sight, part)}
    return all(_ASKED_BY[one] <= set(KEPT[name]) for one in filters)


@cache
def _form(name: str) -> str:
    """What a relation makes of the events, in the words of reports."""
    by_hour = KEPT[name][0] == "hour"
    text = (files(__package__) / "sql" / "kept" / f"{'told' if by_hour else name}.sql").read_text("utf-8")
    return f"{text} WHERE {_AMONG[name]}" if name in _AMONG else text


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
