"""Finding a report and running it on a store."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, Final

from whodid import catalogue as types
from whodid.errors import WhodidError
from whodid.reading.times import instant
from whodid.reports.report import Parameter, Report, parse
from whodid.reports.words import translated
from whodid.stores.base import Result, Store

ROWS_MAX: Final = 100_000
TIMEOUT_MS: Final = 60_000

# Parameters that are worked out from the others: their default in the header, and how.
DERIVED: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "@before": lambda given: given["since"] - (given["until"] - given["since"]),
    "@catalogue": lambda _: sorted(types.known_types()),
}


@functools.cache
def _reports() -> dict[str, Report]:
    folder = files(__package__) / "sql"
    found = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    names = [(file.removesuffix(".sql").replace("_", "-"), file) for file in found]
    return {name: parse(name, (folder / file).read_text("utf-8")) for name, file in names}


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
        raise WhodidError("not_found", f"There is no report {name[:100]!r}.", hint) from None


def run(store: Store, name: str, *, timeout_ms: int = TIMEOUT_MS, **parameters: Any) -> Result:
    """Run a report.

    Parameters
    ----------
    name
        One of `catalogue()`.
    timeout_ms
        It is stopped after this long.
    parameters
        Values of the report's parameters, as text or of their own types; None and what is missing take the default.
        Times are ISO 8601, or how long ago (`7d`).

    Raises
    ------
    WhodidError("not_found")
        There is no such report.
    WhodidError("invalid")
        It has no such parameter, or a value cannot be read.
    WhodidError("timeout")
        It took too long; choose a later `since`.
    """
    chosen = report(name)
    values = _values(chosen, parameters)
    return store.query(translated(chosen.sql, store.kind), values, limit=ROWS_MAX, timeout_ms=timeout_ms, trusted=True)


def _values(chosen: Report, given: dict[str, Any]) -> dict[str, Any]:
    asked = {parameter.name: parameter for parameter in chosen.parameters if not parameter.is_derived}
    unknown = [name for name in given if name not in asked]
    if unknown:
        raise WhodidError(
            "invalid", f"{chosen.name} has no parameter {unknown[0][:100]!r}.", f"It has: {', '.join(asked)}."
        )
    now = datetime.now(UTC)
    values = {name: _value(parameter, given.get(name), now) for name, parameter in asked.items()}
    for parameter in chosen.parameters:
        if parameter.is_derived:
            values[parameter.name] = DERIVED[parameter.default](values)
    return values


def _value(parameter: Parameter, given: Any, now: datetime) -> Any:
    value = parameter.default if given is None else given
    if parameter.type == "time":
        return instant(value, name=parameter.name, now=now)
    if parameter.type == "integer":
        return _integer(parameter, value)
    if parameter.type == "texts":
        return value.split(",") if isinstance(value, str) else list(value)
    return str(value)


def _integer(parameter: Parameter, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= ROWS_MAX:
        raise WhodidError(
            "invalid", f"{parameter.name} is {str(value)[:100]!r}, not a whole number from 1 to {ROWS_MAX:,}."
        )
    return number
