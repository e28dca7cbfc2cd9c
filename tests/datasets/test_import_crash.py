"""An import that is killed at any moment and run again: every event once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.imports import dss_lines, write_as
from whodid import open as open_data

ROUNDS = int(os.environ.get("WHODID_CRASH_ROUNDS", "4"))
EVENTS = 40_000
# The plain file is decoded by a process of its own, as a large one is.
PROGRAM = """
import sys
from whodid.cli import import_, main
import_._BESIDE_BYTES_MIN = {beside_bytes_min}
sys.exit(main())
"""


@pytest.mark.crash
@pytest.mark.parametrize(("suffix", "beside_bytes_min"), [("", 0), (".gz", 2**62)])
def test_killed_and_run_again_every_event_is_stored_once(suffix: str, beside_bytes_min: int, tmp_path: Path) -> None:
    path = write_as(tmp_path / f"audit.log{suffix}", dss_lines(range(EVENTS)) + b"no json\n")
    program = PROGRAM.format(beside_bytes_min=beside_bytes_min)
    command = [sys.executable, "-c", program, "import", str(path), "--data", str(tmp_path / "data")]
    for turn in range(ROUNDS):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.Random(turn).uniform(0.5, 3.0))
        child.send_signal(signal.SIGKILL)
        child.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    with open_data(tmp_path / "data") as reader:
        counts = next(
            iter(reader.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events WHERE format <> 'native'"))
        )
    assert counts == {"n": EVENTS, "ids": EVENTS}
