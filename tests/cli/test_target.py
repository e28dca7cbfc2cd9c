"""`whodid target`, with a server and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.endpoint import Endpoint
from support.serving import ServerProcess
from support.targets import wait_until
from whodid import cli

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(key="hunter2") as found:
        yield found


def run(*words: str) -> int:
    return cli.main(["target", *words])


def test_a_target_by_command_line(tmp_path: Path, endpoint: Endpoint, capsys: Captured) -> None:
    data = str(tmp_path / "data")
    (tmp_path / "key").write_text("hunter2\n")
    server = ServerProcess(tmp_path / "data").start()
    try:
        words = ("--option", f"url={endpoint.url}", "--option", f"key=@{tmp_path / 'key'}", "--type", "login*")
        assert run("create", "siem", "http", *words, "--hash", "user", "--data", data) == 0
        assert "hunter2" not in capsys.readouterr().out
        event = {"type": "login", "user": "ada"}
        assert server.request("POST", "/v1/events", [event, {"type": "query-start"}])[0] == 200
        wait_until(lambda: len(endpoint.requests) == 1)
        (sent,) = endpoint.requests[0].events
        assert sent["type"] == "login" and sent["user"].startswith("hmac-sha256:")
        assert run("test", "siem", "--data", data, "-o", "json") == 0
        assert json.loads(capsys.readouterr().out)[0]["answer"] == "200 OK thanks"
        assert run("test", "siem", "--dry-run", "--since", "1d", "--data", data, "-o", "json") == 0
        assert json.loads(capsys.readouterr().out)[0]["types"] == {"login": 1}
        assert run("list", "--data", data, "-o", "json") == 0
        (listed,) = json.loads(capsys.readouterr().out)
        assert (listed["name"], listed["state"], listed["sent"]) == ("siem", "running", 1)
        assert run("change", "siem", "--take-all", "--truncate", "description=10", "--data", data, "-o", "json") == 0
        (changed,) = json.loads(capsys.readouterr().out)
        assert (changed["selection"], changed["shaping"]) == ({}, {"truncated": {"description": 10}})
        for verb in ("pause", "resume"):
            assert run(verb, "siem", "--data", data) == 0
        assert capsys.readouterr().out == "Paused the target siem.\nResumed the target siem.\n"
        assert cli.main(["status", "--data", data]) == 0
        assert "siem (http): " in capsys.readouterr().out
        assert run("delete", "siem", "--data", data) == 0
    finally:
        server.kill()


def test_targets_are_made_and_seen_without_a_server(tmp_path: Path, endpoint: Endpoint, capsys: Captured) -> None:
    data = str(tmp_path / "data")
    words = ("--option", f"url={endpoint.url}", "--option", "key=hunter2", "--start", "beginning")
    assert run("create", "siem", "http", *words, "--data", data) == 0
    capsys.readouterr()
    assert run("list", "--data", data, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "stopped"
    assert run("show", "siem", "--data", data, "-o", "json") == 0
    shown = capsys.readouterr().out
    assert json.loads(shown)[0]["options"]["key"] == "***" and "hunter2" not in shown
    server = ServerProcess(tmp_path / "data").start()
    try:
        wait_until(lambda: endpoint.requests)
        assert endpoint.requests[0].events[0]["type"] == "target-created"
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--option", "url"), "Write it as --option NAME=VALUE"),
        (("--option", "key=@/nowhere"), "The option key cannot be read from /nowhere"),
        (("--truncate", "description"), "Write it as --truncate NAME=100"),
        (("--truncate", "description=²"), "Write it as --truncate NAME=100"),
    ],
)
def test_words_that_make_no_sense_are_told(
    tmp_path: Path, capsys: Captured, words: tuple[str, ...], complaint: str
) -> None:
    assert run("create", "x", "http", *words, "--data", str(tmp_path / "data")) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_kinds_are_told_before_there_is_anything(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("kinds", "files", "-o", "json") == 0
    assert {row["kind"] for row in json.loads(capsys.readouterr().out)} == {"files"}
    assert cli.main(["connection", "kinds", "-o", "json"]) == 0
    assert {"folder", "s3"} <= {row["kind"] for row in json.loads(capsys.readouterr().out)}
    assert run("kinds", "nonsense") == 2
    assert not list(tmp_path.iterdir())


def test_kinds_and_mistakes_are_told(tmp_path: Path, capsys: Captured) -> None:
    data = str(tmp_path / "data")
    assert run("create", "x", "http", "--data", data) == 2
    assert "The option url is missing" in capsys.readouterr().err
    assert run("kinds", "--data", data, "-o", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    key = next(row for row in rows if (row["kind"], row["option"]) == ("http", "key"))
    assert key["help"].endswith("(secret)")
    assert run("show", "nobody", "--data", data) == 1
    assert "There is no target 'nobody'." in capsys.readouterr().err
