"""Times of foreign events, and how what cannot be one is told."""

from __future__ import annotations

import pytest

from whodid.formats import times
from whodid.formats.rejecting import Unreadable


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "The time is true, which is no time."),
        (None, "The time is null, which is no time."),
        ({"a": 1}, "The time is an object, which is no time."),
        ([1], "The time is a list, which is no time."),
        ("gestern früh", 'The time "gestern früh" cannot be read.'),
        ("\ud800", 'The time "\\ud800" cannot be read.'),
        ("x" * 100, f'The time "{"x" * 56}… cannot be read.'),
        (-1, "The time -1 lies outside of 1970 to 2199."),
    ],
)
def test_what_is_no_time_is_told_as_json_writes_it(value: object, said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        times.instant(value)
    assert said in str(refused.value)
    str(refused.value).encode()
