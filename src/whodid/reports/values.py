"""What a report is asked with: what was given, read by its parameters, and what is worked out from that."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from whodid import catalogue as types
from whodid.errors import WhodidError
from whodid.event import TIME_MIN
from whodid.reading.selection import Groups
from whodid.reading.times import instant
from whodid.reports.kinds import KINDS, types_of
from whodid.reports.membership import memberships
from whodid.reports.report import Parameter, Report

INTEGER_MAX: Final = 100_000


def _types(kind: str, _given: dict[str, Any], _directory: Groups | None) -> list[str]:
    return types_of(kind)


def _earlier(name: str, **span: float) -> Callable[[dict[str, Any], Groups | None], Any]:
    return lambda given, _: _before(given[name], timedelta(**span))


def _before(at: datetime, span: timedelta) -> datetime:
    try:
        return max(at - span, TIME_MIN.replace(tzinfo=None))
    except OverflowError:
        return TIME_MIN.replace(tzinfo=None)


# Parameters that are worked out from the others and from who is in which group: their default in the header, and how.
DERIVED: Final[dict[str, Callable[[dict[str, Any], Groups | None], Any]]] = {
    "@since": lambda given, _: given["since"],
    "@ever": lambda _given, _: TIME_MIN.replace(tzinfo=None),
    "@before": lambda given, _: given["since"] - (given["until"] - given["since"]),
    **{f"@{days}d": _earlier("until", days=days) for days in (1, 2, 7, 14, 30, 60)},
    "@cohort": _earlier("cohort", weeks=1),
    "@own_past": lambda given, _: _before(given["since"], timedelta(weeks=given["weeks"])),
    "@weeks": lambda given, _: (given["until"] - given["since"]) / timedelta(weeks=1),
    "@lookback": lambda given, _: given["since"] - timedelta(days=30),
    "@errors_scope": lambda given, _: "some" if given["hashes"] or given["shapes"] else "all",
    "@catalogue": lambda _given, _: sorted(types.known_types()),
    "@member_groups": lambda _, directory: [group for group, _ in memberships(directory)],
    "@member_logins": lambda _, directory: [login for _, login in memberships(directory)],
    **{f"@{kind}": functools.partial(_types, kind) for kind in KINDS},
}

# Times that are said in words besides `since` and `until`.
NAMED_TIMES: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "before": lambda given: given["since"] - (given["until"] - given["since"]),
    "since": lambda given: given["since"],
}


def values_of(chosen: Report, given: dict[str, Any], directory: Groups | None) -> dict[str, Any]:
    """The values of a report's parameters, from what was given for some of them.

    Raises
    ------
    WhodidError("invalid")
        It has no such parameter, a value cannot be read, or the time begins after its end.
    """
    asked = {parameter.name: parameter for parameter in chosen.parameters if not parameter.is_derived}
    unknown = [name for name in given if name not in asked]
    if unknown:
        raise WhodidError(
            "invalid", f"{chosen.name} has no parameter {unknown[0][:100]!r}.", f"It has: {', '.join(asked)}."
        )
    now = datetime.now(UTC)
    said = {name: parameter.default if given.get(name) is None else given[name] for name, parameter in asked.items()}
    named = {name for name, parameter in asked.items() if parameter.type == "time" and str(said[name]) in NAMED_TIMES}
    until = instant(said["until"], name="until", now=now)
    # Who says only until when means the usual time before that.
    spans_before = {"since": until.replace(tzinfo=UTC)} if given.get("since") is None else {}
    values = {
        name: _value(parameter, said[name], spans_before.get(name, now))
        for name, parameter in asked.items()
        if name not in named
    }
    values |= {name: NAMED_TIMES[str(said[name])](values) for name in named}
    if values["since"] > values["until"]:
        told = f"since ({values['since']}) lies after until ({values['until']})."
        raise WhodidError("invalid", told, "Turn them round.", field="since")
    for parameter in chosen.parameters:
        if parameter.is_derived:
            values[parameter.name] = DERIVED[parameter.default](values, directory)
    return values


def _value(parameter: Parameter, value: Any, now: datetime) -> Any:
    if parameter.type == "time":
        return instant(value, name=parameter.name, now=now)
    if parameter.type == "integer":
        return _integer(parameter, value)
    if parameter.type == "texts":
        return [value] if isinstance(value, str) and value else list(value)
    if parameter.type == "choice" and str(value) not in parameter.choices:
        raise WhodidError(
            "invalid", f"{parameter.name} is {str(value)[:100]!r}.", f"It is one of: {', '.join(parameter.choices)}."
        )
    return str(value)


def _integer(parameter: Parameter, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= INTEGER_MAX:
        raise WhodidError(
            "invalid", f"{parameter.name} is {str(value)[:100]!r}, not a whole number from 1 to {INTEGER_MAX:,}."
        )
    return number
