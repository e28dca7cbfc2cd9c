"""Where answers go: streams that were closed, pipes, links and files; and who may read these."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whodid import cli

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [["events"], ["events", "--output", "table"], ["status"], ["--help"]])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_are_no_error(filled: Path, words: list[str], closed: str) -> None:
    command = f"{shlex.join([sys.executable, '-m', 'whodid', *words])} {closed}"
    done = subprocess.run(command, shell=True, env={**os.environ, "WHODID_DATA": str(filled)}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (closed != ">&-")


@pytest.mark.parametrize("words", [["report", "--output", "table"], ["report", "--output", "csv"], ["--help"]])
def test_who_stops_reading_ends_it_well(words: list[str]) -> None:
    ended = subprocess.Popen([sys.executable, "-m", "whodid", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert ended.stdout and ended.stderr
    ended.stdout.close()
    assert (ended.stderr.read(), ended.wait(timeout=60)) == (b"", 0)
    ended.stderr.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["usage", "user", "user3", "--since", "2026-01-01"], "By type"),
        (["retention", "show"], "Everything is kept for ever."),
        (["report", "types", "--since", "2026-01-01"], "query-st"),
    ],
)
def test_a_table_goes_into_the_file_that_was_named(
    filled: Path, tmp_path: Path, capsys: Captured, words: list[str], said: str
) -> None:
    to = tmp_path / "answer.txt"
    assert cli.main([*words, "--data", str(filled), "--output", "table", "--to", str(to)]) == cli.DONE
    assert said in to.read_text()
    assert capsys.readouterr().out == ""


def test_signs_that_an_encoding_lacks_are_written_as_escapes(filled: Path) -> None:
    command = [sys.executable, "-m", "whodid", "query", "SELECT 'ü→' AS a", "--data", str(filled), "--output", "table"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert rb"\xfc\u2192" in done.stdout


def test_an_answer_goes_into_a_pipe_and_through_a_link(filled: Path, tmp_path: Path) -> None:
    pipe, file, link = tmp_path / "pipe", tmp_path / "file", tmp_path / "link"
    os.mkfifo(pipe)
    file.write_text("old")
    link.symlink_to(file)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_bytes)
        for target in (pipe, link):
            assert cli.main(["query", "SELECT 1 AS one", "--data", str(filled), "-o", "csv", "--to", str(target)]) == 0
        assert read.result() == b"one\r\n1\r\n" == file.read_bytes()
    assert pipe.is_fifo() and link.is_symlink()


def test_a_file_with_the_secret_of_a_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    where, file = ["--data", str(tmp_path / "data")], tmp_path / "key.json"
    assert cli.main(["key", "create", "etl", "--scope", "write", *where, "--to", str(file)]) == cli.DONE
    assert "secret" in json.loads(file.read_text())[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
