"""What tests of imports share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.imports import KeptSink
from whodid.datasets.checkpoint import Checkpoints


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[Checkpoints]:
    opened = Checkpoints(tmp_path / "state" / "files.db")
    yield opened
    opened.close()


@pytest.fixture
def sink() -> KeptSink:
    return KeptSink()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder
