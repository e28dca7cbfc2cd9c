"""The examples of docs/datasets.md and docs/targets.md, run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb

from whodid.datasets.dataset import Dataset
from whodid.datasets.engine_sql import view

DOCS = Path(__file__).parents[2] / "docs"


def examples(page: str) -> str:
    """The commands of a page that are to be run."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    return "\n".join(blocks)


def test_the_examples_work_as_they_stand(tmp_path: Path) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    command = bin_folder / "whodid"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m whodid "$@"\n')
    command.chmod(0o700)
    done = subprocess.run(
        ["bash", "-e", "-c", examples("datasets.md") + examples("targets.md")],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"name":"design|2026-11-20"' in done.stdout
    assert "design|2026-11-20,INFO,dku.audit.generic,application-open,ada," in done.stdout
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (imported,) = [line["summary"] for line in told if "summary" in line]
    assert (imported["events"], imported["stored"]) == (1, 1)
    (tested,) = [line for line in told if "answer" in line]
    assert tested["answer"].startswith("1 file with 1 event")
    (dry,) = [line for line in told if "looked_at" in line]
    assert dry["types"]["target-created"] == 1
    with duckdb.connect() as connection:
        connection.execute((tmp_path / "audit.sql").read_text())
        found = connection.execute("SELECT partition_node_type, partition_year, message FROM audit").fetchall()
    assert [row[:2] for row in found] == [("design", "2026")]


def test_what_is_no_record_does_not_break_a_view(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text('{"a":1}\nno record\n{"a":2}\n')
    made = Dataset(name="logs", connection="c")
    with duckdb.connect() as connection:
        connection.execute(view(made, f"file://{tmp_path}", "duckdb", []))
        assert connection.execute("SELECT a FROM logs ORDER BY a").fetchall() == [(1,), (2,), (None,)]
