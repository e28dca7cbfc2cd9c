"""How many rows tiles had when they were shown last: so much room is theirs before they come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

KNOWN_MAX: Final = 10_000


class Known:
    """What was noted lately, by what was looked at; of more than `KNOWN_MAX` the oldest goes."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, int] = OrderedDict()

    def rows(self, look: Hashable) -> int | None:
        return self._rows.get(look)

    def note(self, look: Hashable, rows: int) -> None:
        self._rows[look] = rows
        self._rows.move_to_end(look)
        while len(self._rows) > KNOWN_MAX:
            self._rows.popitem(last=False)
