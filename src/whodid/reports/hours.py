"""The hours in which a report looks, where it was found first that it need look in no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

# An engine compares each event with each of these.
SPANS_MAX: Final = 24
_HOUR: Final = timedelta(hours=1)


def spans_of(hours: Iterable[datetime]) -> dict[str, datetime]:
    """Where spans of time begin and end, in turns, within which all these hours lie: parameters `span_0`, `span_1`, …

    Hours side by side are one span. Where that leaves more than `SPANS_MAX`, what lies between the nearest is in too.

    Parameters
    ----------
    hours
        Where they begin, in any order; at least one.
    """
    begins = sorted(set(hours))
    gaps = sorted(((after - before, before, after) for before, after in pairwise(begins)), reverse=True)
    within = [at for length, before, after in gaps[: SPANS_MAX - 1] if length > _HOUR for at in (before + _HOUR, after)]
    ends = [begins[0], *sorted(within), begins[-1] + _HOUR]
    return {f"span_{place}": at for place, at in enumerate(ends)}


def between(time: str, names: Sequence[str]) -> str:
    """That a time lies in one of the spans that begin and end at the parameters of these names."""
    ends = (f"CAST(${name} AS timestamp)" for name in names)
    each = (f"({time} >= {begin} AND {time} < {end})" for begin, end in zip(ends, ends, strict=True))
    return f"({' OR '.join(each)})"
