"""Roles and passwords from the command line, with and without a server."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from whodid import cli
from whodid.config import Config
from whodid.engine import Engine
from whodid.serve import Server

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, data: Path, *words: str) -> tuple[int, str]:
    code = cli.main([*words, "--data", str(data)])
    return code, capsys.readouterr().out


def test_the_first_administrator_is_made_before_the_server_starts(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    assert run(capsys, data, "user", "create", "ada")[0] == cli.DONE
    assert run(capsys, data, "role", "grant", "admin", "--user", "ada")[0] == cli.DONE
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple\n"))
    code, told = run(capsys, data, "user", "password", "ada")
    assert (code, told) == (cli.DONE, "ada has a new password.\n")
    with Engine.open(Config(data=str(data))) as engine:
        assert engine.directory.check_password("ada", "correct horse battery staple").login == "ada"


def test_roles_are_listed_and_revoked(tmp_path: Path, capsys: Captured) -> None:
    data = tmp_path / "data"
    run(capsys, data, "group", "create", "chemists")
    words = ("role", "grant", "reader", "--group", "chemists", "--project", "CHEM", "--entity", "dataset:*", "--no-own")
    assert run(capsys, data, *words)[0] == cli.DONE
    code, told = run(capsys, data, "role", "list", "--output", "ndjson")
    grant = json.loads(told)
    assert (code, grant["group"], grant["projects"], grant["own"]) == (cli.DONE, "chemists", ["CHEM"], False)
    short = grant["id"][:8]
    assert f"│{short} " in run(capsys, data, "role", "list", "--output", "table")[1]
    assert run(capsys, data, "role", "revoke", short)[0] == cli.DONE
    assert run(capsys, data, "role", "revoke", grant["id"])[0] == cli.FAILED
    assert run(capsys, data, "role", "grant", "king", "--group", "chemists")[0] == cli.WRONG_USE


def test_a_link_signs_in_with_the_roles_of_its_user_and_another_chooses_a_password(
    tmp_path: Path, capsys: Captured
) -> None:
    server = Server(Config(data=tmp_path / "data", port=0))
    server.start()
    try:
        data = tmp_path / "data"
        assert run(capsys, data, "user", "sign-in", "ghost")[0] == cli.FAILED
        run(capsys, data, "user", "create", "ada")
        run(capsys, data, "role", "grant", "auditor", "--user", "ada")
        token = run(capsys, data, "user", "sign-in", "ada")[1].strip().partition("token=")[2]
        session, _ = server.engine.directory.sign_in(token)
        assert (session.user, session.scopes) == ("ada", ())
        link = run(capsys, data, "user", "password", "ada", "--link")[1].strip()
        assert link.startswith(f"{server.url}/password?token=")
        assert server.engine.directory.take_password_token(link.partition("token=")[2]) == "ada"
        assert run(capsys, data, "user", "password", "ada", "--remove")[0] == cli.DONE
    finally:
        server.close()
