"""Finding a report and running it on a store."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from whodid.errors import WhodidError
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import sides, split_entity
from whodid.reading.read import JSON_MARK
from whodid.reading.selection import Groups, finding
from whodid.reading.sight import EVERYTHING, Sight
from whodid.reading.sight import condition as seen_by
from whodid.reports import kept
from whodid.reports.common import FIELDS, FILTERS, ZONE, Shift, condition, shifts
from whodid.reports.report import Report, parse
from whodid.reports.values import values_of
from whodid.stores.base import Asked

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_MAX: Final = 100_000
# What a step reads is not what it gives.
STEP_ROWS_MAX: Final = 1_000_000
TIMEOUT_MS: Final = 60_000
# Of fractions in an answer.
DIGITS: Final = 12
_SAID: Final = re.compile(r"\$(\w+)")


class Prepared(NamedTuple):
    """A report's statement in a store's words, its parameters, and the values it was asked with (times UTC)."""

    report: Report
    sql: str
    params: dict[str, Any]
    values: dict[str, Any]


class Reported(NamedTuple):
    """A report's rows.

    `total` is how many there are without the limit, None for a report without one; `truncated` when there are more
    than `table` has. `values` are the parameters as they were understood: times in UTC without zone, lists, numbers.
    """

    table: pa.Table
    truncated: bool
    total: int | None
    values: dict[str, Any]


class _Meant(NamedTuple):
    """What a report was asked with: its values, what the filters and the sight among them mean, and the parameters of
    all that in a statement."""

    values: dict[str, Any]
    chosen: kept.Chosen
    seen: str
    params: dict[str, Any]


@functools.cache
def _reports() -> dict[str, Report]:
    folder = files(__package__) / "sql"
    found = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    names = [(file.removesuffix(".sql").replace("_", "-"), file) for file in found]
    return {name: _completed(_whole(parse(name, (folder / file).read_text("utf-8")))) for name, file in names}


def _whole(found: Report) -> Report:
    """The report with the common tables that stand before its statement."""
    if not found.parts:
        return found
    texts = [_part(part) for part in found.parts]
    return msgspec.structs.replace(found, sql="WITH RECURSIVE " + ",\n".join(texts) + "\n" + found.sql)


def _part(name: str) -> str:
    return (files(__package__) / "sql" / "parts" / f"{name}.sql").read_text("utf-8").strip()


def _completed(found: Report) -> Report:
    """The report with the common parameters that its statement takes."""
    own = {parameter.name for parameter in found.parameters}
    more = [ZONE] if found.takes_zone else []
    more += FILTERS if found.takes_filters else []
    parameters = [*found.parameters, *(parameter for parameter in more if parameter.name not in own)]
    return msgspec.structs.replace(found, parameters=parameters)


def catalogue() -> list[Report]:
    """All reports, by name."""
    return list(_reports().values())


def report(name: str) -> Report:
    """The report of this name.

    Raises
    ------
    WhodidError("not_found")
        There is none; the hint names the nearest.
    """
    try:
        return _reports()[name]
    except KeyError:
        close = get_close_matches(name, _reports(), n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(_reports())}."
        raise WhodidError("not_found", f"There is no report {name[:100]!r}.", hint, field="report") from None


def run(
    store: Asked,
    name: str,
    *,
    directory: Groups | None = None,
    sight: Sight = EVERYTHING,
    timeout_ms: int = TIMEOUT_MS,
    **parameters: Any,
) -> Reported:
    """Run a report.

    Parameters
    ----------
    name
        One of `catalogue()`.
    directory
        Who is in which group; needed for the parameter `groups`.
    sight
        What the caller may see: the report is made of that alone.
    timeout_ms
        It is stopped after this long, whatever it needs first included.
    parameters
        Values of the report's parameters, as text or of their own types; None and what is missing take the default.
        Times are ISO 8601, or how long ago (`7d`). A list, or a text for a list of one.

    Raises
    ------
    WhodidError("not_found")
        There is no such report, or no such group.
    WhodidError("invalid")
        It has no such parameter, or a value cannot be read.
    WhodidError("forbidden")
        It tells of more than a limited sight may see.
    WhodidError("timeout")
        It took too long; choose a later `since`.
    """
    chosen = report(name)
    meant = _meant(store, chosen, directory, sight, parameters)
    hours = counted = None
    if chosen.needs is not None:
        began_s = time.monotonic()
        needed = _prepared(store, _of_part(chosen, chosen.needs), meant, sight)
        first = store.query(needed.sql, needed.params, limit=ROWS_MAX, timeout_ms=timeout_ms, trusted=True).table
        if not first.num_rows:
            return Reported(_with_columns(chosen, None), False, 0, meant.values)
        (first, counted), hours = _counted(first), _hours(first)
        timeout_ms = max(1, timeout_ms - int(1e3 * (time.monotonic() - began_s)))
    asked = _prepared(store, chosen, meant, sight, hours)
    step = _step(asked.report)
    rows_max = ROWS_MAX if step is None else STEP_ROWS_MAX
    found = store.query(asked.sql, asked.params, limit=rows_max, timeout_ms=timeout_ms, trusted=True)
    table, total = _counted(found.table)
    total = counted if total is None else total
    if step is not None:
        table, total = _counted(step(found.table, asked.values, directory))
        table = _with_columns(asked.report, table)
    table = _marked(_without_noise(table), asked.report)
    return Reported(table, found.truncated or (total or 0) > table.num_rows, total, asked.values)


def _step(chosen: Report) -> Callable[..., pa.Table] | None:
    """What the SELECT's table is handed to. Raises WhodidError("invalid") when a package for it is missing."""
    if chosen.step is None:
        return None
    module, _, function = chosen.step.partition(":")
    try:
        found: Callable[..., pa.Table] = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("whodid"):
            raise
        raise WhodidError(
            "invalid",
            f"Report {chosen.name} needs {error.name!r}, which is not installed.",
            "Install it with: pip install 'whodid[analysis]'",
        ) from error
    return found


