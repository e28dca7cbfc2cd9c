"""What an event changed: before and after, where it tells them."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

# The names under which programs tell what was before and what is after.
PAIRS: Final = (("before", "after"), ("old", "new"), ("oldValue", "newValue"), ("previous", "current"))
CHANGES_MAX: Final = 50


class Change(NamedTuple):
    """One field: what it was and what it is. None for nothing."""

    field: str
    before: str | None
    after: str | None


def changes_of(parameters: Any) -> list[Change]:
    """The changes that an event's parameters tell."""
    if not isinstance(parameters, dict):
        return []
    for before_name, after_name in PAIRS:
        if before_name in parameters or after_name in parameters:
            before, after = parameters.get(before_name), parameters.get(after_name)
            return _compared(before, after)[:CHANGES_MAX]
    return []


def _compared(before: Any, after: Any) -> list[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = list(dict.fromkeys([*before, *after]))
        return [
            Change(str(name), _text(before.get(name)), _text(after.get(name)))
            for name in names
            if before.get(name) != after.get(name)
        ]
    return [Change("", _text(before), _text(after))] if before != after else []


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
