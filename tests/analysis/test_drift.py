"""Drift: the index by its formula, the tests as scipy gives them, verdicts that chance does not make."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats

from whodid.analysis.drift import Drift, Part, compare, psi
from whodid.analysis.values import Value, numbers_of

DICE = random.Random(5)


def normal(mean: float, count: int = 2_000) -> list[Value]:
    return [DICE.gauss(mean, 10) for _ in range(count)]


def test_the_index_is_the_sum_over_parts() -> None:
    parts = [Part("a", 50, 30), Part("b", 50, 70)]
    assert psi(parts) == pytest.approx((0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5))


def test_the_same_shares_have_no_index() -> None:
    assert psi([Part("a", 10, 100), Part("b", 30, 300)]) == pytest.approx(0)


def test_an_empty_part_counts_as_one_in_ten_thousand() -> None:
    found = psi([Part("a", 100, 50), Part("b", 0, 50)])
    assert found == pytest.approx((0.5 - 1) * math.log(0.5) + (0.5 - 1e-4) * math.log(0.5 / 1e-4))


def test_numbers_are_compared_by_kolmogorov_smirnov() -> None:
    then, now = normal(100), normal(108)
    found = compare(then, now)
    expected = stats.ks_2samp(numbers_of(then), numbers_of(now), method="asymp")
    assert (found.kind, found.test) == ("number", "Kolmogorov–Smirnov")
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.reference_centre == pytest.approx(100, abs=1)
    assert found.current_centre == pytest.approx(108, abs=1)
    assert found.verdict == "drifted"


def test_categories_are_compared_by_chi_square() -> None:
    then = ["a"] * 500 + ["b"] * 500
    now = ["a"] * 300 + ["b"] * 700
    found = compare(then, now)
    expected = stats.chi2_contingency([[500, 500], [300, 700]], correction=False)
    assert (found.kind, found.test) == ("category", "chi-square")
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.psi == pytest.approx((0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5))
    assert found.verdict == "shifted"


def test_ten_parts_hold_a_tenth_of_the_reference_each() -> None:
    found = compare(normal(0), normal(0))
    assert len(found.parts) == 10
    assert {part.reference for part in found.parts} == {200}
    assert found.verdict == "stable"


def test_a_new_category_and_missing_values_are_parts() -> None:
    found = compare(["a"] * 90 + ["b"] * 10, ["a"] * 60 + ["c"] * 20 + [None] * 20)
    assert {part.name: (part.reference, part.current) for part in found.parts} == {
        "a": (90, 60),
        "b": (10, 0),
        "c": (0, 20),
        "(missing)": (0, 20),
    }
    assert (found.reference_missing, found.current_missing) == (0, 20)
    assert found.verdict == "drifted"


def test_rare_categories_are_one_so_that_ids_do_not_drift() -> None:
    def ids() -> list[Value]:
        return [f"order {DICE.randrange(10**9)}" for _ in range(300)]

    assert verdict_of(compare(ids(), ids())) == ("stable", ["(others)"])


def verdict_of(found: Drift) -> tuple[str, list[str]]:
    return found.verdict, [part.name for part in found.parts]


def test_few_values_say_so() -> None:
    assert compare([1.0, 2.0], [5.0] * 100).verdict == "too few"
    assert compare([], [1.0]).psi is None


def test_few_numbers_are_categories() -> None:
    assert compare([0, 1] * 50, [1, 1] * 50).kind == "category"


@pytest.mark.parametrize("_", range(5))
def test_chance_alone_makes_no_drift(_: int) -> None:
    assert compare(normal(0, 300), normal(0, 300)).verdict == "stable"
