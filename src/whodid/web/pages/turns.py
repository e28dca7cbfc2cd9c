"""In which order the tiles of a page that is sent whole are asked for, and how many at once."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

# One more than there are processors: further ones take time from those that are longest, and end no earlier.
TILES_AT_ONCE: Final = min(8, 1 + (os.cpu_count() or 1))

T = TypeVar("T")


class Turns:
    """What took longest the last time begins first: nothing long is left to end alone.

    Keys say what is asked for; they are few.
    """

    def __init__(self) -> None:
        self._took_s: dict[Hashable, float] = {}

    async def take(self, work: Sequence[tuple[Hashable, Callable[[], Awaitable[T]]]]) -> list[T]:
        """The results of all of it, in its own order. Raises what the first of it raises that fails."""
        free = asyncio.Semaphore(TILES_AT_ONCE)

        async def done(key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
            async with free:
                begun = time.monotonic()
                try:
                    return await ask()
                finally:
                    self._took_s[key] = time.monotonic() - begun

        places = sorted(range(len(work)), key=lambda place: -self._took_s.get(work[place][0], 0.0))
        found = await asyncio.gather(*(done(*work[place]) for place in places))
        return [found[places.index(place)] for place in range(len(work))]