def prepare(
    store: Asked, name: str, *, directory: Groups | None = None, sight: Sight = EVERYTHING, **parameters: Any
) -> Prepared:
    """The statement that `run` would run; its parameters and errors are those of `run`."""
    chosen = report(name)
    return _prepared(store, chosen, _meant(store, chosen, directory, sight, parameters), sight)


def _of_part(chosen: Report, part: str) -> Report:
    """A report of nothing but one of its common tables."""
    return msgspec.structs.replace(chosen, sql=f"WITH {_part(part)}\nSELECT * FROM {part}")


def _meant(store: Asked, chosen: Report, directory: Groups | None, sight: Sight, parameters: dict[str, Any]) -> _Meant:
    if sight.is_limited and not chosen.keeps_to_sight:
        raise WhodidError("forbidden", f"Report {chosen.name} needs the sight of everything.", "Ask an administrator.")
    values = values_of(chosen, parameters, directory)
    params = {name: value for name, value in values.items() if name not in FIELDS and name != ZONE.name}
    seen, more = seen_by(sight, dialect_of(store.kind))
    chosen_by = kept.Chosen(where=seen, rest=seen)
    if chosen.takes_filters:
        chosen_by, named = _chosen(store, values, directory, sight, seen)
        more |= named
    return _Meant(values, chosen_by, seen, params | more)


