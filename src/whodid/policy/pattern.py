"""Names of types in which `*` stands for anything, and the types that no policy reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final

from whodid import catalogue

# Refused logins and requests: whatever their type, no policy reaches them.
PROTECTED_TOPIC: Final = "authfail"


def protected() -> frozenset[str]:
    """The types that are always logged, whole: who came in, who was refused, whose rights or keys or what settings
    changed, who read the audit (`data/security_types.txt`)."""
    return catalogue.security_types()


def is_glob(pattern: str) -> bool:
    return "*" in pattern


@lru_cache(maxsize=10_000)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern means a name; letters count as they are."""
    return pattern == name if "*" not in pattern else _expression(pattern).fullmatch(name) is not None


def named(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns means a name."""
    return any(matches(pattern, name) for pattern in patterns)


def means_everything(pattern: str) -> bool:
    return not pattern.strip("*")


def reaches_protected(pattern: str) -> bool:
    """Whether a pattern means a protected type, among others perhaps."""
    return pattern in protected() if not is_glob(pattern) else any(matches(pattern, name) for name in protected())


def known_of(pattern: str) -> list[str]:
    """The known types that a pattern means, without those that are protected."""
    if not is_glob(pattern):
        return [] if pattern in protected() else [pattern]
    return sorted(name for name in catalogue.known_types() if name not in protected() and matches(pattern, name))


def overlap(one: str, other: str) -> bool:
    """Whether there can be a name that both patterns mean."""

    @cache
    def from_here(i: int, j: int) -> bool:
        if i == len(one) and j == len(other):
            return True
        if i < len(one) and one[i] == "*":
            return from_here(i + 1, j) or (j < len(other) and from_here(i, j + 1))
        if j < len(other) and other[j] == "*":
            return from_here(i, j + 1) or (i < len(one) and from_here(i + 1, j))
        return i < len(one) and j < len(other) and one[i] == other[j] and from_here(i + 1, j + 1)

    if not is_glob(one) or not is_glob(other):
        return matches(one, other) if is_glob(one) else matches(other, one)
    return from_here(0, 0)


def covers(wide: str, narrow: str) -> bool:
    """Whether everything that `narrow` means `wide` means too."""
    return matches(wide, narrow)
