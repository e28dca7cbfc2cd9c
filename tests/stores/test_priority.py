"""Storing gives way to receiving."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")

# In a process of its own, in which nothing else starts threads meanwhile.
_OPENED = """
import json, os, sys
from pathlib import Path
from whodid.stores.duckdb_engine import connect

def priorities():
    return {task.name: os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in Path("/proc/self/task").iterdir()}

before, folder = priorities(), Path(sys.argv[1])
connection = connect(folder / "x.duckdb", journal_path=folder, threads=3, memory_bytes_max=2**28, bulk=False)
after = priorities()
connection.close()
print(json.dumps({"before": before, "after": after}))
"""


def test_the_threads_of_the_embedded_engine_give_way_and_no_others_do(tmp_path: Path) -> None:
    opened = subprocess.run([sys.executable, "-c", _OPENED, str(tmp_path)], capture_output=True, check=True)
    told = json.loads(opened.stdout)
    others = {name: told["after"].get(name) for name in told["before"]}
    started = [priority for name, priority in told["after"].items() if name not in told["before"]]
    assert len(started) >= 2
    assert all(priority > max(told["before"].values()) for priority in started)
    assert others == told["before"]