def _prepared(
    store: Asked, chosen: Report, meant: _Meant, sight: Sight, hours: Sequence[datetime] | None = None
) -> Prepared:
    """`hours` are those in which `chosen_in_hours()` looks, where that is known."""
    # What takes statements apart is a quarter of what every command loads; few of them ask for a report.
    from whodid.reports.compared import compared
    from whodid.reports.words import statement, translated, zone_parameters

    values, chosen_by, seen = meant.values, meant.chosen, meant.seen
    params, zone = dict(meant.params), tuple[Shift, ...]()
    if chosen.takes_zone:
        zone = shifts(values[ZONE.name], values.get("before", values["since"]), values["until"])
        params |= zone_parameters(zone)
    choices = tuple((one.name, values[one.name]) for one in chosen.parameters if one.type == "choice")
    asking = translated(chosen.sql, store.kind, choices=choices)
    named = set(_SAID.findall(asking))
    times = [values[one.name] for one in chosen.parameters if one.type == "time" and one.name in named]
    visited = compared(chosen.sql, kept.OF_SESSIONS)
    relations = kept.relations(
        store.kind,
        functools.partial(translated, kind=store.kind),
        times=times,
        chosen=chosen_by,
        sight=sight,
        zone=zone,
        by=values.get("by", "day"),
        asking=f"{asking} {seen}",
        visited=None if visited is None else [values[name] for name in visited],
        hours=hours,
    )
    params |= relations.params
    sql = statement(chosen.sql, store.kind, chosen_by.where, seen, zone, relations, choices)
    said = set(_SAID.findall(sql))
    return Prepared(chosen, sql, {name: value for name, value in params.items() if name in said}, values)


def _chosen(
    store: Asked, values: Mapping[str, Any], directory: Groups | None, sight: Sight, seen: str
) -> tuple[kept.Chosen, dict[str, Any]]:
    """What the filters among a report's values mean together with a sight, and the parameters of that."""
    given = {name: values[name] for name in FIELDS if values.get(name)}
    where, params = condition(given, store.kind, directory, find=finding(store))
    others = {name: wanted for name, wanted in given.items() if name != "entities"}
    rest, more = condition(others, store.kind, directory) if others != given else (where, {})
    rest, more = _SAID.sub(r"$rest_\1", rest) if more else rest, {f"rest_{name}": value for name, value in more.items()}
    if sight.is_limited:
        where, rest = f"{where} AND {seen}", f"{rest} AND {seen}"
    return kept.Chosen(list(given), _one_entity(given.get("entities", [])), where, rest), params | more


def _one_entity(wanted: Sequence[Any]) -> tuple[str, str] | None:
    """The thing that is asked for, if it is exactly one."""
    both = sides(wanted)
    if len(both.wanted) != 1 or both.unwanted:
        return None
    return split_entity(both.wanted[0])


def _marked(table: pa.Table, chosen: Report) -> pa.Table:
    """The rows with columns of JSON marked as such, so that they are written as the JSON they are."""
    for column in chosen.columns:
        if column.type == "json" and column.name in table.schema.names:
            place = table.schema.names.index(column.name)
            field = table.schema.field(place).with_metadata(JSON_MARK)
            table = table.set_column(place, field, table.column(place))
    return table


def _without_noise(table: pa.Table) -> pa.Table:
    """The rows with fractions of `DIGITS` digits: those behind depend on the order in which an engine adds."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            values = (
                None if value is None else float(f"{value:.{DIGITS}g}") for value in table.column(place).to_pylist()
            )
            table = table.set_column(place, field, pa.array(values, field.type))
    return table


def _counted(table: pa.Table) -> tuple[pa.Table, int | None]:
    """The rows without their column `of`, and what it says."""
    if "of" not in table.schema.names:
        return table, None
    total = table.column("of")[0].as_py() if table.num_rows else 0
    return table.drop_columns(["of"]), int(total)


def _hours(first: pa.Table) -> list[datetime] | None:
    """The hours that a needed table tells of, which may lie in UTC with a zone; None where it tells of none."""
    if "hour" not in first.schema.names:
        return None
    return [hour.replace(tzinfo=None) for hour in first.column("hour").to_pylist()]


def _with_columns(chosen: Report, table: pa.Table | None) -> pa.Table:
    """A step's table with the columns of the header, also when it has no rows to tell their types by; None for none."""
    import pyarrow as pa

    table = pa.table({}) if table is None else table
    types = {
        "integer": pa.int64(), "number": pa.float64(), "time": pa.timestamp("us"), "date": pa.date32(),
    }  # fmt: skip
    columns = {}
    for column in chosen.columns:
        wanted = types.get(column.type, pa.string())
        known = column.name in table.schema.names
        columns[column.name] = table.column(column.name).cast(wanted) if known else pa.nulls(table.num_rows, wanted)
    return pa.table(columns)
