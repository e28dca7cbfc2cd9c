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
WHODID = [sys.executable, "-c", "import sys; from whodid.cli import main; sys.exit(main())"]


@pytest.mark.crash
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_killed_and_run_again_every_event_is_stored_once(suffix: str, tmp_path: Path) -> None:
    path = write_as(tmp_path / f"audit.log{suffix}", dss_lines(range(EVENTS)) + b"no json\n")
    command = [*WHODID, "import", str(path), "--data", str(tmp_path / "data")]
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
