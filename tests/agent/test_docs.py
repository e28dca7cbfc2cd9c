"""The example of docs/event-server.md, run as it stands, and what the page tells of."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from support.agents import AgentProcess
from whodid.agent.settings import Settings
from whodid.cli.agent import app

PAGE = (Path(__file__).parents[2] / "docs" / "event-server.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
# Nodes are written down every second, and the archive holds the collector's own events as well.
SETTLE = """for i in $(seq 100); do
  find archive -path '*/2026/02/19/*.json.gz' 2> /dev/null | grep -q . \\
    && whodid node list --data central | grep -q design-1 && break
  sleep 0.2
done
"""


def test_the_example_works_as_it_stands(tmp_path: Path, free_port: int) -> None:
    central, node = (block.replace("8400", str(free_port)) for block in BLOCKS)
    node = node.replace("whodid node list", SETTLE + "whodid node list")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    command = bin_folder / "whodid"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m whodid "$@"\n')
    command.chmod(0o700)
    script = f"set -e\ntrap 'kill %1; wait' EXIT\n{central}\n{node}"
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "1 event taken" in done.stderr
    assert '"node":"design-1","node_type":"design"' in done.stdout
    files = sorted((tmp_path / "archive" / "generic" / "none" / "2026" / "02" / "19" / "15").glob("*.json.gz"))
    lines = [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [line["clientEvent"]["msgType"] for line in lines] == ["application-open"]
    assert lines[0]["origAddress"] == "127.0.0.1"
    assert lines[0]["serverTimestamp"] == "2026-02-19T15:05:02.441+0000"
    assert not (tmp_path / "queries").exists() or not list((tmp_path / "queries").rglob("*.json.gz"))


def test_a_file_that_is_missing_is_told_when_it_is_read_once(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "state", [tmp_path / "audit.log"], ["http://127.0.0.1:1"], "--once")
    assert agent.run() == 1
    assert "audit.log (live) cannot be read: No such file or directory" in agent.said()


def test_every_option_is_in_the_help() -> None:
    names = set(Settings.__struct_fields__) - {"servers", "paths"}
    shown = {
        name.lstrip("-").replace("-", "_") for argument in app.assemble_argument_collection() for name in argument.names
    }
    assert names <= shown
