"""What a choice finds among the events: a page of them, their shape over time, their facets."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
import pyarrow as pa

from whodid import reports
from whodid.event import TIME_MAX, TIME_MIN
from whodid.reading import read
from whodid.reading.cells import python_rows
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import LISTS, EventFilter, make_filter, sides
from whodid.reading.selection import conditions, finding
from whodid.reading.sight import EVERYTHING as EVERYTHING
from whodid.reading.sight import Sight
from whodid.reading.sight import condition as seen_by
from whodid.reports.common import shifts
from whodid.web.pages.choice import COMMON, FIELDS, Choice
from whodid.web.pages.spans import MOVING, end_of_day
from whodid.web.services import Services

FACET_VALUES: Final = 6
# Steps of the shape: the longest range that each suits.
_STEPS: Final = (("minute", timedelta(hours=3)), ("hour", timedelta(days=4)), ("day", timedelta(days=400)))
# Conditions of which the report of events takes one value.
_ONE_OF_REPORT: Final = ("function", "node")
_EXPORTS: Final = (("CSV", "csv"), ("Parquet", "parquet"), ("JSON", "ndjson"))


class Shape(NamedTuple):
    """Counts over time, in steps of a `step` (minute, hour, day, month)."""

    step: str
    rows: list[dict[str, Any]]


def wanted_by(choice: Choice, **more: Any) -> EventFilter:
    """The filter that a choice means."""
    span = choice.span()
    given: dict[str, Any] = {name: list(choice.of(name)) for name in LISTS if choice.of(name)}
    if choice.of("text"):
        given["text"] = choice.of("text")[0]
    if choice.range in MOVING and not choice.since and not choice.until:
        given["since"] = choice.range
    elif choice.range != "all" or choice.since:
        given["since"] = span.since
    if choice.until or choice.range in ("yesterday", "last-month"):
        given["until"] = span.until
    elif choice.range != "all" and span.since < (end := end_of_day(choice.zone)):
        # Events of clocks far ahead would be the first for ever. The end of the day stays the same from page to page.
        given["until"] = end
    return make_filter(**{**given, **more})


def exports(choice: Choice) -> list[tuple[str, str]]:
    """Names of formats, and the addresses at which the events of a choice are had in them."""
    wanted = wanted_by(choice)
    pairs = [(name, value) for name, values in choice.values for value in values]
    given = msgspec.structs.asdict(wanted)
    times = [(name, given[name]) for name in ("since", "until") if given[name] is not None]
    pairs += [(name, at if isinstance(at, str) else f"{at.isoformat()}Z") for name, at in times]
    pairs.append(("limit", "1000000"))
    return [(label, f"/v1/events?{urlencode([*pairs, ('format', form)])}") for label, form in _EXPORTS]


def page(
    services: Services, wanted: EventFilter, sight: Sight, timeout_ms: int
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of events, and the cursor that leads on."""
    found = read.events(services.store, services.directory, wanted, sight=sight, timeout_ms=timeout_ms)
    return python_rows(found.table), found.next_cursor


def step_of(services: Services, choice: Choice) -> str:
    """In what steps events are counted over time, so that there are at most about 400: minute, hour, day or month."""
    span = choice.span()
    since = span.since
    if choice.range == "all" and not choice.since:
        oldest = services.store.stats().oldest
        since = span.until if oldest is None else oldest.replace(tzinfo=None)
    return next((name for name, longest in _STEPS if span.until - since <= longest), "month")


def shape(services: Services, choice: Choice, sight: Sight, timeout_ms: int) -> Shape:
    """How many events over time."""
    step = step_of(services, choice)
    table = _ask(services, "shape", choice, sight, timeout_ms, step=step)
    return Shape(step, [{**row, "at": datetime.fromisoformat(row["at"])} for row in python_rows(table)])


def count(services: Services, choice: Choice, sight: Sight, timeout_ms: int) -> int:
    """How many events a choice finds: by a report where it takes all conditions, because its answer is kept."""
    given = _conditions_of_report(choice)
    if given is None:
        return int(_ask(services, "count", choice, sight, timeout_ms).column("events")[0].as_py())
    wanted = wanted_by(choice)
    told = reports.run(
        services.together,
        "events",
        directory=services.directory,
        sight=sight,
        timeout_ms=timeout_ms,
        since=wanted.since or TIME_MIN,
        until=wanted.until or TIME_MAX - timedelta.resolution,
        **given,
    )
    return int(told.table.column("events")[0].as_py())


def _conditions_of_report(choice: Choice) -> dict[str, Any] | None:
    """What the report `events` is asked for a choice; None where it does not take one of the conditions."""
    given: dict[str, Any] = {field.parameter: list(choice.of(field.name)) for field in COMMON if choice.of(field.name)}
    for field in FIELDS:
        if field.parameter or not choice.of(field.name):
            continue
        wanted, unwanted = sides(choice.of(field.name))
        if field.name not in _ONE_OF_REPORT or unwanted or len(wanted) != 1:
            return None
        given[field.name] = wanted[0]
    return given


def facets(services: Services, choice: Choice, sight: Sight, timeout_ms: int) -> dict[str, list[dict[str, Any]]]:
    """The most frequent values of each facet: rows of value, events and `of`, how many values there are."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in python_rows(_ask(services, "facets", choice, sight, timeout_ms, top=FACET_VALUES)):
        found.setdefault(row["facet"], []).append(row)
    return found


def _ask(services: Services, name: str, choice: Choice, sight: Sight, timeout_ms: int, **params: Any) -> pa.Table:
    from whodid.reports.words import statement, zone_parameters

    store, span = services.store, choice.span()
    dialect = dialect_of(store.kind)
    where, chosen = conditions(wanted_by(choice), dialect, services.directory, find=finding(store))
    seen, seeing = seen_by(sight, dialect)
    text = _sql(name)
    zone = shifts(choice.zone, span.since, span.until) if "local(" in text else ()
    sql = statement(text, store.kind, f"({where}) AND ({seen})", zone=zone)
    values = {**params, **chosen, **seeing, **zone_parameters(zone)}
    return store.query(sql, values, limit=100_000, timeout_ms=timeout_ms, trusted=True).table


@cache
def _sql(name: str) -> str:
    return (files("whodid.web.pages") / "sql" / f"{name}.sql").read_text("utf-8")
