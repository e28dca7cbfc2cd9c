"""The prompt of `whodid query`."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from support.reading import event
from whodid import open as open_reader
from whodid.cli.console import Console, SqlCompleter
from whodid.config import Config
from whodid.engine import Engine
from whodid.reading import Reader


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with Engine.open(Config(data=str(folder))) as engine:
        engine.record(event("query-start", user="erika"))
        engine.record(event("script-start", user="max"))
        engine.flush()
    return folder


@pytest.fixture
def reader(data: Path) -> Iterator[Reader]:
    with open_reader(data) as opened:
        yield opened


def said(reader: Reader, capsys: pytest.CaptureFixture[str], *texts: str) -> tuple[str, str]:
    """What a conversation of these inputs prints, and notes on standard error."""
    waiting = list(texts)

    def prompt() -> str:
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    Console(reader, prompt=prompt).run()
    captured = capsys.readouterr()
    return captured.out, captured.err


def completions(text: str) -> list[str]:
    return [found.text for found in SqlCompleter().get_completions(Document(text), CompleteEvent())]


def test_statements_are_answered_one_after_the_other(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT type FROM events WHERE type LIKE '%-start' ORDER BY type;"
    out, err = said(reader, capsys, r"\o csv", sql, "SELECT 7 AS seven;")
    assert out.split() == ["type", "query-start", "script-start", "seven", "7"]
    assert "2 rows in" in err
    assert "1 row in" in err


def test_a_mistake_ends_only_its_statement(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(reader, capsys, "SELEC 1;", "DELETE FROM events;", r"\nonsense", r"\o csv", "SELECT 1 AS one;")
    assert out.split() == ["one", "1"]
    assert err.count("whodid: ") == 3


def test_rows_one_below_the_other(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(reader, capsys, r"\x", "SELECT 1 AS one, NULL AS nothing;")
    assert out.splitlines() == ["-- 1", "one      1", "nothing  –"]


def test_help_columns_and_examples_that_run(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(reader, capsys, r"\?", r"\d", r"\examples")
    assert r"\q" in err
    assert "duration_ms" in out
    examples = [line for line in out.splitlines() if line.startswith("SELECT")]
    _, err = said(reader, capsys, *examples)
    assert err.count("in ") >= len(examples)
    assert "whodid: " not in err


def test_completion_knows_columns_and_types() -> None:
    assert "duration_ms" in completions("SELECT dur")
    assert '"user"' in completions("SELECT us")
    assert "query-start" in completions("SELECT * FROM events WHERE type = 'query-s")
    assert completions("SELECT * FROM events WHERE type = 'query-start' AND zzz") == []
    assert completions(r"\d") == []


def test_on_a_terminal_it_asks_and_remembers(data: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "whodid", "query", "--data", str(data)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    os.close(slave)
    shown = b""

    def until(wanted: bytes) -> None:
        nonlocal shown
        deadline = time.monotonic() + 30
        while wanted not in shown:
            assert time.monotonic() < deadline, shown
            if select.select([master], [], [], 0.2)[0]:
                shown += os.read(master, 65536)

    try:
        until(b"whodid>")
        os.write(master, b"SELECT 40 + 2 AS\rsum;\r")
        until(b"1 row in")
        assert b"42" in shown
        os.write(master, b"\\q\r")
        assert child.wait(timeout=20) == 0
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        os.close(master)
    assert "SELECT 40 + 2 AS\n+sum;" in (tmp_path / "whodid" / "query-history").read_text()
