"""A running receiver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.receiving import Receiver


@pytest.fixture(params=[True, False], ids=["short-way", "long-way"])
def short_way(request: pytest.FixtureRequest) -> bool:
    """Whether plain requests go past ASGI: nobody can tell from outside, see `whodid.receive.short`."""
    return bool(request.param)


@pytest.fixture
def receiver(tmp_path: Path, short_way: bool) -> Iterator[Receiver]:
    running = Receiver(tmp_path, short_way=short_way)
    running.start()
    yield running
    running.stop()
