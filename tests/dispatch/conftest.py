"""Kinds of targets that only tests know, and an engine with its dispatch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.targets import DoubleTarget, Watched, watched
from whodid.plugins import TARGETS, Plugin


@pytest.fixture(autouse=True)
def doubles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(TARGETS, "double", Plugin("support.targets:DoubleTarget"))
    monkeypatch.setitem(TARGETS, "whole", Plugin("support.targets:WholeTarget"))
    DoubleTarget.OTHERS.clear()
    yield
    DoubleTarget.OTHERS.clear()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path / "data") as found:
        yield found
