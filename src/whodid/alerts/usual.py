"""What is usual: the same hours of the weeks before, by their median and how far values usually lie from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt
from statistics import median
from typing import Final, NamedTuple

WEEKS: Final = 4
# The window itself and those beside it, so that a minute more or less makes no difference.
SHIFTS: Final = (-1, 0, 1)
SAMPLES_MIN: Final = 2 * len(SHIFTS)
# The median deviation of a normal distribution times this is its standard deviation.
_SCALE: Final = 1.4826


class Usual(NamedTuple):
    """The median of earlier windows, the deviation that counts as one, and the value beyond which it is unusual."""

    median: float
    deviation: float
    limit: float
    samples: tuple[float, ...]

    def said(self) -> str:
        """In words, for people who do not know the method."""
        low, high = min(self.samples), max(self.samples)
        return (
            f"Usual at this time of the week is {number(self.median)}: the median of {len(self.samples)} windows of "
            f"the last {WEEKS} weeks, which went from {number(low)} to {number(high)}. "
            f"More than {number(self.limit)} is told."
        )


def windows(begin: datetime, length: timedelta, oldest: datetime | None) -> list[tuple[datetime, datetime]]:
    """The earlier windows to compare with; none that begins before there were events."""
    begins = [begin - timedelta(weeks=week) + shift * length for week in range(1, WEEKS + 1) for shift in SHIFTS]
    return [(at, at + length) for at in begins if oldest is not None and at >= oldest]


def usual(samples: Sequence[float], k: float, *, is_rate: bool) -> Usual | None:
    """What follows from the values of earlier windows; None when there are too few to tell.

    k  how many deviations above the median are unusual. A deviation is the scaled median deviation (MAD), and at
       least what chance alone makes of counts (the square root of the median); of rates, one point.
    """
    if len(samples) < SAMPLES_MIN:
        return None
    middle = median(samples)
    spread = _SCALE * median(abs(value - middle) for value in samples)
    deviation = max(spread, 1.0 if is_rate else sqrt(max(middle, 1.0)))
    return Usual(middle, deviation, middle + k * deviation, tuple(samples))


def number(value: float) -> str:
    """A number as people read it."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
