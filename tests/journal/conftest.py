"""A journal on disk, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.journals import open_journal
from whodid.journal.disk import DiskJournal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[DiskJournal]:
    opened = open_journal(folder)
    yield opened
    opened.close()
