"""Nothing acknowledged is lost and nothing doubled, however the server dies.

A short round by default; `WHODID_CRASH_ROUNDS=200 pytest tests/way/test_crash.py` is the long one.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.posting import Sender, assert_exactly_once, wait_until_stored
from support.serving import ServerProcess
from whodid.journal.crash import POINTS
from whodid.plugins import STORES, load

ROUNDS = int(os.environ.get("WHODID_CRASH_ROUNDS", "4"))
LONG = ROUNDS >= 20
OCCURRENCES = (1, 10) if LONG else (1,)
SENDERS = 4
# Only reached where a journal is mended or keeps what targets need; `tests/journal` and `tests/dispatch` kill there.
ELSEWHERE = {"journal.after-quarantine", "journal.after-repair", "journal.before-recovery-seal", "journal.mid-keep"}
for name in ("duckdb", "postgresql"):
    load(STORES, name)  # which tells its points
SERVER_POINTS = sorted(name for name in POINTS.keys() - ELSEWHERE if name.startswith(("journal.", "store", "writer.")))

# The journal lies before the store and is the same under each: the short round kills there once.
KILLS = [
    (store, point)
    for store in ("duckdb", "postgresql")
    for point in SERVER_POINTS
    if LONG or store == "duckdb" or not point.startswith("journal.")
]

pytestmark = pytest.mark.crash


@contextmanager
def sending(server: ServerProcess, seed: int) -> Iterator[list[Sender]]:
    """Senders on `server` for the length of the block; at its end they are all answered."""
    senders = [Sender(server, f"sender-{number}", seed * 100 + number) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    yield senders
    for sender in senders:
        sender.finish()


def test_kill_at_random_moments(data: Path, free_port: int, store_options: list[str]) -> None:
    chance = random.Random(20_261_120)
    server = ServerProcess(data, *store_options, port=free_port).start()
    try:
        with sending(server, seed=1) as senders:
            for _ in range(ROUNDS):
                time.sleep(chance.uniform(0.02, 0.6))
                server.kill()
                server.start()
        assert assert_exactly_once(server, senders) > ROUNDS
    finally:
        server.kill()


@pytest.mark.parametrize("occurrence", OCCURRENCES)
@pytest.mark.parametrize(("store_options", "point"), KILLS, indirect=["store_options"])
def test_kill_at_a_named_point(
    point: str, occurrence: int, data: Path, free_port: int, store_options: list[str]
) -> None:
    doomed = ServerProcess(
        data, *store_options, port=free_port, environment={"WHODID_CRASH_AT": f"{point}:{occurrence}"}
    )
    server = ServerProcess(data, *store_options, port=free_port)
    doomed.start(wait=False)
    server.url = f"http://127.0.0.1:{free_port}"
    try:
        with sending(server, seed=occurrence) as senders:
            assert doomed.process.wait(180) == -signal.SIGKILL, f"{point} was never reached"
            server.start()
            wait_until_stored(server)
        assert_exactly_once(server, senders)
    finally:
        doomed.kill()
        server.kill()


def test_sigterm_finishes_what_was_accepted(data: Path, free_port: int, store_options: list[str]) -> None:
    server = ServerProcess(data, *store_options, port=free_port).start()
    try:
        with sending(server, seed=7) as senders:
            time.sleep(0.5)
            assert server.stop() == 0
            assert not list((data / "journal").glob("*.open")), "a clean stop leaves no open segment"
            server.start()
        assert_exactly_once(server, senders)
    finally:
        server.kill()
