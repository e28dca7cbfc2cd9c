"""`whodid bench` on a real server: what it measures, what it says of it, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from whodid.benchmark import run
from whodid.benchmark.machine import Machine, look
from whodid.benchmark.payload import Bodies
from whodid.benchmark.run import QUESTIONS, Measured, measure
from whodid.benchmark.scale import figure
from whodid.benchmark.standing import report, standing
from whodid.errors import WhodidError
from whodid.event import Event

DISK_BYTES = 10**9 * int(figure("duckdb_bytes").value)
HERE = Machine(cores=4, memory_bytes=8 * 10**9, disk_free_bytes=DISK_BYTES, fdatasync_p50_ms=0.3, fdatasync_p99_ms=1.0)


def measured(**more: float) -> Measured:
    fields = {
        "seconds": 40.0, "ingest_1": figure("ingest_1").value / 2, "ingest_1_p99_ms": 4.0, "ingest_100": 300_000.0,
        "ingest_1000": 300_000.0,
        "store_load": 250_000.0, "sustained": 80_000.0, "processor_us": 10.0, "visible_p50_ms": 120.0,
        "visible_max_ms": 400.0, "asked_events": 2_000_000, "bytes_per_event": 40.0,
    }  # fmt: skip
    questions = {one.key: 12.0 for one in QUESTIONS}
    return Measured(machine=HERE, questions_ms=questions, **{**fields, **more})  # type: ignore[arg-type]


def test_it_measures_a_server_of_its_own(tmp_path: Path) -> None:
    told: list[float] = []
    found = measure(tmp_path, 1.0, lambda _, done: told.append(done))
    assert told == sorted(told) and told[-1] == 1.0
    assert found.machine.cores == look(tmp_path).cores
    assert min(found.ingest_1, found.ingest_100, found.ingest_1000, found.sustained) > 0
    assert found.asked_events > 0
    assert set(found.questions_ms) == {one.key for one in QUESTIONS}
    assert 5 < found.bytes_per_event < 5_000
    assert any("events a day" in line for line in report(found))


def test_what_is_never_stored_is_told_instead_of_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "STORED_S_MAX", -1.0)
    with pytest.raises(WhodidError, match="is not stored after") as caught:
        measure(tmp_path, 1.0, lambda _, __: None)
    assert caught.value.code == "timeout"


def test_the_command_leaves_nothing_behind_and_touches_no_data(tmp_path: Path) -> None:
    """Stopped in the middle, with options in the environment that name other data."""
    data = tmp_path / "precious"
    command = [sys.executable, "-m", "whodid", "bench", "--folder", str(tmp_path), "--output", "json"]
    with subprocess.Popen(
        command, env={**os.environ, "WHODID_DATA": str(data)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        while not list(tmp_path.glob("whodid-bench-*/data/server.json")):
            assert running.poll() is None
        own = json.loads(next(tmp_path.glob("whodid-bench-*/data/server.json")).read_text())
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(own["pid"], 0)


def test_what_it_says_of_a_machine() -> None:
    found = measured()
    stands = standing(found)
    assert stands["events_a_day"] == 80_000 // 8 * 86_400
    assert stands["disk_events"] == 10**9, "real events are reckoned with, which repeat less than the measured ones"
    assert stands["per_core"] == 100_000
    assert stands["of_reference"]["ingest_1"] == 0.5
    text = "\n".join(report(found))
    assert "864,000,000 events a day" in text
    assert "carries it, with disk for 20 days" in text
    assert "too slowly" in "\n".join(report(measured(sustained=1_000.0)))


def test_wrong_use_is_told(tmp_path: Path) -> None:
    for words, said in ((["--seconds", "1"], "--seconds"), (["--folder", str(tmp_path / "none")], "no folder")):
        done = subprocess.run([sys.executable, "-m", "whodid", "bench", *words], capture_output=True, text=True)
        assert done.returncode != 0
        assert said in done.stderr


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_bodies_are_fresh_valid_events(batch: int) -> None:
    bodies = Bodies(batch, client=65_535)
    events = [event for _ in range(3) for event in msgspec.json.decode(bodies.next(), type=list[Event])]
    assert len({event.id for event in events}) == 3 * batch
    assert all(event.id[14] == "7" for event in events)
