"""What was told a moment ago, so that it is told once however often it is asked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

LATELY_S: Final = 300.0
THINGS_MAX: Final = 4_096


class Lately:
    """The things of the last five minutes, the latest few thousand at most."""

    def __init__(self) -> None:
        self._since: OrderedDict[Hashable, float] = OrderedDict()

    def is_known(self, thing: Hashable) -> bool:
        """Whether a thing was told lately; if not, it counts as told from here on."""
        now = time.monotonic()
        if now - self._since.get(thing, -LATELY_S) < LATELY_S:
            return True
        self._since[thing] = now
        self._since.move_to_end(thing)
        while len(self._since) > THINGS_MAX:
            self._since.popitem(last=False)
        return False
