"""How a target stands may be asked at any time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from support.targets import Watched
from whodid import durable
from whodid.dispatch import cursor


def test_how_a_target_stands_may_be_asked_while_it_begins(running: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = durable.replace
    inside: list[Path] = []
    begun, together = threading.Event(), threading.Event()

    def slow(path: Path, data: bytes) -> None:
        if path.name != cursor.NAME:
            replace(path, data)
            return
        inside.append(path)
        begun.set()
        if len(inside) > 1:
            together.set()
        together.wait(0.2)
        replace(path, data)
        inside.remove(path)

    monkeypatch.setattr(durable, "replace", slow)
    states: list[str] = []

    def ask() -> None:
        begun.wait(10)
        states.append(running.status("siem").state)

    asking = threading.Thread(target=ask)
    asking.start()
    running.create("siem")
    asking.join(10)
    assert states and not together.is_set(), "both write where it begins"
