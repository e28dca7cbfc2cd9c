"""Loads that are brought ahead, without an engine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from whodid.stores import clickhouse_load

# Sessions and loads are plain values here.
brought: Any = clickhouse_load.brought

ENDS_MEANWHILE = """
import threading
from whodid.stores import clickhouse_load

is_bringing = threading.Event()

def bring(session, batches):
    is_bringing.set()
    threading.Event().wait()

clickhouse_load.Load = bring
threading.Thread(target=lambda: list(clickhouse_load.brought(lambda number: None, [[1]])), daemon=True).start()
assert is_bringing.wait(30)
"""


def test_a_process_ends_while_the_engine_stands_still() -> None:
    subprocess.run([sys.executable, "-c", ENDS_MEANWHILE], check=True, timeout=60)


def test_loads_come_in_order_from_two_sessions_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse_load, "Load", lambda session, batches: (session, batches))
    assert list(brought(lambda number: number, [])) == []
    loads = list(brought(lambda number: number, ["a", "b", "c"]))
    assert loads == [(0, "a"), (1, "b"), (0, "c")]


def test_what_cannot_be_brought_is_told_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def bring(session: int, batches: str) -> str:
        if batches == "b":
            raise ValueError("b is broken")
        return batches

    monkeypatch.setattr(clickhouse_load, "Load", bring)
    loads = brought(lambda number: number, ["a", "b", "c"])
    assert next(loads) == "a"
    with pytest.raises(ValueError, match="b is broken"):
        next(loads)
