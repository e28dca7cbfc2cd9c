"""Receivers: signs of life, missed once by whoever watches, lost with what they had acknowledged, back once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from support.directories import DATABASES, directory_url
from whodid.directory import Directory, tables
from whodid.directory.receivers import Sign
from whodid.errors import WhodidError
from whodid.event import Event, new_id

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Known:
    """A directory that two servers share, and what it told of."""

    def __init__(self, url: str):
        self.told: list[tuple[str, str]] = []
        self.events: list[Event] = []
        self.directories = [Directory.open(url, on_change=self._tell) for _ in range(2)]
        self.one, self.two = self.directories

    def _tell(self, event: Event) -> None:
        self.told.append((event.type, event.entities[0].name or ""))
        self.events.append(event)

    def age(self, receiver: str, seconds: float) -> None:
        """Let the last sign of life of a receiver be so old."""
        rows = tables.receivers
        last = self.one.receiver(receiver).last_seen
        with self.one.writing() as connection:
            connection.execute(
                update(rows).where(rows.c.receiver == receiver).values(last_seen=last - timedelta(seconds=seconds))
            )


@pytest.fixture(params=DATABASES)
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Known]:
    opened = Known(directory_url(request.param, tmp_path, request))
    yield opened
    for directory in opened.directories:
        directory.close()


def sign(name: str, receiver: str = "", **more: Any) -> Sign:
    fields = {"acknowledged": 0, "settled": 0, "state": "serving", "journal": "disk", "standing": {"ready": True}}
    place = {"host": name, "folder": "/data", "address": f"http://{name}:8400", "version": "0.1.0"}
    return Sign(receiver=receiver or new_id(), name=name, started_at=STARTED, **{**fields, **place, **more})


def test_every_server_sees_every_receiver_and_a_further_one_is_told_of(known: Known) -> None:
    first, second = sign("a"), sign("b", acknowledged=7, settled=5)
    known.one.note_receiver(first)
    known.two.note_receiver(second)
    known.two.note_receiver(second)
    a, b = known.one.receivers()
    assert (a.name, a.now_is, a.address) == ("a", "serving", "http://a:8400")
    assert (b.receiver, b.acknowledged, b.settled, b.standing) == (second.receiver, 7, 5, {"ready": True})
    assert b.seen_s_ago < 5
    assert known.told == [("receiver-registered", "b")]


def test_one_that_says_nothing_is_missed_once_and_back_once(known: Known) -> None:
    silent, stopped = sign("a"), sign("b", state="stopped")
    for one in (silent, stopped):
        known.one.note_receiver(one)
        known.age(one.receiver, 60)
    known.told.clear()
    assert known.one.tell_silent_receivers(0) == []
    assert known.one.tell_silent_receivers(30) == ["a"]
    assert known.two.tell_silent_receivers(30) == []
    assert [one.now_is for one in known.two.receivers()] == ["silent", "stopped"]
    known.one.note_receiver(silent)
    known.one.note_receiver(silent)
    assert known.one.receiver("a").now_is == "serving"
    assert known.told == [("receiver-silent", "a"), ("receiver-back", "a")]


@pytest.mark.parametrize(
    ("settled", "stored", "journal", "gap"),
    [(100, 90, "disk", (101, 150)), (100, 120, "disk", (121, 150)), (150, 0, "disk", None), (0, 0, "kafka", None)],
)
def test_what_was_acknowledged_and_not_stored_is_the_gap(
    known: Known, settled: int, stored: int, journal: str, gap: tuple[int, int] | None
) -> None:
    gone = sign("a", acknowledged=150, settled=settled, journal=journal)
    known.one.note_receiver(gone)
    seen = known.one.receiver("a")
    successor = new_id()
    lost = known.one.lose_receiver(seen, stored, replaced_by=successor)
    assert known.two.lose_receiver(seen, stored).lost_at == lost.lost_at
    assert (lost.now_is, lost.replaced_by) == ("lost", successor)
    assert (lost.lost_first, lost.lost_last) == (gap or (None, None))
    assert lost.lost_events == (gap[1] - gap[0] + 1 if gap else 0)
    assert known.told == [("receiver-lost", "a")]


def test_one_that_is_there_again_is_not_given_up(known: Known) -> None:
    gone = sign("a", acknowledged=10)
    known.one.note_receiver(gone)
    seen = known.one.receiver("a")
    known.age(gone.receiver, -1)
    assert known.two.lose_receiver(seen, 0).lost_at is None


def test_a_retired_one_is_shown_no_more_until_it_is_back(known: Known) -> None:
    gone = sign("a")
    known.one.note_receiver(gone)
    known.one.retire_receiver("a", by="admin")
    known.two.retire_receiver(gone.receiver, by="admin")
    assert known.two.receivers() == []
    assert [one.now_is for one in known.two.receivers(retired=True)] == ["retired"]
    known.one.note_receiver(gone)
    assert known.one.receivers()[0].now_is == "serving"
    assert known.told == [("receiver-retired", "a"), ("receiver-back", "a")]


def test_a_name_that_several_have_does_not_do(known: Known) -> None:
    first, second = sign("a"), sign("a")
    known.one.note_receiver(first)
    known.one.note_receiver(second)
    with pytest.raises(WhodidError) as conflict:
        known.one.receiver("a")
    assert conflict.value.code == "conflict"
    assert f"{first.receiver} (serving)" in str(conflict.value.hint)
    assert known.one.receiver(second.receiver).receiver == second.receiver
    with pytest.raises(WhodidError) as missing:
        known.one.receiver("b")
    assert missing.value.code == "not_found"


@pytest.mark.postgresql
def test_clocks_are_compared_with_the_databases(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from whodid.directory import receivers

    directory = Directory.open(directory_url("postgresql", tmp_path, request))
    try:
        late = datetime.now(UTC) + timedelta(seconds=100)
        monkeypatch.setattr(receivers, "now", lambda: late)
        directory.note_receiver(sign("a"))
        found = directory.receiver("a")
        assert found.clock_ahead_ms is not None
        assert 90_000 < found.clock_ahead_ms < 101_000
        assert found.seen_s_ago < 60, "by the database's clock"
    finally:
        directory.close()
