"""Features and predictions of API nodes' queries, whatever their shape, as columns of values."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

DEPTH_MAX: Final = 4
COLUMNS_MAX: Final = 300
TEXT_CHARS_MAX: Final = 200

Value = float | str | None
Columns = dict[str, list[Value]]


def columns_of(objects: Iterable[Any], prefix: str) -> Columns:
    """The values of many objects by name: each column has a value for each object, `None` where it has none.

    Nested objects become `outer.inner`, lists `outer.0`, `outer.1`; a list of one is what it holds. A single value is
    called `prefix`. JSON within a text is read.
    """
    found: Columns = defaultdict(list)
    count = 0
    for one in objects:
        for name, value in flat(one, prefix):
            column = found[name] if name in found or len(found) < COLUMNS_MAX else None
            if column is not None and len(column) <= count:
                column.extend([None] * (count - len(column)))
                column.append(value)
        count += 1
    for column in found.values():
        column.extend([None] * (count - len(column)))
    return dict(found)


def flat(value: Any, prefix: str, depth: int = 0) -> Iterator[tuple[str, Value]]:
    """The names and plain values within a value."""
    value = _opened(value)
    if isinstance(value, dict) and depth < DEPTH_MAX:
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}", depth + 1)
    elif isinstance(value, list) and len(value) == 1:
        yield from flat(value[0], prefix, depth + 1)
    elif isinstance(value, list) and depth < DEPTH_MAX and len(value) <= 50:
        for place, inner in enumerate(value):
            yield from flat(inner, f"{prefix}.{place}", depth + 1)
    else:
        yield prefix, plain(value)


def plain(value: Any) -> Value:
    """A number, a text, or None for nothing; true and false are texts."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = float(value) if abs(value) < 1e300 else math.inf
        return number if math.isfinite(number) else None
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    return json.dumps(value, sort_keys=True, default=str)[:TEXT_CHARS_MAX]


def numbers_of(values: Iterable[Value]) -> list[float] | None:
    """The values as numbers, without those that are missing; None when one of them is no number."""
    found: list[float] = []
    for value in values:
        if value is None:
            continue
        if isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                return None
            if not math.isfinite(number):
                return None
            found.append(number)
        else:
            found.append(value)
    return found


def _opened(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
