"""`whodid export`: all events that fit, oldest first, in a file that is there once it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support.imports import native_lines
from whodid import cli
from whodid.cli import export
from whodid.config import Config
from whodid.engine import Engine
from whodid.errors import WhodidError
from whodid.reading.reader import Reader
from whodid.serve import Server

Captured = pytest.CaptureFixture[str]
EVENTS = 25


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Iterator[list[str]]:
    """The options of a folder with 25 events, of which 10 are in memory at once."""
    monkeypatch.setattr(export, "PART_EVENTS", 10)
    log = tmp_path / "events.ndjson"
    log.write_bytes(native_lines(range(EVENTS)))
    options = ["--data", str(tmp_path / "data")]
    assert cli.main(["import", str(log), *options]) == cli.DONE
    capsys.readouterr()
    yield options


def numbers(file: Path) -> list[int]:
    return [json.loads(line)["parameters"]["n"] for line in file.read_text().splitlines()]


def test_all_events_are_written_oldest_first(where: list[str], tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "out.ndjson"
    assert cli.main(["export", str(file), "--type", "query-start", *where]) == cli.DONE
    assert numbers(file) == list(range(EVENTS))
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"25 events in {file}.\n")


def test_the_ending_or_an_option_says_the_format(where: list[str], tmp_path: Path) -> None:
    one = ["--type", "query-start", "--user", "user3", *where]
    assert cli.main(["export", str(tmp_path / "out.parquet"), *one]) == cli.DONE
    assert set(pq.read_table(tmp_path / "out.parquet")["user"].to_pylist()) == {"user3"}
    assert cli.main(["export", str(tmp_path / "out.txt"), "-o", "csv", *one]) == cli.DONE
    header, *rows = (tmp_path / "out.txt").read_text().splitlines()
    assert header.startswith("id,time,") and len(rows) == 4


def test_a_server_is_asked_like_a_folder(tmp_path: Path, where: list[str]) -> None:
    server = Server(Config(data=tmp_path / "data", port=0))
    server.start()
    try:
        _, key = server.engine.directory.create_key("auditor", ["read"])
        there = ["--server", server.url, "--key", key]
        assert cli.main(["export", str(tmp_path / "out.jsonl"), "--type", "query-start", *there]) == cli.DONE
    finally:
        server.close()
    assert numbers(tmp_path / "out.jsonl") == list(range(EVENTS))


def test_nothing_found_is_an_empty_file_of_its_columns(where: list[str], tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "out.parquet"
    assert cli.main(["export", str(file), "--user", "nobody", *where]) == cli.DONE
    table = pq.read_table(file)
    assert (table.num_rows, table.column_names[:2]) == (0, ["id", "time"])
    assert capsys.readouterr().err == f"0 events in {file}.\n"


@pytest.mark.parametrize("name", ["out", "out.xlsx"])
def test_a_file_of_no_known_format_is_refused_first(
    where: list[str], tmp_path: Path, capsys: Captured, name: str
) -> None:
    assert cli.main(["export", str(tmp_path / name), *where]) == cli.WRONG_USE
    assert f"No format is known by the ending of {name}." in capsys.readouterr().err


def test_what_breaks_off_leaves_no_file(where: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Reader.events
    calls = iter(range(2))

    def events(reader: Reader, **given: object) -> object:
        if next(calls) == 1:
            raise WhodidError("timeout", "The query was stopped.")
        return asked(reader, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(Reader, "events", events)
    assert cli.main(["export", str(tmp_path / "out.ndjson"), *where]) == cli.FAILED
    assert not list(tmp_path.glob("*out.ndjson*"))


def test_the_folder_is_not_made_by_asking(tmp_path: Path) -> None:
    assert cli.main(["export", str(tmp_path / "out.csv"), "--data", str(tmp_path / "none")]) == cli.FAILED
    assert not (tmp_path / "none").exists()


def test_an_engine_in_use_is_told(where: list[str], tmp_path: Path, capsys: Captured) -> None:
    with Engine.open(Config(data=tmp_path / "data")):
        assert cli.main(["export", str(tmp_path / "out.csv"), *where]) == cli.FAILED
    assert "in use by process" in capsys.readouterr().err
