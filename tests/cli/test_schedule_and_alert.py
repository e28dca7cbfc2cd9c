"""`whodid schedule`, `whodid alert` and `whodid mail` on a folder without a server."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from support.mail import PASSWORD, USER, MailBox
from support.webhooks import receiver
from whodid import cli

Captured = pytest.CaptureFixture[str]


def test_a_schedule_by_command_line(tmp_path: Path, capsys: Captured) -> None:
    data = str(tmp_path / "data")
    lake = tmp_path / "lake"
    lake.mkdir()

    def run(*words: str) -> tuple[int, str]:
        code = cli.main([*words, "--data", data])
        return code, capsys.readouterr().out

    assert run("connection", "create", "lake", "--kind", "folder", "--option", f"path={lake}")[0] == 0
    words = ("--report", "users", "--cron", "@weekly", "--zone", "Europe/Berlin", "--param", "since=7d",
             "--param", "users=erika", "--param", "users=otto", "--to", "lake:users", "--as-nobody")  # fmt: skip
    code, told = run("schedule", "create", "weekly", *words, "--dry-run", "-o", "table")
    assert code == 0 and "rows would go to lake:users/weekly_" in told
    assert run("schedule", "create", "weekly", *words)[0] == 0
    assert run("schedule", "create", "weekly", *words)[0] == 1
    code, told = run("schedule", "list", "-o", "json")
    (listed,) = json.loads(told)
    assert listed["parameters"] == {"since": "7d", "users": ["erika", "otto"]} and listed["cron"] == "0 0 * * 1"
    code, told = run("schedule", "run", "weekly", "-o", "json")
    assert code == 0 and json.loads(told)[0]["state"] == "done"
    assert [path.suffix for path in (lake / "users").iterdir()] == [".csv"]
    assert run("schedule", "pause", "weekly")[1] == "Paused the schedule weekly.\n"
    assert run("schedule", "resume", "weekly")[1].startswith("Resumed the schedule weekly; it runs next at ")
    assert run("schedule", "change", "weekly", "--cron", "* * * * * *")[0] == 2
    (ran,) = json.loads(run("schedule", "runs", "weekly", "-o", "json")[1])
    assert (ran["rows"], ran["total"]) == (0, 0)
    assert run("schedule", "delete", "weekly")[0] == 0
    assert run("schedule", "create", "none", "--report", "users")[0] == 2


def test_alerts_and_mail_by_command_line(tmp_path: Path, capsys: Captured, box: MailBox) -> None:
    data = str(tmp_path / "data")

    def run(*words: str) -> tuple[int, str]:
        code = cli.main([*words, "--data", data])
        return code, capsys.readouterr().out

    for early in (
        ("alert", "create", "early", "--kind", "new-error-group"),
        ("schedule", "create", "early", "--report", "users", "--cron", "@daily"),
    ):
        assert cli.main([*early, "--mail", "a@example.com", "--data", data]) == 0
        assert "There is no mail server yet: whodid mail set --help" in capsys.readouterr().err
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "ca.pem").write_text(box.ca)
    words = ("--host", "localhost", "--port", str(box.port), "--sender", "audit@example.com", "--user", USER,
             "--password-file", str(tmp_path / "password"), "--certificates", str(tmp_path / "ca.pem"))  # fmt: skip
    assert run("mail", "set", *words)[0] == 0
    assert cli.main(["alert", "change", "early", "--mail", "b@example.com", "--data", data]) == 0
    assert "no mail server" not in capsys.readouterr().err
    assert run("mail", "test", "--to", "erika@example.com")[1] == "The mail server took a test for erika@example.com.\n"
    code, told = run("mail", "show", "-o", "json")
    assert code == 0 and PASSWORD not in told
    with receiver() as hook:
        (tmp_path / "url").write_text(hook.url)
        code, told = run("alert", "webhook", "ops", "--url-file", str(tmp_path / "url"), "--test")
        assert told == "The webhook ops goes to 127.0.0.1.\nops answered 200.\n"
    code, told = run("alert", "kinds", "-o", "json")
    assert any(row["kind"] == "event" and row["default"] == "(needed)" for row in json.loads(told))
    options = ("--kind", "report", "--option", "report=users", "--option", "column=events", "--option", "value=1",
             "--option", "parameters=since=7d,limit=5", "--webhook", "ops", "--mail", "a@example.com")  # fmt: skip
    assert run("alert", "create", "busy", *options, "--dry-run")[0] == 0
    assert run("alert", "create", "busy", *options)[0] == 0
    assert run("alert", "create", "roles", "--kind", "event", "--option", "types=role-*,target-paused")[0] == 0
    code, told = run("alert", "list", "-o", "json")
    found = {one["name"]: one["options"] for one in json.loads(told)}
    assert found["roles"] == {"types": ["role-*", "target-paused"]}
    assert found["busy"]["parameters"] == {"since": "7d", "limit": "5"}
    assert run("alert", "mute", "roles", "--alert", "--until", "2h")[1].startswith("roles is muted until ")
    assert run("alert", "mute", "roles", "--alert", "--end")[1] == "roles is muted no longer.\n"
    assert run("alert", "change", "busy", "--severity", "critical", "--off")[0] == 0
    assert run("alert", "firing")[0] == 0
    assert run("alert", "resolve", "abcd")[0] == 1
    assert run("alert", "delete", "busy")[0] == 0


def test_what_is_tried_once_does_not_say_that_it_is_tried_again(tmp_path: Path, capsys: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = str(nobody.getsockname()[1])
    where = ("--data", str(tmp_path / "data"))
    assert cli.main(["mail", "set", "--host", "127.0.0.1", "--port", port, "--sender", "a@example.com", *where]) == 0
    options = (
        "--kind",
        "syslog",
        "--option",
        "host=127.0.0.1",
        "--option",
        f"port={port}",
        "--option",
        "transport=tcp",
    )
    assert cli.main(["target", "create", "log", *options, *where]) == 0
    for words in (("mail", "test", "--to", "erika@example.com"), ("target", "test", "log")):
        capsys.readouterr()
        assert cli.main([*words, *where]) == cli.FAILED
        said = capsys.readouterr().err
        assert "whether this machine can reach it." in said and "again" not in said
