"""Named and positional parameters in SQL as its author writes them, put in place as literals of an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from whodid.errors import WhodidError

Params = Sequence[Any] | Mapping[str, Any] | None


def put_in(
    text: str,
    params: Params,
    token: re.Pattern[str],
    literal: Callable[[Any], str],
    other: Callable[[re.Match[str]], str] = re.Match.group,
) -> str:
    """The statement with its parameters in place.

    `$name` takes from a mapping, `$1` or `?` from a sequence.

    token    What the text is made of: its group `name` is the name of a parameter, `mark` a question mark.
    literal  A value as SQL; raises WhodidError("invalid") for one of a kind that SQL does not know.
    other    What stands for any other token: by default itself.

    Raises
    ------
    WhodidError("invalid")
        A parameter is missing, or `literal` refuses its value.
    """
    values = _values(params)
    places = count(1)

    def replaced(found: re.Match[str]) -> str:
        if found["name"]:
            return literal(_value(values, found["name"]))
        if found["mark"] and isinstance(params, Sequence) and params:
            return literal(_value(values, str(next(places))))
        return other(found)

    return token.sub(replaced, text)


def _values(params: Params) -> dict[str, Any]:
    if params is None:
        return {}
    if isinstance(params, Mapping):
        return dict(params)
    return {str(place): value for place, value in enumerate(params, start=1)}


def _value(values: dict[str, Any], name: str) -> Any:
    if name not in values:
        raise WhodidError("invalid", f"The parameter ${name} has no value.", "Give it one, or take it out.")
    return values[name]
