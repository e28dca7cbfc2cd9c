"""Ctrl-C ends a verb without a word, whatever it is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whodid import cli


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells by /proc that the engine works")
def test_ctrl_c_ends_a_question_without_a_word(filled: Path) -> None:
    tables = ", ".join(f"events e{place}" for place in range(8))
    sql = f"SELECT count(*) AS n FROM {tables} WHERE e0.id <> e7.id"
    command = [sys.executable, "-m", "whodid", "query", sql, "--data", str(filled), "--timeout-ms", "600000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
        while processor_s(asking.pid) < 5 and asking.poll() is None:
            time.sleep(0.05)
        asking.send_signal(signal.SIGINT)
        assert asking.communicate(timeout=60) == ("", "")
    assert asking.returncode == cli.INTERRUPTED


@pytest.mark.parametrize("heard", [KeyboardInterrupt(), RuntimeError("Query interrupted")], ids=["python", "engine"])
def test_ctrl_c_ends_a_verb_without_a_word_whoever_hears_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], heard: BaseException
) -> None:
    def interrupted(*_: object) -> None:
        raise heard

    monkeypatch.setattr("whodid.cli.reader.reader_of", interrupted)
    assert cli.main(["query", "SELECT 1", "--data", str(data)]) == cli.INTERRUPTED
    assert capfd.readouterr() == ("", "")
