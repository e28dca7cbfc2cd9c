"""The arguments of a run as parameters of its event: by name, copied, bounded, without what is secret."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from whodid.client.encode import REDACTED, plain

# Parameters whose values are never logged, wherever whodid's own pieces take parameters from a program.
SECRETS: Final = (
    "*password*", "*passwd*", "pwd", "*secret*", "*token*", "*api_key*", "*apikey*", "*credential*", "authorization",
    "*private_key*",
)  # fmt: skip
CHARS_MAX: Final = 1_000
ITEMS_MAX: Final = 50

_OWN: Final = ("self", "cls", "mcs")


def is_secret(name: str, patterns: Iterable[str] = SECRETS) -> bool:
    """Whether a name is one of those whose values are not logged."""
    lower = name.lower()
    return any(fnmatchcase(lower, pattern) for pattern in patterns)


class Arguments:
    """Tells the arguments of calls of one function.

    values    False: names only.       leave_out  parameters that are not told at all.
    redact    names (`*` allowed) told as "[redacted]", beside `SECRETS`.
    truncate  characters a value may have: one number for all, or by name.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        values: bool = True,
        redact: Iterable[str] = (),
        leave_out: Iterable[str] = (),
        truncate: int | Mapping[str, int] = CHARS_MAX,
    ):
        left_out = set(leave_out)
        patterns = (*SECRETS, *(name.lower() for name in redact))
        parameters = _parameters_of(function)
        self._values = values
        self._positional = [
            each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        ]
        self._rest = next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), "args")
        self._defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
        self._is_method = bool(self._positional) and self._positional[0] in _OWN
        self._truncate = truncate
        self._left_out = left_out | ({self._positional[0]} if self._is_method else set())
        self._is_secret = functools.lru_cache(maxsize=1_000)(functools.partial(is_secret, patterns=patterns))
        unknown = (left_out | (set(truncate) if isinstance(truncate, Mapping) else set())) - self._names(parameters)
        if unknown:
            raise TypeError(f"{function.__qualname__} has no parameter {sorted(unknown)[0]!r}.")

    def told(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of an event about the call `function(*args, **kwargs)`."""
        given = {**self._defaults, **dict(zip(self._positional, args, strict=False)), **kwargs}
        if len(args) > len(self._positional):
            given[self._rest] = args[len(self._positional) :]
        if not self._values:
            return {"parameter_names": [name for name in given if name not in self._left_out]}
        return {name: self._value(name, value) for name, value in given.items() if name not in self._left_out}

    def _value(self, name: str, value: Any) -> Any:
        if self._is_secret(name):
            return REDACTED
        truncate = self._truncate
        chars_max = truncate if isinstance(truncate, int) else truncate.get(name, CHARS_MAX)
        return plain(value, chars_max=chars_max, items_max=ITEMS_MAX, is_secret=self._is_secret)

    def _names(self, parameters: list[inspect.Parameter]) -> set[str]:
        if any(each.kind is each.VAR_KEYWORD for each in parameters):
            # Any name may come then.
            return self._left_out | (set(self._truncate) if isinstance(self._truncate, Mapping) else set())
        return {each.name for each in parameters}


def _parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return []


def kind_of(result: Any) -> str:
    """What kind of thing a run returned: its type, and its size where it has one."""
    kind = type(result)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        shape = getattr(result, "shape", None)
        if isinstance(shape, tuple) and shape and all(isinstance(size, int) for size in shape):
            return f"{name}[{'x'.join(map(str, shape))}]"
        if isinstance(result, (list, tuple, dict, set, frozenset)):
            return f"{name}[{len(result)}]"
    except Exception:
        return name
    return name
