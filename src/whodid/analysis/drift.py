"""Whether values are distributed as they were: population stability index, Kolmogorov–Smirnov, chi-square.

Numbers are compared in ten parts of the reference that hold as many values each (fewer where values repeat or are
few); texts by their value, all but the forty most frequent, and all that are rare, as one. Missing values are a part of
their own.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from whodid.analysis.values import Value, numbers_of

PARTS: Final = 10
CATEGORIES_MAX: Final = 40
VALUES_OF_A_PART: Final = 10
# Rarer ones are counted as one: chance moves each of them.
CATEGORY_LEAST: Final = 10
# So few values say nothing about their distribution.
VALUES_LEAST: Final = 20
# A number with so few values is compared as categories are.
DISTINCT_LEAST: Final = 6
# Of an empty part, so that a logarithm exists.
_SHARE_LEAST: Final = 1e-4
OTHERS: Final = "(others)"
MISSING: Final = "(missing)"
# Usual readings of the index.
PSI_SHIFTED: Final = 0.1
PSI_DRIFTED: Final = 0.25
_P: Final = 0.01

Shares = npt.NDArray[np.float64]


class Part(NamedTuple):
    """A part of the values: its name, and how many of the reference and of the others lie in it."""

    name: str
    reference: int
    current: int


class Drift(NamedTuple):
    """How two samples of one column differ. `centre` and `spread` are mean and standard deviation of numbers."""

    kind: str
    psi: float | None
    test: str | None
    statistic: float | None
    p_value: float | None
    verdict: str
    parts: list[Part]
    reference_centre: float | None
    current_centre: float | None
    reference_spread: float | None
    current_spread: float | None
    reference_missing: int
    current_missing: int


def compare(reference: Sequence[Value], current: Sequence[Value]) -> Drift:
    """Compare the values of now with those of a reference; `None` is a missing value."""
    before, after = numbers_of(reference), numbers_of(current)
    missing = reference.count(None), current.count(None)
    numeric = before is not None and after is not None and len({*before, *after}) >= DISTINCT_LEAST
    if numeric and before is not None and after is not None:
        parts = _number_parts(np.asarray(before), np.asarray(after), missing)
        test, statistic, p_value = _kolmogorov_smirnov(before, after)
    else:
        parts = _category_parts(reference, current)
        before = after = []
        test, statistic, p_value = _chi_square(parts)
    enough = min(len(reference) - missing[0], len(current) - missing[1]) >= VALUES_LEAST
    index = psi(parts) if reference and current else None
    return Drift(
        "number" if numeric else "category",
        index,
        test,
        statistic,
        p_value,
        _verdict(index, p_value) if enough else "too few",
        parts,
        _mean(before),
        _mean(after),
        _deviation(before),
        _deviation(after),
        missing[0],
        missing[1],
    )


def psi(parts: Sequence[Part]) -> float:
    """The population stability index: the sum of (share now − share then) · ln(share now / share then)."""
    reference = _shares([part.reference for part in parts])
    current = _shares([part.current for part in parts])
    return float(np.sum((current - reference) * np.log(current / reference)))


def _shares(counts: Sequence[int]) -> Shares:
    shares: Shares = np.asarray(counts, dtype=np.float64) / max(1, sum(counts))
    floored: Shares = np.maximum(shares, _SHARE_LEAST)
    return floored


def _number_parts(before: Shares, after: Shares, missing: tuple[int, int]) -> list[Part]:
    parts_count = max(2, min(PARTS, len(before) // VALUES_OF_A_PART))
    edges = np.unique(np.quantile(before, np.linspace(0, 1, parts_count + 1))[1:-1]) if len(before) else np.array([])
    then = np.bincount(np.searchsorted(edges, before, side="right"), minlength=len(edges) + 1)
    now = np.bincount(np.searchsorted(edges, after, side="right"), minlength=len(edges) + 1)
    names = _names(edges)
    parts = [Part(name, int(one), int(other)) for name, one, other in zip(names, then, now, strict=True)]
    return [part for part in (*parts, Part(MISSING, *missing)) if part.reference or part.current]


def _names(edges: Shares) -> list[str]:
    texts = [f"{edge:.6g}" for edge in edges]
    if not texts:
        return ["all"]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    return [f"below {texts[0]}", *between, f"{texts[-1]} and above"]


def _category_parts(reference: Sequence[Value], current: Sequence[Value]) -> list[Part]:
    then, now = (Counter(map(_name, values)) for values in (reference, current))
    order = sorted(then | now, key=lambda name: (-then[name], -now[name], name))
    kept = [name for name in order if then[name] + now[name] >= CATEGORY_LEAST][:CATEGORIES_MAX]
    rest = [name for name in order if name not in kept]
    others = Part(OTHERS, sum(then[name] for name in rest), sum(now[name] for name in rest))
    return [*(Part(name, then[name], now[name]) for name in kept), *([others] if rest else [])]


def _name(value: Value) -> str:
    if value is None:
        return MISSING
    return value if isinstance(value, str) else f"{value:.12g}"


def _kolmogorov_smirnov(before: list[float], after: list[float]) -> tuple[str | None, float | None, float | None]:
    if not before or not after:
        return None, None, None
    found = stats.ks_2samp(before, after, method="asymp")
    return "Kolmogorov–Smirnov", float(found.statistic), float(found.pvalue)


def _chi_square(parts: Sequence[Part]) -> tuple[str | None, float | None, float | None]:
    table = np.array([[part.reference for part in parts], [part.current for part in parts]], dtype=np.float64)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return None, None, None
    found = stats.chi2_contingency(table, correction=False)
    return "chi-square", float(found.statistic), float(found.pvalue)


def _verdict(index: float | None, p_value: float | None) -> str:
    """Both have to say so: with many values a test alone finds every trifle, the index alone chance among few."""
    if index is None or p_value is None or p_value >= _P or index < PSI_SHIFTED:
        return "stable"
    return "drifted" if index >= PSI_DRIFTED else "shifted"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _deviation(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def told(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """The parts as they are told: with their shares in percent."""
    then, now = (
        max(1, sum(counts)) for counts in zip(*((part.reference, part.current) for part in parts), strict=True)
    )
    return [
        {
            "part": part.name,
            "reference": part.reference,
            "current": part.current,
            "reference_percent": round(100 * part.reference / then, 3),
            "current_percent": round(100 * part.current / now, 3),
        }
        for part in parts
    ]
