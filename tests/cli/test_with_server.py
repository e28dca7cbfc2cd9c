"""The command line while a server owns the data folder, and against a server elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.imports import dss_lines, native_line, native_lines
from whodid import cli
from whodid.config import Config
from whodid.serve import Server

Captured = pytest.CaptureFixture[str]
DEADLINE_S = 30.0
WHODID = [sys.executable, "-c", "import sys; from whodid.cli import main; sys.exit(main())"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(Config(data=tmp_path / "data", port=0))
    running.start()
    yield running
    running.close()


def where(server: Server) -> list[str]:
    return ["--data", str(server.config.data)]


def test_the_owner_of_the_folder_is_asked_instead_of_opening_it(
    server: Server, tmp_path: Path, capsys: Captured
) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(dss_lines(range(2000)))
    assert cli.main(["import", str(log), *where(server)]) == cli.DONE
    server.engine.flush()
    capsys.readouterr()
    assert cli.main(["query", "SELECT count(*) AS n FROM events WHERE format <> 'x'", *where(server)]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["n"] >= 2000
    assert cli.main(["status", *where(server)]) == cli.DONE
    assert "ready" in capsys.readouterr().out
    assert cli.main(["import", str(log), *where(server)]) == cli.DONE
    assert "had been read before" in capsys.readouterr().out


def test_what_a_server_may_have_had_is_not_called_new(server: Server, tmp_path: Path, capsys: Captured) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(dss_lines(range(5)))
    again = ["import", str(log), "--again", *where(server)]
    assert cli.main(again) == cli.DONE
    capsys.readouterr()
    assert cli.main(again) == cli.DONE
    shown = capsys.readouterr().out
    assert "the server has them, and stores none twice." in shown
    assert "new" not in shown
    assert cli.main([*again, "-o", "json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["new_are_told"] is False


def test_events_that_a_server_does_not_take_are_told(server: Server, tmp_path: Path, capsys: Captured) -> None:
    _, bound = server.engine.directory.create_key("etl", ["write"], topics=["generic"])
    log = tmp_path / "events.ndjson"
    log.write_bytes(native_line(1, topic="generic") + native_line(2, topic="authfail"))
    there = ["import", str(log), "--again", "--server", server.url, "--key", bound]
    assert cli.main(there) == cli.DONE_IN_PART
    shown = capsys.readouterr().out
    assert "the server took 1 of them" in shown
    assert "1 event refused by the server, and kept as rejected there: forbidden: The key 'etl' may not write" in shown
    assert cli.main([*there, "-o", "json"]) == cli.DONE_IN_PART
    assert list(json.loads(capsys.readouterr().out)["refused"].values()) == [1]


def test_a_server_elsewhere_is_talked_to_with_a_key(
    server: Server, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["key", "create", "me", "--scope", "admin", *where(server)]) == cli.DONE
    key = json.loads(capsys.readouterr().out)["secret"]
    there = ["--server", server.url, "--key", key]
    log = tmp_path / "events.ndjson"
    log.write_bytes(native_lines(range(100)))
    assert cli.main(["import", str(log), *there]) == cli.DONE
    server.engine.flush()
    capsys.readouterr()
    assert cli.main(["events", "--type", "query-start", "--limit", "1000", *there]) == cli.DONE
    assert len(capsys.readouterr().out.splitlines()) == 100
    assert cli.main(["user", "create", "ada", *there]) == cli.DONE
    assert cli.main(["events", "--server", server.url, "--key", "wrong"]) == cli.FAILED
    shown = capsys.readouterr().err
    assert "unknown, revoked or expired" in shown
    assert "wrong" not in shown
    assert not (tmp_path / "whodid-data").exists()


def test_a_server_that_is_not_there_is_named(capsys: Captured) -> None:
    for verb in (["events"], ["status"], ["key", "list"]):
        assert cli.main([*verb, "--server", "http://127.0.0.1:1"]) == cli.FAILED
        assert "http://127.0.0.1:1 cannot be reached" in capsys.readouterr().err


def test_a_folder_that_another_import_owns_is_left_alone(tmp_path: Path, capsys: Captured) -> None:
    from whodid.journal.lock import FolderLock

    lock = FolderLock.acquire(tmp_path / "data")
    (tmp_path / "data" / "journal").mkdir()
    try:
        for verb in (["import", __file__], ["status"], ["events"]):
            assert cli.main([*verb, "--data", str(tmp_path / "data")]) == cli.FAILED
            assert f"in use by process {os.getpid()}" in capsys.readouterr().err
    finally:
        lock.release()


def test_a_sign_in_link_works_once(server: Server, capsys: Captured) -> None:
    assert cli.main(["user", "sign-in", *where(server)]) == cli.DONE
    link = capsys.readouterr().out.strip()
    with httpx.Client() as browser:
        assert browser.get(link).status_code < 400
    with httpx.Client() as browser:
        assert browser.get(link).status_code == 401


def test_live_events_are_followed(server: Server, tmp_path: Path) -> None:
    command = [*WHODID, "events", "--follow", "--type", "ping", *where(server), "-o", "ndjson"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        seen: list[str] = []
        reader = threading.Thread(target=lambda: seen.append(child.stdout.readline()))  # type: ignore[union-attr]
        reader.start()
        deadline = time.monotonic() + DEADLINE_S
        while not seen and time.monotonic() < deadline:
            httpx.post(f"{server.url}/v1/events", json={"type": "ping"})
            reader.join(0.2)
        child.send_signal(signal.SIGINT)
        assert child.wait(DEADLINE_S) == cli.INTERRUPTED
    assert json.loads(seen[0])["type"] == "ping"


def test_serve_says_where_and_drains_when_asked_to_stop(tmp_path: Path) -> None:
    command = [*WHODID, "serve", "--port", "0", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(6)]
        url = re.search(r"http://\S+", lines[0])
        assert url is not None
        assert str(tmp_path / "data") in lines[1]
        assert "sign-in?token=" in lines[4]
        assert "without a key" in lines[5]
        answer = httpx.post(f"{url[0]}/v1/events", json=[{"type": "ping"}] * 3)
        assert answer.json()["accepted"] == 3
        child.send_signal(signal.SIGTERM)
        _, errors = child.communicate(timeout=DEADLINE_S)
        assert child.returncode == cli.DONE
        assert "Traceback" not in errors
    from whodid import open as open_data

    with open_data(tmp_path / "data") as reader:
        assert len(reader.events(type="ping")) == 3


def test_a_reader_that_goes_away_ends_it_quietly(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "events.ndjson"
    log.write_bytes(native_lines(range(3000)))
    assert cli.main(["import", str(log), *where(server)]) == cli.DONE
    server.engine.flush()
    command = [*WHODID, "events", "--limit", "3000", *where(server)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(DEADLINE_S) == cli.DONE


def test_a_receiver_is_shown_line_by_line_with_what_it_says_of_itself(server: Server, capsys: Captured) -> None:
    name = server.engine.directory.receivers()[0].name
    assert cli.main(["receiver", "show", name, "--output", "table", *where(server)]) == 0
    shown = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["unsettled_events"] == "0"
    assert (shown["ready"], shown["targets"]) == ("True", "–")
    assert "standing" not in shown
