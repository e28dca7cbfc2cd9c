"""`whodid import` without a server: what it tells, and how it ends."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.imports import dss_lines, native_line, native_lines
from whodid import cli

Captured = pytest.CaptureFixture[str]


def test_import_tells_counts_topics_span_and_rejects_with_file_and_line(data: Path, capsys: Captured) -> None:
    log = data.parent / "audit.log"
    log.write_bytes(dss_lines(range(3)) + b"no json\n")
    assert cli.main(["import", str(log), "--data", str(data)]) == cli.DONE_IN_PART
    shown = capsys.readouterr().out
    assert "3 events from 1 file" in shown
    assert "3 new, 0 were known." in shown
    assert "3  generic" in shown
    assert "From 2026-03-01 08:00 to 2026-03-01 08:00 UTC." in shown
    assert f"{log}:4: not_json" in shown


def test_import_for_programs(data: Path, capsys: Captured) -> None:
    log = data.parent / "audit.log"
    log.write_bytes(native_line(0) + native_line(90 * 24 * 3600))
    gone = data.parent / "gone.log"
    assert cli.main(["import", str(log), str(gone), "--data", str(data), "-o", "json"]) == cli.DONE_IN_PART
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["stored"], told["rejected"], told["gaps_total"]) == (2, 2, 0, 1)
    assert told["gaps"] == [{"since": "2026-03-01T09:00:00Z", "until": "2026-05-30T08:00:00Z"}]
    assert told["problems"] == [{"name": str(gone), "message": "No such file or directory"}]


def test_importing_twice_says_what_was_known(data: Path, capsys: Captured) -> None:
    log = data.parent / "audit.log"
    log.write_bytes(dss_lines(range(5)))
    arguments = ["import", str(log), "--data", str(data)]
    assert cli.main(arguments) == cli.DONE
    assert cli.main(arguments) == cli.DONE
    assert "had been read before" in capsys.readouterr().out
    assert cli.main([*arguments, "--again"]) == cli.DONE
    assert "0 new, 5 were known." in capsys.readouterr().out
    log.rename(log.with_name("audit.log.1"))
    assert cli.main(["import", str(log.with_name("audit.log.1")), "--data", str(data)]) == cli.DONE
    assert "1 file had been read before" in capsys.readouterr().out


def test_standard_input_is_called_so(data: Path) -> None:
    command = [sys.executable, "-m", "whodid", "import", "-", "--data", str(data)]
    done = subprocess.run(command, input=b"a,b\n1,2\n", capture_output=True)
    assert b"\nNot read: standard input looks like no format" in done.stdout


def test_a_file_that_breaks_off_was_not_read_to_its_end(data: Path, capsys: Captured) -> None:
    whole = gzip.compress(native_lines(range(20_000)), 1)
    log = data.parent / "a.log.gz"
    log.write_bytes(whole[: len(whole) // 2])
    assert cli.main(["import", str(log), "--data", str(data)]) == cli.DONE_IN_PART
    assert f"Not read to its end: {log}: The data is no whole gzip" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["/no/such/file"], [], ["/no/such/*.log"]])
def test_import_of_nothing_is_an_error_with_a_hint(arguments: list[str], data: Path, capsys: Captured) -> None:
    assert cli.main(["import", *arguments, "--data", str(data)]) != cli.DONE
    assert "Name files, folders, patterns" in capsys.readouterr().err


def test_an_unknown_format_names_the_known_ones(data: Path, capsys: Captured) -> None:
    log = data.parent / "a.log"
    log.write_bytes(native_line(0))
    assert cli.main(["import", str(log), "--format", "nope", "--data", str(data)]) == cli.WRONG_USE
    assert "dss-log4j" in capsys.readouterr().err


def test_import_reads_standard_input(data: Path, tmp_path: Path, capsys: Captured) -> None:
    program = "import sys; from whodid.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "import", "-", "--data", str(data)],
        input=native_lines(range(7)),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"7 events from 1 file" in done.stdout
