"""Storing gives way to receiving."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from whodid.stores.duckdb_engine import connect

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")


def priorities() -> dict[str, int]:
    return {task.name: os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_the_threads_of_the_embedded_engine_give_way_and_no_others_do(tmp_path: Path) -> None:
    before = priorities()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    connection = connect(tmp_path / "x.duckdb", journal_path=tmp_path, threads=3, memory_bytes_max=2**28, bulk=False)
    started = {name: priority for name, priority in priorities().items() if name not in before}
    connection.close()
    assert len(started) >= 2
    assert all(priority > own for priority in started.values())
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
