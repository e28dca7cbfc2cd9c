"""Several servers on one PostgreSQL, each with its own journal: no leader, no double, and what a lost disk means."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.posting import Sender, assert_exactly_once, wait_until_stored
from support.serving import ServerProcess
from whodid.event import new_id
from whodid.stores.postgresql_schema import WRITE_LOCK

pytestmark = pytest.mark.postgresql
QUICK = {"WHODID_RECEIVER_SILENT_S": "2"}


@contextmanager
def receiving(tmp_path: Path, url: str, *names: str, **environment: str) -> Iterator[list[ServerProcess]]:
    """Servers of these names on one database."""
    with ExitStack() as stack:
        servers = []
        for name in names:
            told = {**QUICK, "WHODID_RECEIVER_NAME": name, **environment}
            server = ServerProcess(tmp_path / name, "--store", url, environment=told)
            stack.callback(server.kill)
            servers.append(server.start())
        yield servers


def post(server: ServerProcess, ids: list[str]) -> dict[str, Any]:
    events = [{"id": one, "time": _now(), "type": "query-start", "user": "erika"} for one in ids]
    status, answer = server.request("POST", "/v1/events", events)
    assert status == 200, answer
    told: dict[str, Any] = answer
    return told


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} within {timeout_s} s"
        time.sleep(0.05)
    return found


def receivers(server: ServerProcess) -> dict[str, dict[str, Any]]:
    """What a server tells of all, by name and id."""
    status, answer = server.request("GET", "/v1/receivers")
    assert status == 200, answer
    return {key: one for one in answer["receivers"] for key in (one["name"], one["receiver"])}


def told_of(server: ServerProcess, kind: str) -> list[dict[str, Any]]:
    wait_until_stored(server)
    return server.query(f"SELECT entity_name, parameters FROM events WHERE type = '{kind}' ORDER BY time")


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def test_what_is_sent_to_several_is_stored_once(tmp_path: Path, postgresql_url: str) -> None:
    with receiving(tmp_path, postgresql_url, "a", "b") as (a, b):
        senders = [Sender(server, server.data.name, seed) for seed, server in enumerate((a, b, a))]
        for sender in senders:
            sender.start()
        both = [new_id() for _ in range(300)]
        for begin in range(0, 300, 30):
            for server in (a, b):
                assert post(server, both[begin : begin + 30])["accepted"] >= 0
        for sender in senders:
            sender.finish()
        wait_until_stored(a)
        senders[0].acknowledged.update(both)
        assert_exactly_once(b, senders)
        assert receivers(a).keys() == receivers(b).keys()
        assert [receivers(b)[name]["state"] for name in ("a", "b")] == ["serving", "serving"]
        lines = [line for line in _status(a).splitlines() if line.startswith("receiver")]
        assert len(lines) == 2
        assert f"a {a.url}" in lines[0] and "(this one)" in lines[0]
        assert f"b {b.url}" in lines[1] and "serving" in lines[1]
        assert [row["entity_name"] for row in told_of(a, "receiver-registered")] == ["b"]


def test_a_lost_disk_is_a_gap_that_everybody_sees(tmp_path: Path, postgresql_url: str) -> None:
    with receiving(tmp_path, postgresql_url, "a", "b") as (a, b):
        stored = [new_id() for _ in range(20)]
        post(a, stored)
        wait_until_stored(a)
        with psycopg.connect(postgresql_url) as other:
            # Nobody may write meanwhile, so that `a` acknowledges what it cannot store.
            other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
            before = receivers(b)["a"]["acknowledged"]
            lost = [new_id() for _ in range(50)]
            post(a, lost)
            own = wait_for(lambda: _acknowledged(b, "a", before + 50), "sign of life with the new numbers")
            a.kill()
            shutil.rmtree(a.data)
        silent = wait_for(lambda: _in_state(b, own["receiver"], "silent"), "silent receiver")
        # The 50, and whatever whodid itself noted of being asked.
        waiting = silent["unsettled_events"]
        assert 50 <= waiting < 60
        assert f"up to {waiting} events wait in its journal" in _status(b)
        a.start()
        gone = wait_for(lambda: _in_state(b, own["receiver"], "lost"), "lost receiver")
        assert gone["replaced_by"] == receivers(b)["a"]["receiver"] != gone["receiver"]
        assert (gone["lost_events"], gone["lost_last"]) == (waiting, own["acknowledged"])
        held = f"SELECT count(*) FROM events WHERE receiver = '{own['receiver']}'"
        assert b.scalar(held) + gone["lost_events"] == own["acknowledged"], "what is not stored is the gap"
        for server in (a, b):
            assert f"{waiting} events lost, numbers {gone['lost_first']} to {gone['lost_last']}" in _status(server)
        metrics = b.text("/metrics")
        assert f'whodid_receiver_lost_events{{receiver="{own["receiver"]}",name="a"}} {waiting}' in metrics
        (event,) = told_of(b, "receiver-lost")
        told = event["parameters"] if isinstance(event["parameters"], dict) else json.loads(event["parameters"])
        assert (told["after"]["events"], told["after"]["first"]) == (waiting, gone["lost_first"])
        # The senders still have what they were told was safe elsewhere, too: it is taken in once.
        assert post(b, [*stored, *lost])["accepted"] == 70
        wait_until_stored(b)
        assert b.scalar("SELECT count(*) FROM events WHERE type = 'query-start'") == 70
        retired = _whodid("receiver", "retire", own["receiver"], "--data", str(b.data))
        assert f"{waiting} events that are not stored: numbers {gone['lost_first']} to {gone['lost_last']}" in retired
        left = json.loads(_whodid("receiver", "list", "--output", "json", "--data", str(b.data)))
        assert [one["state"] for one in left] == ["serving", "serving"]


def test_a_killed_one_loses_nothing_and_is_back(tmp_path: Path, postgresql_url: str) -> None:
    with receiving(tmp_path, postgresql_url, "a", "b") as (a, b):
        with psycopg.connect(postgresql_url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
            post(a, [new_id() for _ in range(50)])
            a.kill()
        wait_for(lambda: receivers(b)["a"]["state"] == "silent", "silent receiver")
        assert b.request("DELETE", "/v1/receivers/b")[0] == 409, "one that is there is not given up"
        a.start()
        wait_for(lambda: receivers(b)["a"]["state"] == "serving", "receiver that is back")
        wait_until_stored(a)
        assert b.scalar("SELECT count(*) FROM events WHERE type = 'query-start'") == 50
        assert receivers(b)["a"]["lost_events"] == 0
        assert [row["entity_name"] for row in told_of(b, "receiver-silent")] == ["a"]
        assert [row["entity_name"] for row in told_of(b, "receiver-back")] == ["a"]


def test_one_that_stops_says_so_and_is_not_missed(tmp_path: Path, postgresql_url: str) -> None:
    with receiving(tmp_path, postgresql_url, "a", "b", WHODID_RECEIVER_SILENT_S="1") as (a, b):
        post(a, [new_id() for _ in range(50)])
        assert a.stop() == 0
        stopped = receivers(b)["a"]
        assert (stopped["state"], stopped["unsettled_events"]) == ("stopped", 0)
        time.sleep(2.5)
        assert receivers(b)["a"]["state"] == "stopped"
        assert "problem" not in _status(b)


def _acknowledged(server: ServerProcess, name: str, least: int) -> dict[str, Any] | None:
    found = receivers(server)[name]
    return found if found["acknowledged"] >= least else None


def _in_state(server: ServerProcess, receiver: str, state: str) -> dict[str, Any] | None:
    found = receivers(server)[receiver]
    return found if found["state"] == state else None


def _status(server: ServerProcess) -> str:
    return _whodid("status", "--data", str(server.data))


def _whodid(*words: str) -> str:
    command = [sys.executable, "-m", "whodid", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
