"""Numbers of things, and sizes, in words."""

from __future__ import annotations

import pytest

from whodid.amounts import counted, sized


@pytest.mark.parametrize(("number", "said"), [(0, "0 events"), (1, "1 event"), (2_000, "2,000 events")])
def test_a_number_comes_with_its_noun(number: int, said: str) -> None:
    assert counted(number, "event") == said
    assert counted(number, "person", "people") == said.replace("events", "people").replace("event", "person")


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 KB"), (2e9, "2.0 GB"), (3e15, "3,000.0 TB")],
)
def test_a_size_is_told_in_the_largest_unit_that_suits_it(size_bytes: float, said: str) -> None:
    assert sized(size_bytes) == said
