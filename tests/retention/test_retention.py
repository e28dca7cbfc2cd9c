"""How long events are kept: what is too old goes once a day, by one server, and it is told what went."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.reading import event
from support.web import WebServer
from whodid.directory.due_work import WorkBook
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.retention.keeper import HOLD_S, KIND, Keeper
from whodid.retention.rule import Retention, retention_of, set_retention
from whodid.stores.base import Forgotten

NOW = datetime.now(UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    running = WebServer(tmp_path / "data")
    days = (1, 5, 20, 40)
    running.store(
        [event("old", at=NOW - timedelta(days=day), level=level) for day in days for level in ("debug", "audit")]
    )
    yield running
    running.close()


def left(server: WebServer) -> dict[str, int]:
    rows = server.engine.store.query(
        "SELECT level, count(*) AS n FROM events WHERE type = 'old' GROUP BY 1", trusted=True
    ).table.to_pylist()
    return {row["level"]: row["n"] for row in rows}


def test_what_is_older_than_its_level_is_kept_goes_and_that_is_told(server: WebServer) -> None:
    set_retention(server.engine.directory, Retention(levels={"debug": 10}), by="root")
    assert server.engine.retention.forget(NOW) == {"debug": 2}
    assert left(server) == {"debug": 2, "audit": 4}
    (told,) = server.recorded("events-forgotten")
    assert json.loads(told["parameters"])["forgotten"] == {"debug": 2}
    assert server.engine.retention.forget(NOW) == {"debug": 0}
    assert len(server.recorded("events-forgotten")) == 1
    (changed,) = server.recorded("retention-changed")
    assert changed["user"] == "root" and json.loads(changed["parameters"])["after"] == {
        "levels": {"debug": 10},
        "sessions": None,
    }


def test_it_is_done_once_a_day_by_one_of_the_servers(server: WebServer) -> None:
    engine = server.engine
    tomorrow = (NOW + timedelta(days=1)).replace(hour=3)
    assert not engine.retention.look(tomorrow), "nothing is set"
    set_retention(engine.directory, Retention(levels={"debug": 10}))
    other = Keeper(engine.store, engine.directory, owner="other", record=engine.record)
    assert engine.retention.look(tomorrow)
    assert not other.look(tomorrow) and not engine.retention.look(tomorrow + timedelta(hours=5))
    (work,) = engine.retention.runs()
    assert (work.kind, work.state, work.outcome) == (KIND, "done", {"debug": 2})
    assert other.look(tomorrow + timedelta(days=1))


def test_one_that_goes_on_keeps_its_work_and_one_that_was_replaced_stops(server: WebServer) -> None:
    engine = server.engine
    set_retention(engine.directory, Retention(levels={"debug": 10}), by="root")
    other = WorkBook(engine.directory, "other")
    taken: list[bool] = []

    class Slow:
        """A store with steps without end, each as long as a claim; behind the third the other server takes over."""

        steps = 0

        def forget(self, level: str, before: datetime) -> Forgotten:
            self.steps += 1
            at = datetime.now(UTC) + timedelta(seconds=HOLD_S - 1 if self.steps <= 3 else HOLD_S + 60)
            taken.append(bool(other.claim([KIND], at=at, hold_s=HOLD_S)))
            return Forgotten(events=0, more=True)

    store = Slow()
    keeper = Keeper(store, engine.directory, owner="one", record=engine.record)  # type: ignore[arg-type]
    keeper.look(NOW.replace(hour=3))
    assert taken == [False, False, False, True]
    assert store.steps == 4
    assert keeper.runs()[0].state == "running", "it is the other's"


def test_sessions_that_ended_long_ago_are_forgotten_and_their_events_stay(server: WebServer) -> None:
    directory = server.engine.directory
    old, present = new_id(), new_id()
    server.store(
        [event("old", at=NOW - timedelta(days=20), session=old, user="ute"), event("old", session=present, user="ute")]
    )
    directory.end_idle_sessions(at=NOW + timedelta(seconds=1))
    set_retention(directory, Retention(sessions=10))
    assert server.engine.retention.forget(NOW) == {"sessions": 1}
    with pytest.raises(WhodidError, match="no session"):
        directory.session(old)
    assert directory.session(present).user == "ute"
    assert sum(left(server).values()) == 10


def test_a_store_that_is_away_is_asked_again_later(server: WebServer) -> None:
    class Away:
        calls = 0

        def forget(self, level: str, before: datetime) -> Forgotten:
            self.calls += 1
            raise WhodidError("unavailable", "The store is away.")

    engine, away = server.engine, Away()
    set_retention(engine.directory, Retention(levels={"debug": 10}))
    keeper = Keeper(away, engine.directory, owner="a", record=engine.record)  # type: ignore[arg-type]
    assert keeper.look(NOW) and not keeper.look(NOW)
    assert keeper.look(NOW + timedelta(hours=1)) and away.calls == 2


def test_it_goes_on_whatever_went_wrong_before(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Semaphore(0)

    def look(at: datetime) -> bool:
        looked.release()
        raise RuntimeError("nobody thought of that")

    keeper = Keeper(server.engine.store, server.engine.directory, owner="a", record=server.engine.record)
    monkeypatch.setattr(keeper, "look", look)
    keeper.start()
    try:
        assert looked.acquire(timeout=10)
        keeper.ask()
        assert looked.acquire(timeout=10)
    finally:
        keeper.close()


@pytest.mark.parametrize("wrong", [{"levels": {"nonsense": 3}}, {"levels": {"debug": 0}}, {"sessions": -1}])
def test_what_makes_no_sense_is_refused(server: WebServer, wrong: dict[str, object]) -> None:
    assert server.client.put("/v1/retention", json=wrong).status_code == 400
    assert retention_of(server.engine.directory).keeps_all


def test_over_http_it_is_set_shown_and_done_at_once(server: WebServer) -> None:
    answer = server.client.put("/v1/retention", json={"levels": {"debug": 10}, "sessions": 365})
    assert answer.json() == {"levels": {"debug": 10}, "sessions": 365, "runs": []}
    server.engine.retention.start()
    assert server.client.post("/v1/retention/run").status_code == 202
    waited = threading.Event()
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while left(server) != {"debug": 2, "audit": 4}:
        assert datetime.now(UTC) < deadline
        waited.wait(0.05)
    assert server.stranger.get("/v1/retention").status_code in (200, 401)
