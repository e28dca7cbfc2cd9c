"""Two servers on one PostgreSQL: what is due one of them does, what is found one of them tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.beside import Clock, House
from support.reading import event
from support.webhooks import Receiver
from whodid.alerts.row import NewAlert
from whodid.datasets.connections import Connection
from whodid.delivery.webhook import Webhook
from whodid.schedules.row import Destination, NewSchedule

pytestmark = pytest.mark.postgresql
SCHEDULES = 6


@pytest.fixture
def houses(tmp_path: Path, postgresql_url: str) -> Iterator[tuple[House, House]]:
    clock = Clock(datetime.now(UTC))
    key = "a secret key that both servers have"
    first, second = (
        House(tmp_path / name, clock, name, store=postgresql_url, secret_key=key) for name in ("one", "two")
    )
    (tmp_path / "lake").mkdir()
    options = {"path": str(tmp_path / "lake")}
    first.engine.datasets.connections.create(Connection(name="lake", kind="folder", options=options))
    yield first, second
    second.close()
    first.close()


def test_two_servers_race_and_each_thing_happens_once(
    houses: tuple[House, House], tmp_path: Path, hook: Receiver
) -> None:
    first, second = houses
    clock = first.clock
    first.store([event("query-start", at=clock.at - timedelta(minutes=5), user="erika")])
    for number in range(SCHEDULES):
        to = Destination(connection="lake", path=f"folder-{number}")
        new = NewSchedule(name=f"s-{number}", report="users", cron="* * * * *", to=to, as_user=None)
        first.beside.schedules.create(new, by="admin", user=None)
    first.beside.outlets.set_webhook(Webhook(name="ops", url=hook.url, secret="known to both servers"))
    alert = NewAlert(name="granted", kind="event", options={"types": ["role-*"], "per": "event"}, webhooks=["ops"])
    first.beside.alerts.create(alert, by="admin")
    clock.turn(seconds=61)
    second.engine.directory.refresh()
    first.store([event("role-granted", at=clock.at, user="admin") for _ in range(3)])
    second.store([event("role-revoked", at=clock.at, user="admin") for _ in range(3)])
    both = threading.Barrier(2)

    def race(house: House) -> None:
        both.wait()
        for _ in range(3):
            house.beside.do_due()

    threads = [threading.Thread(target=race, args=[house]) for house in houses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = list((tmp_path / "lake").rglob("*.csv"))
    assert len(written) == SCHEDULES, "one file for each schedule, no second one beside it"
    assert all(run["state"] == "done" for n in range(SCHEDULES) for run in first.beside.schedules.runs(f"s-{n}"))
    second.engine.flush()
    assert len(first.recorded("report-sent")) == SCHEDULES
    assert len(hook.posted) == 6
    assert len({posted.json["details"]["event"] for posted in hook.posted}) == 6


def test_a_claim_is_of_one_server(houses: tuple[House, House]) -> None:
    first, second = (house.beside.book for house in houses)
    at = houses[0].clock.at
    for number in range(20):
        assert first.add("notice", f"n-{number}", at, channel=f"c-{number}", given={}, at=at)
        assert not second.add("notice", f"n-{number}", at, channel=f"c-{number}", given={}, at=at)
    taken: list[str] = []
    both = threading.Barrier(2)

    def take(book: object) -> None:
        both.wait()
        while claimed := book.claim(["notice"], at=at, hold_s=60, limit=3):  # type: ignore[attr-defined]
            taken.extend(work.name for work in claimed)

    threads = [threading.Thread(target=take, args=[book]) for book in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted({f"n-{number}" for number in range(20)})
    assert first.hold("alerts", at=at, hold_s=60) and not second.hold("alerts", at=at, hold_s=60)
    assert second.hold("alerts", at=at + timedelta(seconds=61), hold_s=60)
