"""A question that runs is stopped by who asked it, whichever engine answers."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from whodid.errors import WhodidError
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.stopping import ended_by_ctrl_c, stoppable, stopped

ENDLESS = "SELECT count(*) AS n FROM generate_series(1, 100000000) a, generate_series(1, 100000) b"


def asked(store: Any) -> tuple[WhodidError, float]:
    """Asks something without end, stops it soon, and tells what came of it and how long it took."""
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    begun = time.monotonic()
    with stoppable(stop), pytest.raises(WhodidError) as told:
        store.query(ENDLESS, timeout_ms=60_000, trusted=True)
    return told.value, time.monotonic() - begun


def test_duckdb_stops(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "events.duckdb", journal_path=tmp_path)
    try:
        error, took_s = asked(store)
        assert error.code == "timeout" and error.message == "The query was stopped."
        assert took_s < 10
        assert store.query("SELECT 1 AS one", trusted=True).table.num_rows == 1
    finally:
        store.close()


def test_postgresql_stops(postgresql_url: str) -> None:
    from whodid.stores.postgresql import PostgreSQLStore

    store = PostgreSQLStore(postgresql_url)
    try:
        error, took_s = asked(store)
        assert error.message == "The query was stopped."
        assert took_s < 10
        assert store.query("SELECT 1 AS one", trusted=True).table.num_rows == 1
    finally:
        store.close()


def test_ctrl_c_ends_work_whose_steps_are_long() -> None:
    ended = threading.Event()

    def long_step() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return ended.wait(60)

    with pytest.raises(KeyboardInterrupt):
        ended_by_ctrl_c(long_step, ended.set)
    assert ended.is_set()


def test_what_ends_by_itself_answers_or_raises_as_ever() -> None:
    assert ended_by_ctrl_c(lambda: 7, pytest.fail) == 7
    with pytest.raises(WhodidError, match="The query was stopped"):
        ended_by_ctrl_c(ask_in_vain, pytest.fail)


def ask_in_vain() -> None:
    raise stopped()
