"""The soak says flat of what is flat, and grows of what grows."""

from __future__ import annotations

import random

import pytest
from bench.soak import judge

CHANCE = random.Random(7)
TIMES_S = [5.0 * at for at in range(360)]


@pytest.mark.parametrize(
    ("name", "values", "is_flat"),
    [
        ("level with noise", [300 + CHANCE.uniform(-8, 8) for _ in TIMES_S], True),
        ("warming up, then level", [300 - 150 * max(0.0, 1 - t / 500) for t in TIMES_S], False),
        ("a sawtooth", [300 + 30 * ((t / 60) % 1) for t in TIMES_S], True),
        ("a peak", [300 if t != 1_500 else 900 for t in TIMES_S], True),
        ("falling", [300 - t / 100 for t in TIMES_S], True),
        ("a slow leak", [300 + t / 60 + CHANCE.uniform(-8, 8) for t in TIMES_S], False),
        ("filling until the middle", [300 - 150 * max(0.0, 1 - t / 900) for t in TIMES_S], False),
        ("a leak below a saw", [300 + t / 30 + 30 * ((t / 60) % 1) for t in TIMES_S], False),
        ("a step at the end", [300 if t < 1_200 else 340 for t in TIMES_S], False),
    ],
)
def test_flatness(name: str, values: list[float], is_flat: bool) -> None:
    assert judge(TIMES_S, values).is_flat == is_flat, name


def test_a_few_more_are_no_growth_of_what_comes_and_goes() -> None:
    files = [28.0 if t < 1_200 else 30.0 for t in TIMES_S]
    assert not judge(TIMES_S, files).is_flat
    assert judge(TIMES_S, files, least=4.0).is_flat
