"""`whodid retention` on a folder without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from whodid import cli

Captured = pytest.CaptureFixture[str]


def test_what_would_go_is_said_before_it_is_set(tmp_path: Path, capsys: Captured) -> None:
    data = str(tmp_path / "data")
    old = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    lines = [{"type": "click", "level": "debug", "time": old}, {"type": "click", "level": "usage", "time": old}]
    (tmp_path / "events.ndjson").write_text("\n".join(map(json.dumps, lines)))
    assert cli.main(["import", str(tmp_path / "events.ndjson"), "--data", data]) == 0
    capsys.readouterr()

    def run(*words: str) -> tuple[int, str]:
        code = cli.main(["retention", *words, "--data", data])
        return code, capsys.readouterr().out

    assert run("show", "-o", "table") == (0, "Everything is kept for ever.\n")
    assert run("set", "debug=30", "usage=50", "--dry-run") == (
        0,
        "debug: 1 event is older than 30 days.\nusage: 0 events are older than 50 days.\nNothing was changed.\n",
    )
    assert json.loads(run("show", "-o", "json")[1])[0]["levels"] == {}
    assert run("set", "debug=30", "usage=50", "sessions=365")[0] == 0
    assert run("set", "usage=forever")[1].endswith(
        "debug: 30 days\nsessions: 365 days\nEverything else is kept for ever.\n"
    )
    assert run("run")[0] == 0


@pytest.mark.parametrize("words", [(), ("debug",), ("debug=soon",), ("loud=3",), ("debug=0",)])
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert cli.main(["retention", "set", *words, "--data", str(tmp_path / "data")]) == cli.WRONG_USE
