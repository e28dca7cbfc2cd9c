"""`whodid demo`: fills a folder once, shows answers, stays friendly."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import whodid
from whodid.cli import main
from whodid.cli.demo_filling import Story, story_of
from whodid.cli.demo_showing import EXAMPLES, Example
from whodid.errors import WhodidError
from whodid.reading.cells import python_rows

SMALL = ["--events", "1500", "--days", "20", "--seed", "3", "--exit", "--port", "0"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "story"
    assert main(["demo", *SMALL, "--data", str(folder)]) == 0
    return folder


def count_of_story(folder: Path) -> int:
    with whodid.open(folder) as reader:
        [row] = reader.query("SELECT count(*) AS n FROM events WHERE node IS NOT NULL")
    return int(row["n"])


def test_it_fills_the_folder_and_says_so_in_it(filled: Path) -> None:
    story = msgspec.json.decode((filled / "demo.json").read_bytes(), type=Story)
    assert story.filled
    assert count_of_story(filled) == pytest.approx(1500, rel=0.1)


def test_a_second_run_doubles_nothing_and_shows_each_answer_with_its_command(
    filled: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = count_of_story(filled)
    assert main(["demo", "--exit", "--port", "0", "--data", str(filled)]) == 0
    assert count_of_story(filled) == before
    shown = capfd.readouterr().out
    assert re.search(r"/sign-in\?token=\S+", shown)
    for example in EXAMPLES:
        assert f"{example.question}\n  $ {example.command}\n" in shown
    assert "release-announced" in shown


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.question)
def test_a_command_that_it_shows_tells_what_it_shows(
    filled: Path, capsys: pytest.CaptureFixture[str], example: Example
) -> None:
    words = shlex.split(example.command)[1:]
    assert main([*words, "--output", "json", "--data", str(filled)]) == 0
    told = json.loads(capsys.readouterr().out)
    with whodid.open(filled) as reader:
        shown = python_rows(example.ask(reader).arrow())
    assert shown
    # Programs are told times as text.
    for column in set(example.columns) - {"time", "last"}:
        assert [row[column] for row in told[: len(shown)]] == [row[column] for row in shown]


def test_a_story_that_was_interrupted_is_told_to_its_end(filled: Path) -> None:
    before = count_of_story(filled)
    file = filled / "demo.json"
    story = msgspec.json.decode(file.read_bytes(), type=Story)
    story.filled = False
    file.write_bytes(msgspec.json.encode(story))
    assert main(["demo", "--exit", "--port", "0", "--data", str(filled)]) == 0
    assert count_of_story(filled) == before
    assert msgspec.json.decode(file.read_bytes(), type=Story).filled


def test_its_people_are_in_nested_groups(filled: Path) -> None:
    with whodid.open(filled) as reader:
        chemists = {row["user"] for row in reader.events(group="Chemistry", limit=500)}
        researchers = {row["user"] for row in reader.events(group="Research", limit=2000)}
    assert "lin.chen" in chemists
    assert chemists < researchers


def test_its_nodes_are_known_with_what_they_sent(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with whodid.open(filled) as reader:
        sent = {
            row["node"]: row["n"]
            for row in reader.query("SELECT node, count(*) AS n FROM events WHERE node IS NOT NULL GROUP BY 1")
        }
    assert main(["node", "list", "--output", "json", "--data", str(filled)]) == 0
    listed = {row["node"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name: row["events"] for name, row in listed.items()} == sent
    assert {listed[name]["node_type"] for name in ("platform-1", "dss-design", "api-1")} == {"server", "design", "api"}
    assert {row["state"] for row in listed.values()} == {"sending"}


def test_another_story_does_not_go_into_the_same_folder(filled: Path) -> None:
    with pytest.raises(WhodidError) as refused:
        story_of(filled, events=None, days=None, seed=4)
    assert refused.value.code == "conflict"
    assert "seed 3" in refused.value.message


def test_a_folder_with_other_data_is_left_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal").mkdir()
    assert main(["demo", *SMALL, "--data", str(tmp_path)]) == 1
    assert "no demo" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken_is_named(
    filled: Path, taken_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--exit", "--port", str(taken_port), "--data", str(filled)]) == 1
    said = capfd.readouterr().err
    assert str(taken_port) in said
    assert "--port" in said


def test_the_usual_port_gives_way_to_a_free_one(
    filled: Path, taken_port: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.cli.demo.PORT_USUAL", taken_port)
    assert main(["demo", "--exit", "--data", str(filled)]) == 0
    assert f"Port {taken_port} is taken" in capfd.readouterr().err


def test_without_exit_it_serves_until_it_is_interrupted(filled: Path) -> None:
    command = [sys.executable, "-m", "whodid", "demo", "--port", "0", "--data", str(filled)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            deadline = time.monotonic() + 60
            while "Ctrl-C" not in (line := running.stderr.readline()):
                assert line, "it ended by itself"
                assert time.monotonic() < deadline
            running.send_signal(signal.SIGINT)
            assert running.wait(30) == 0
        finally:
            running.kill()
