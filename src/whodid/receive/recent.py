"""The ids that were received lately, so that a repeated post can be told `duplicates`. The store decides exactly."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

IDS_MAX: Final = 200_000


class RecentIds:
    """Remembers at least the last `ids_max / 2` ids, and never more than `ids_max` and one request.

    Two sets: when the younger one is half of the limit, the older one is forgotten as a whole.
    """

    def __init__(self, ids_max: int = IDS_MAX):
        self._half = ids_max // 2
        self._young: set[str] = set()
        self._old: set[str] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def any(self, ids: Collection[str]) -> bool:
        """Whether one of `ids` is remembered."""
        return not (self._young.isdisjoint(ids) and self._old.isdisjoint(ids))

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._young or identifier in self._old

    def add(self, ids: Collection[str]) -> None:
        """Remember ids; only of events that are durable."""
        self._young.update(ids)
        if len(self._young) >= self._half:
            self._old = self._young
            self._young = set()
