"""`whodid report`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from whodid import demo, reports
from whodid.cli import main
from whodid.config import Config
from whodid.engine import Engine
from whodid.journal.base import Draft


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "data"
    end = datetime.now(UTC) - timedelta(hours=1)
    told = list(demo.generate(events=400, days=5, seed=5, end=end))
    with Engine.open(Config(data=folder, store="duckdb")) as engine:
        engine.journal.append_blocking(Draft(received_at=end, events=msgspec.json.encode(told), count=len(told)))
        engine.flush()
        for name in ("Research", "Chemists"):
            engine.directory.create_group(name, by="test")
        engine.directory.add_member("Research", subgroup="Chemists", by="test")
        engine.directory.add_member("Chemists", user="ravi.banerjee", by="test")
        engine.flush()
    return folder


def test_without_a_name_it_lists_the_reports_with_their_questions(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--output", "json"]) == 0
    listed = {row["report"]: row["question"] for row in json.loads(capfd.readouterr().out)}
    assert listed == {report.name: report.question for report in reports.catalogue()}


def test_it_runs_a_report_for_a_time(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "types", "--since", "30d", "--limit", "3", "-o", "ndjson", "--data", str(folder)]) == 0
    answer = capfd.readouterr()
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert len(rows) == 3
    assert rows[0]["events"] >= rows[1]["events"] >= rows[2]["events"] > 0
    assert "3 of " in answer.err


def test_a_table_is_for_people(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "overview", "--output", "table", "--data", str(folder)]) == 0
    assert "active users" in capfd.readouterr().out


def test_groups_are_those_of_the_directory_with_the_groups_within_them(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "groups", "-o", "ndjson", "--data", str(folder)]) == 0
    rows = {row["group"]: row for row in map(json.loads, capfd.readouterr().out.splitlines())}
    assert set(rows) == {None, "Research", "Chemists"}
    assert (rows["Research"]["members"], rows["Research"]["active"]) == (1, 1)
    command = ["report", "users", "--group", "Research", "--since", "30d", "--zone", "Europe/Berlin", "-o", "ndjson"]
    assert main([*command, "--data", str(folder)]) == 0
    assert [json.loads(line)["person"] for line in capfd.readouterr().out.splitlines()] == ["ravi.banerjee"]


def test_other_parameters_are_given_by_name(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["report", "types", "--parameter", "limit=1", "--parameter", "since=30d", "-o", "csv"]
    assert main([*command, "--data", str(folder)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 2


def test_it_writes_to_a_file_in_the_format_of_its_name(folder: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    file = tmp_path / "users.parquet"
    assert main(["report", "users", "--to", str(file), "--data", str(folder)]) == 0
    assert "person" in pq.read_table(file).schema.names


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["overvew"], 1, "Did you mean overview?"),
        (["types", "--parameter", "limit"], 2, "NAME=VALUE"),
        (["types", "--since", "long ago"], 2, "since"),
        (["types", "--parameter", "colour=red"], 2, "colour"),
    ],
)
def test_wrong_use_says_what_and_how_to_mend_it(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], exit_code: int, said: str
) -> None:
    assert main(["report", *arguments, "--data", str(folder)]) == exit_code
    assert said in capfd.readouterr().err
