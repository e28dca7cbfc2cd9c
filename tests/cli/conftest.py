"""What tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.imports import dss_lines, native_lines
from whodid import cli


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that is not there yet."""
    return tmp_path / "data"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 60 events of 7 users and one rejection."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "audit.log").write_bytes(dss_lines(range(50)) + b"no json\n")
    (folder / "native.log").write_bytes(native_lines(range(10)))
    assert (
        cli.main(["import", str(folder / "audit.log"), str(folder / "native.log"), "--data", str(folder / "data")]) == 3
    )
    return folder / "data"
