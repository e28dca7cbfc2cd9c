"""A store of every kind to run the contract on, with a place where it can be closed, opened again and crashed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from support.batches import Batches, FileBatch
from whodid.plugins import STORES, load
from whodid.stores.base import Store

_WRITE = """
import pickle, sys
from whodid.plugins import STORES, load
kind, place, journal, batches = pickle.load(sys.stdin.buffer)
store = load(STORES, kind)(place, journal_path=journal) if kind == "duckdb" else load(STORES, kind)(place)
store.write(batches)
store.close()
"""


class StorePlace:
    """Where one store lives. `open()` opens it, again and again; what is open at the end is closed."""

    def __init__(self, kind: str, place: Path | str, folder: Path):
        self.kind = kind
        self.journal_path = folder / "journal"
        self._place = place
        self._open: list[Store] = []

    def open(self) -> Store:
        maker = load(STORES, self.kind)
        store: Store = (
            maker(self._place, journal_path=self.journal_path) if self.kind == "duckdb" else maker(self._place)
        )
        self._open.append(store)
        return store

    def batches(self, receiver: str = "receiver-a") -> Batches:
        return Batches(self.journal_path, receiver)

    def write_in_child(self, batches: Sequence[FileBatch], crash_at: str) -> int:
        """Write in a process of its own that dies at a crash point; returns its exit code."""
        ran = subprocess.run(
            [sys.executable, "-c", _WRITE],
            input=pickle.dumps((self.kind, self._place, self.journal_path, list(batches))),
            env={**os.environ, "WHODID_CRASH_AT": crash_at, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
            timeout=60,
        )
        return ran.returncode

    def close(self) -> None:
        for store in self._open:
            store.close()


@pytest.fixture(params=sorted(STORES))
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePlace]:
    kind = request.param
    place = tmp_path / "events.duckdb" if kind == "duckdb" else request.getfixturevalue(f"{kind}_url")
    store_place = StorePlace(kind, place, tmp_path)
    yield store_place
    store_place.close()


@pytest.fixture
def store(store_place: StorePlace) -> Store:
    return store_place.open()


@pytest.fixture
def batches(store_place: StorePlace) -> Batches:
    return store_place.batches()
