"""How it stands: the truth for people, balancers and Prometheus."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.journals import draft, open_journal
from support.web import WebServer
from whodid.errors import WhodidError
from whodid.event import Event, Rejection, new_id


def test_the_status_tells_journal_writer_and_store(server: WebServer) -> None:
    found = server.client.get("/v1/status").json()
    assert found["store"] == "duckdb"
    assert found["ready"] is True
    assert found["events"]["events"] >= 4
    assert found["journal"]["disk_free_bytes"] > 0
    assert found["writer"]["stored"] >= 4


def test_ready_is_the_truth_about_the_store(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.stranger.get("/readyz").status_code == 200

    class Away:
        kind = "duckdb"

        def query(self, *_: object, **__: object) -> None:
            raise WhodidError("unavailable", "The store is closed.")

        def stats(self) -> None:
            raise WhodidError("unavailable", "The store is closed.")

    monkeypatch.setattr(server.services, "store", Away())
    answer = server.stranger.get("/readyz")
    assert answer.status_code == 503
    assert "The store is closed." in answer.json()["error"]["message"]
    assert server.client.get("/v1/status").json()["store_error"] == "The store is closed."
    assert server.stranger.get("/healthz").status_code == 200


def test_ready_is_the_truth_about_the_journal_and_the_lag(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, writer = server.services.journal, server.services.writer

    class Reports:
        def __init__(self, status: Any, **changed: Any):
            self._status = msgspec.structs.replace(status, **changed)

        def status(self) -> Any:
            return self._status

    monkeypatch.setattr(server.services, "journal", Reports(journal.status(), refusal="the disk is full"))
    monkeypatch.setattr(server.services, "writer", Reports(writer.status(), lag_seconds=1e6))
    message = server.stranger.get("/readyz").json()["error"]["message"]
    assert "the disk is full" in message
    assert "behind" in message
    message = server.stranger.get("/readyz?for=receiving").json()["error"]["message"]
    assert "the disk is full" in message
    assert "behind" not in message
    waiting = msgspec.structs.replace(journal.status(), backlog_bytes=9, backlog_bytes_max=9)
    monkeypatch.setattr(server.services, "journal", Reports(waiting))
    assert "9 bytes wait" in server.stranger.get("/readyz?for=receiving").json()["error"]["message"]


def test_ready_is_the_truth_about_the_directory(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise WhodidError("unavailable", "The directory's database did not answer.")

    monkeypatch.setattr(server.services.directory, "reading", away)
    assert "did not answer" in server.stranger.get("/readyz").json()["error"]["message"]
    assert server.stranger.get("/readyz?for=receiving").status_code == 200, "what is posted waits in the journal"
    told = server.client.get("/metrics")
    assert told.status_code == 200, "alerts have to see that something is wrong"
    assert "whodid_ready 0" in told.text.splitlines()
    assert "whodid_journal_backlog_bytes " in told.text


@pytest.mark.parametrize("state", ["open", "sealed"])
def test_what_was_damaged_in_the_journal_is_told(tmp_path: Path, state: str) -> None:
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        ends = [journal.append_blocking(draft()).offset_bytes for _ in range(3)]
    segment = tmp_path / "journal" / "000000000001.sealed"
    damaged = bytearray(segment.read_bytes())
    damaged[ends[0] + 300] ^= 1
    segment.write_bytes(damaged)
    # As after a crash, or as it waits for the store.
    segment.rename(segment.with_suffix(f".{state}"))
    running = WebServer(tmp_path)
    try:
        for path in ("/readyz", "/metrics", "/v1/status"):
            assert running.client.get(path).status_code == 200
        (told,) = running.client.get("/v1/status").json()["journal"]["quarantine"]
        assert told["path"].endswith(".corrupt")
    finally:
        running.close()


def test_what_went_to_another_store_is_told(tmp_path: Path) -> None:
    before = WebServer(tmp_path)
    before.store([Event(id=new_id(), time=datetime.now(UTC), type="login", user="ada")])
    before.close()
    for file in tmp_path.glob("events.duckdb*"):
        file.unlink()
    for _ in range(2):
        running = WebServer(tmp_path)
        try:
            running.engine.flush()
            told = running.client.get("/v1/status").json()
            assert told["ready"] and "went to another store" in told["missing"][0]["message"]
            page = running.client.get("/settings/status").text
            assert re.search(r"Found [-0-9]+ [:0-9]+ UTC\.", page)
            assert "went to another store" in page and "Import what that store or a target has" in page
            assert "whodid_missing_batches_total" in running.client.get("/metrics").text
            running.store([Event(id=new_id(), time=datetime.now(UTC), type="login", user="bob")])
        finally:
            running.close()


def test_metrics_are_in_the_form_of_prometheus(server: WebServer) -> None:
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = set()
    for line in answer.text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) whodid_\w+ .+", line)
        else:
            name, value = line.split(" ")
            float(value)
            names.add(name)
    assert {"whodid_journal_events_total", "whodid_stored_events_total", "whodid_lag_seconds", "whodid_ready"} <= names


def test_what_was_rejected_is_listed_with_its_reason(server: WebServer) -> None:
    raw = '{"type": "=cmd"}\x1b'
    server.store([], rejects=[Rejection(index=3, code="invalid", message="There is no time.", line=4, raw=raw)])
    (row,) = server.client.get("/v1/rejects").json()["rows"]
    assert (row["index"], row["code"], row["message"], row["line"], row["raw"]) == (
        3,
        "invalid",
        "There is no time.",
        4,
        raw,
    )
    assert server.client.get("/v1/rejects", params={"offset": 1}).json()["rows"] == []


def test_what_was_rejected_is_taken_in_once_when_it_can_be_read(server: WebServer) -> None:
    good = '{"type": "mended", "user": "erika", "time": "2026-11-01T10:00:00Z"}'
    rejections = [
        Rejection(index=0, code="later_known", message="Not known yet.", raw=good, raw_size_bytes=len(good)),
        Rejection(index=1, code="later_known", message="No event.", raw="[]]", raw_size_bytes=3),
    ]
    server.store([], rejects=rejections)
    done = server.client.post("/v1/rejects/replay", json={"code": "later_known"}).json()
    assert (done["events"], done["still"], done["earlier"]) == (1, 1, 0)
    again = server.client.post("/v1/rejects/replay", json={"code": "later_known"}).json()
    assert (again["events"], again["still"], again["earlier"]) == (0, 1, 1)
    server.engine.flush()
    assert [one["user"] for one in server.client.get("/v1/events?type=mended").json()["events"]] == ["erika"]
    assert server.recorded("rejects-replayed")[0]["user"] == "api:owner of the data folder"
    assert server.client.post("/v1/rejects/replay", json={"limit": 0}).status_code == 400
