"""Small charts side by side: how the values of each feature are distributed now, and were in the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from whodid.web import words

HEIGHT: Final = 72
WIDTH: Final = 240
CHARTS_MAX: Final = 24


class Bar(NamedTuple):
    """A part of the values: where it stands, how high it is (of `HEIGHT`) in the reference and now, and its words."""

    x: float
    width: float
    reference: float
    current: float
    title: str


class Multiple(NamedTuple):
    """One chart.

    `href` leads to the events behind it, `first` and `last` are the names of its outer parts, `top` is the share at its
    upper edge.
    """

    title: str
    note: str
    href: str
    bars: list[Bar]
    first: str
    last: str
    top: str


def multiples(rows: Sequence[Mapping[str, Any]]) -> list[Multiple]:
    """The charts of rows with `service endpoint column part reference_percent current_percent`, in their order."""
    ordered = groupby(rows, lambda row: (row["service"], row["endpoint"], row["column"]))
    return [_multiple(*name, list(parts)) for name, parts in ordered][:CHARTS_MAX]


def _multiple(service: str, endpoint: str, column: str, parts: Sequence[Mapping[str, Any]]) -> Multiple:
    shares = [(row["reference_percent"] or 0.0, row["current_percent"] or 0.0) for row in parts]
    top = max((max(pair) for pair in shares), default=0.0) or 1.0
    step = WIDTH / max(len(parts), 1)
    bars = [
        Bar(
            round(place * step, 1),
            round(step - 2, 1),
            round(HEIGHT * reference / top, 1),
            round(HEIGHT * current / top, 1),
            f"{words.plain(row['part'])}: {words.per_cent(current)} now, {words.per_cent(reference)} before",
        )
        for place, (row, (reference, current)) in enumerate(zip(parts, shares, strict=True))
    ]
    first, last = (words.plain(parts[0]["part"]), words.plain(parts[-1]["part"])) if parts else ("", "")
    href = f"/events?{urlencode({'service': service, 'endpoint': endpoint})}"
    return Multiple(column, f"{service} {endpoint}", href, bars, first, last, words.per_cent(top))
