"""The examples of docs/logger-python.md and of the README, run as they stand, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.logging_server import Scripted
from whodid.client import settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logger-python.md").read_text()
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

# What a reader does with an example: the types of events that have to come of it, and what is done after it.
GET = """
from starlette.testclient import TestClient
assert TestClient(app).get("/orders/7").json() == {"order": 7}
"""
DJANGO = """
import django
django.setup()
from django.test import Client
assert Client().get("/nowhere").status_code == 404
"""
EXPECTED = [
    ("the first", {"query-start", "usage"}, ""),
    ("methods", {"error", "info"}, ""),
    ("audit_sync", {"payment"}, ""),
    ("sessions", {"usage", "log"}, ""),
    ("callbacks", {"info"}, ""),
    ("functions", {"model-trained", "action-start"}, ""),
    ("logging", {"log"}, ""),
    ("asgi", {"http-request", "log"}, GET),
    ("django", {"http-request"}, DJANGO),
    ("sqlalchemy", {"row-created", "row-edited", "row-deleted"}, ""),
    ("uncaught", {"error"}, "raise ValueError('uncaught')"),
]
EXAMPLES = BLOCK.findall(PAGE)


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == len(EXPECTED)


@pytest.mark.parametrize(("number", "types", "after"), [(n, *each[1:]) for n, each in enumerate(EXPECTED)],
                         ids=[each[0] for each in EXPECTED])  # fmt: skip
def test_the_example_works_as_it_stands(number: int, types: set[str], after: str, tmp_path: Path) -> None:
    assert {event["type"] for event in events_of(EXAMPLES[number], after, tmp_path)} == types


def test_the_example_of_the_readme_tells_who_did_it(tmp_path: Path) -> None:
    (example,) = [block for block in BLOCK.findall(README) if "Logger()" in block]
    events = events_of(example, "", tmp_path)
    assert {event["type"] for event in events} == {"project-opened", "action-start"}
    assert {event["user"] for event in events} == {"erika"}
    assert len({event["session"] for event in events}) == 1


def events_of(example: str, after: str, tmp_path: Path) -> list[dict[str, Any]]:
    """What an example sends that is run as it stands."""
    with Scripted() as server:
        source = example.replace("http://127.0.0.1:8400", server.url)
        (tmp_path / "example.py").write_text(f"{source}\n{after}")
        environment = {
            **os.environ,
            settings.SERVER_VARIABLE: server.url,
            settings.SPOOL_VARIABLE: str(tmp_path / "spool"),
        }
        done = subprocess.run(
            [sys.executable, "example.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert ("Traceback" in done.stderr) == ("uncaught" in after), done.stderr
        return [event for request in server.requests for event in request]


def test_every_option_is_on_the_page() -> None:
    for name in settings.Settings.__struct_fields__:
        assert f"`{name}`" in PAGE, f"the option {name} is not documented"
