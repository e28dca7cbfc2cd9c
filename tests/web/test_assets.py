"""What pages load is small: the scripts of our own together, and the style sheets."""

from __future__ import annotations

import gzip
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from whodid.web.pages import assets


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


def test_the_chart_library_is_made_once_for_all_data_folders_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = assets.charts_bundle(tmp_path / "one")
    assert b"vegaEmbed" in made.plain and gzip.decompress(made.packed) == made.plain
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it is made already"))
    assert assets.charts_bundle(tmp_path / "another") == made
    (kept,) = (tmp_path / "one").iterdir()
    assert kept.read_bytes() == made.packed
