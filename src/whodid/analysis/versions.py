"""Which of two versions is the later one, without knowing how they are made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PARTS: Final = re.compile(r"\d+|[A-Za-z]+")
# What is added to a version before it is out.
_BEFORE: Final = {"dev": -5, "alpha": -4, "a": -4, "beta": -3, "b": -3, "pre": -2, "preview": -2, "rc": -1}
_END: Final = (0, 0, "")


def order_of(version: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts versions: 1.9 before 1.10, 2.0-rc1 before 2.0, 2.0 before 2.0.1; `v` and zeros do not count."""
    key: list[tuple[int, int, str]] = []
    for part in _PARTS.findall(version.lower().removeprefix("v")[:100]):
        if part.isdigit():
            key.append((1, int(part[:18]), ""))
        elif part in _BEFORE:
            key.append((-1, _BEFORE[part], ""))
        else:
            key.append((0, 1, part))
    while key and key[-1] == (1, 0, ""):
        key.pop()
    return (*key, _END)


def highest(versions: Iterable[str]) -> str | None:
    return max(versions, key=lambda version: (order_of(version), version), default=None)


def lowest(versions: Iterable[str]) -> str | None:
    return min(versions, key=lambda version: (order_of(version), version), default=None)
