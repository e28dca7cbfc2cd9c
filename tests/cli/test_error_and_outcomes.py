"""`whodid error` and `whodid outcomes`, on a data folder that no server owns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whodid.cli import main
from whodid.config import Config
from whodid.engine import Engine
from whodid.event import Event, new_id
from whodid.journal.base import Draft

NOW = datetime.now(UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    told = [
        Event(
            id=new_id(),
            time=NOW - timedelta(hours=hours),
            type="error",
            level="error",
            user="ada",
            error_message=f"disk '{name}' is {state}",
        )
        for hours, name, state in ((1, "sda", "full"), (2, "sdb", "full"), (3, "sdb", "lost"))
    ]
    told += [
        Event(
            id=new_id(),
            time=NOW - timedelta(hours=1),
            type="prediction-query",
            topic="apinode-query",
            parameters=msgspec.Raw(
                msgspec.json.encode({"serviceId": "churn", "features": {"c": number}, "result": {"prediction": "yes"}})
            ),
        )
        for number in range(4)
    ]
    with Engine.open(Config(data=folder, store="duckdb")) as engine:
        engine.journal.append_blocking(Draft(received_at=NOW, events=msgspec.json.encode(told), count=len(told)))
        engine.flush()
    return folder


def rows(capfd: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    capfd.readouterr()
    assert main([*arguments, "-o", "ndjson"]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_groups_are_listed_shown_decided_about_and_merged(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(folder)]
    full, lost = rows(capfd, "error", "list", *place)
    assert (full["title"], full["errors"], full["status"]) == ("disk <value> is full", 2, "new")
    group, other = str(full["group"]), str(lost["group"])
    assert main(["error", "show", group, "-o", "table", *place]) == 0
    assert "without its quoted values" in capfd.readouterr().out

    assert main(["error", "resolve", group, "--version", "2.0", *place]) == 0
    assert f"{group} is resolved in 2.0." in capfd.readouterr().out
    assert [row["group"] for row in rows(capfd, "error", "list", "--state", "resolved", *place)] == [group]
    assert main(["error", "open", group, *place]) == 0
    assert main(["error", "mute", group, *place]) == 0
    assert [row["state"] for row in rows(capfd, "error", "list", *place)] == ["muted", "open"]

    assert main(["error", "merge", other, "--into", group, *place]) == 0
    assert [row["errors"] for row in rows(capfd, "error", "list", *place)] == [3]
    assert main(["error", "unmerge", other, *place]) == 0
    assert main(["error", "split", group, "--by", "contains", "--text", "SDA", *place]) == 0
    assert [row["errors"] for row in rows(capfd, "error", "list", *place)] == [1, 1, 1]
    assert main(["error", "join", group, *place]) == 0
    assert [row["errors"] for row in rows(capfd, "error", "list", *place)] == [2, 1]


def test_what_cannot_be_decided_says_why(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["error", "mute", "nothing", "--data", str(folder)]) == 2
    assert "v1:" in capfd.readouterr().err


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_outcomes_of_a_file_judge_the_predictions(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str
) -> None:
    file = tmp_path / f"happened.{suffix}"
    if suffix == "csv":
        file.write_text("customer,churned\n0,yes\n1,no\n2,yes\n,yes\n")
    else:
        pq.write_table(pa.table({"customer": [0, 1, 2, None], "churned": ["yes", "no", "yes", "yes"]}), file)
    command = ["outcomes", str(file), "--service", "churn", "--key", "customer", "--outcome", "churned"]
    assert main([*command, "--match", "features.c", "--data", str(folder)]) == 0
    assert "3 outcomes of churn" in capfd.readouterr().out
    (row,) = rows(capfd, "report", "api-quality", "--data", str(folder))
    assert (row["pairs"], row["known_percent"]) == (3, 75)
    assert row["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--key", "nobody", "--outcome", "b"], "nobody"),
        (["--key", "a", "--outcome", "b", "--match", "colour"], "colour"),
    ],
)
def test_wrong_columns_and_fields_are_named(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    file = tmp_path / "happened.csv"
    file.write_text("a,b\n1,2\n")
    assert main(["outcomes", str(file), "--service", "churn", *more, "--data", str(folder)]) == 2
    assert said in capfd.readouterr().err
