"""A running receiver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.receiving import Receiver


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    running = Receiver(tmp_path)
    running.start()
    yield running
    running.stop()
