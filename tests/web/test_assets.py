"""What pages load is small: the scripts of our own together, and the style sheets."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest


@pytest.mark.parametrize(
    ("names", "bytes_max"),
    [
        (("pages.js", "charts.js", "events.js", "console.js", "settings.js"), 20 * 1024),
        (("whodid.css", "settings.css"), 15 * 1024),
    ],
    ids=["scripts", "styles"],
)
def test_what_is_our_own_is_small_when_it_is_packed(names: tuple[str, ...], bytes_max: int) -> None:
    static = files("whodid.web") / "static"
    assert sum(len(gzip.compress((static / name).read_bytes(), 9)) for name in names) <= bytes_max
