"""The refusals of the guard, worded once for both dialects."""

from __future__ import annotations

from typing import Final

from whodid.errors import WhodidError
from whodid.stores.guard_names import FUNCTIONS, RELATIONS, TABLE_FUNCTIONS

_ONE_SELECT: Final = "Send one SELECT on events; other commands are not for the SQL console."


def not_one(count: int) -> WhodidError:
    return WhodidError("invalid", f"There are {count} statements; exactly one is answered.", _ONE_SELECT)


def not_a_select(what: str) -> WhodidError:
    return WhodidError("forbidden", f"Only SELECT is answered, not {what}.", _ONE_SELECT)


def not_readable(reason: str) -> WhodidError:
    return WhodidError("invalid", f"The statement cannot be read: {reason}")


def relation(dialect: str, schema: str, name: str) -> None:
    """Refuse a relation that is not for reading."""
    allowed = RELATIONS[dialect]
    if name.lower() not in allowed.get(schema.lower(), frozenset()):
        full_name = f"{schema}.{name}" if schema else name
        raise WhodidError(
            "forbidden", f"{full_name!r} is not for reading.", f"Readable are: {', '.join(sorted(allowed['']))}."
        )


def function(dialect: str, name: str) -> None:
    """Refuse a function that is not known to be harmless."""
    if name.lower() not in FUNCTIONS[dialect]:
        raise WhodidError(
            "forbidden",
            f"The function {name!r} is not allowed here.",
            "Allowed are functions that only compute from their arguments, and those that cannot make a large value "
            "out of a small one.",
        )


def table_function(dialect: str, name: str) -> None:
    """Refuse a function that yields rows from elsewhere."""
    if name.lower() not in TABLE_FUNCTIONS[dialect]:
        allowed = ", ".join(sorted(TABLE_FUNCTIONS[dialect]))
        raise WhodidError("forbidden", f"FROM {name}(…) is not allowed here.", f"Allowed in FROM are: {allowed}.")
