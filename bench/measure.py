"""Medians with spread, and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from whodid.benchmark.machine import percentile

__all__ = ["Spread", "number", "percentile", "row", "spread"]


class Spread(NamedTuple):
    """Minimum, median and maximum of some runs."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)}–{number(self.high)})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), statistics.median(values), max(values))


def number(value: float) -> str:
    """A figure with three significant digits at least, thousands separated."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
