"""In which order the tiles of a page that is sent whole are asked for, and how many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

# More at once take no less time, and quick ones hold up long ones.
TILES_AT_ONCE: Final = 4

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
