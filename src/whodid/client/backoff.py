"""How long to wait between tries."""

from __future__ import annotations

import random


class Backoff:
    """Exponential with full jitter's lower half kept, so that many clients do not come back in the same moment.

    min_s, max_s  the first wait and the longest, in seconds, before jitter.
    """

    def __init__(self, min_s: float, max_s: float):
        self._min_s = min_s
        self._max_s = max_s
        self._tries = 0

    def reset(self) -> None:
        self._tries = 0

    def next_s(self, asked_s: float | None = None) -> float:
        """The next wait. What the server asked for is the least; jitter is added to it, never taken off."""
        wait_s = min(self._max_s, self._min_s * float(2 ** min(self._tries, 30)))
        wait_s *= random.uniform(0.5, 1.0)  # noqa: S311 (no secret)
        self._tries += 1
        if asked_s is not None:
            wait_s = max(wait_s, asked_s + random.uniform(0, min(1.0, asked_s / 4)))  # noqa: S311 (no secret)
        return wait_s
