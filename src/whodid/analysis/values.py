"""Features and predictions of API nodes' queries, whatever their shape, as columns of values."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any, Final, cast

import msgspec

from whodid.formats.rejecting import Unreadable
from whodid.formats.text import check_depth

DEPTH_MAX: Final = 4
COLUMNS_MAX: Final = 300
# Names that hold nothing take time, too.
NAMES_MAX: Final = 1_000
PLACES_MAX: Final = 50
TEXT_CHARS_MAX: Final = 200
# What is larger is no measurement: its square is infinite.
_NUMBER_MAX: Final = 1e300

Value = float | str | None
Columns = dict[str, list[Value]]

# What an object says of a name that it does not have: nothing that JSON knows, and as untrue as what is missing.
_ABSENT: Final = ()
_NOTHING: Final[Mapping[str, Any]] = {}
_NUMBERS: Final = {float, int, type(None), type(_ABSENT)}
_TEXTS: Final = {str, type(None), type(_ABSENT)}
_OPENING: Final = ("{", "[")
_decode: Final = msgspec.json.Decoder().decode


def columns_of(objects: Iterable[Any], prefix: str, *, among: Collection[str] | None = None) -> Columns:
    """The values of many objects by name: each column has a value for each object, `None` where it has none.

    Nested objects become `outer.inner`, lists `outer.0`, `outer.1`; a list of one is what it holds. A single value is
    called `prefix`. JSON within a text is read. Of two values of one name the first that is known counts. There are
    `COLUMNS_MAX` columns at most.

    Parameters
    ----------
    among
        Names of the only columns that are wanted; all when it is None.
    """
    gathered = _Gathered(among)
    gathered.take(list(objects), prefix, 0)
    return gathered.columns


class _Gathered:
    """Columns, and how many more names are looked at.

    It goes by columns, not by objects: most columns are of one type, and then nothing is asked of their values.
    """

    def __init__(self, among: Collection[str] | None):
        self.columns: Columns = {}
        self._among = among
        self._names_left = NAMES_MAX

    def take(self, values: list[Any], name: str, depth: int) -> None:
        """Add what is called so, and what lies within it."""
        if (column := _of_one_type(values)) is not None:
            self._add(name, column)
            return
        opened = [_opened(value) for value in values]
        within = [_within(value, depth) for value in opened]
        if None in within:
            both = zip(opened, within, strict=True)
            self._add(name, [plain(value) if inner is None else None for value, inner in both])
        for key in dict.fromkeys(chain.from_iterable(inner for inner in within if inner)):
            if not self._is_wanted(f"{name}.{key}"):
                continue
            if self._names_left <= 0:
                break
            self._names_left -= 1
            values = [inner.get(key, _ABSENT) if inner else _ABSENT for inner in within]
            self.take(values, f"{name}.{key}", depth + 1)

    def _add(self, name: str, column: list[Value]) -> None:
        if self._among is not None and name not in self._among:
            return
        if (known := self.columns.get(name)) is not None:
            column = [other if one is None else one for one, other in zip(known, column, strict=True)]
        elif len(self.columns) >= COLUMNS_MAX:
            return
        self.columns[name] = column

    def _is_wanted(self, name: str) -> bool:
        return self._among is None or any(one == name or one.startswith(f"{name}.") for one in self._among)


def plain(value: Any) -> Value:
    """A number, a text, or None for nothing; true and false are texts."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = float(value) if abs(value) < _NUMBER_MAX else math.inf
        return number if math.isfinite(number) else None
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    return json.dumps(value, sort_keys=True, default=str)[:TEXT_CHARS_MAX]


def numbers_of(values: Iterable[Value]) -> list[float] | None:
    """The values as numbers, without those that are missing; None when one of them is no number."""
    known = [value for value in values if value is not None]
    if set(map(type, known)) <= {float}:
        return cast(list[float], known)
    try:
        found = [float(value) for value in known]
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def read_json(text: str) -> Any:
    """What a text of JSON says; the text itself where it is none, or nests too deep."""
    try:
        check_depth(text.encode())
        return _decode(text)
    except (msgspec.DecodeError, Unreadable):
        return text


def _of_one_type(values: list[Any]) -> list[Value] | None:
    """Numbers or texts with what `plain` makes of them; None where there is more to look at."""
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return [
            None if value is None or value is _ABSENT or not abs(value) < _NUMBER_MAX else float(value)
            for value in values
        ]
    if kinds <= _TEXTS and not any(value and value[0] in _OPENING for value in values):
        return [value[:TEXT_CHARS_MAX] if value else None for value in values]
    return None


def _opened(value: Any) -> Any:
    """What a list of one holds, and what a text of JSON says, instead of these."""
    while True:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, str) and value[:1] in _OPENING and (read := read_json(value)) is not value:
            value = read
        else:
            return value


def _within(value: Any, depth: int) -> Mapping[str, Any] | None:
    """What lies within by its key or place; None where the value is one by itself."""
    if value is _ABSENT:
        return _NOTHING
    if isinstance(value, dict) and depth < DEPTH_MAX:
        return value
    if isinstance(value, list) and depth < DEPTH_MAX and len(value) <= PLACES_MAX:
        return {str(place): one for place, one in enumerate(value)}
    return None
