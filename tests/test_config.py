"""Options: numbers that make no sense are refused, wherever they come from."""

from __future__ import annotations

import pytest

from whodid.config import Config
from whodid.errors import WhodidError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", 99_999, "port is 99999; it goes from 0 to 65535."),
        ("query_timeout_ms", "-5", "query_timeout_ms is -5; it is 1 at least."),
        ("query_timeout_ms", "0", "query_timeout_ms is 0; it is 1 at least."),
        ("drain_ms", "-1", "drain_ms is -1; it is 0 at least."),
        ("drain_ms", "soon", "drain_ms is 'soon', which is no whole number of ms."),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    name: str, value: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WhodidError) as caught:
        Config(**{name: value})
    assert caught.value.message == said
    monkeypatch.setenv(f"WHODID_{name.upper()}", str(value))
    with pytest.raises(WhodidError) as caught:
        Config()
    assert caught.value.message == said


def test_bounds_themselves_are_taken() -> None:
    taken = Config(port="65535", drain_ms=0, query_timeout_ms=1)
    assert (taken.port, taken.drain_ms, taken.query_timeout_ms) == (65_535, 0, 1)
