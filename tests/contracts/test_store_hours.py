"""What a store counts by the hour is what counting its events gives, whatever happened before."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from contracts.conftest import StorePlace
from support.batches import Batches, FileBatch
from support.events import entity, event, many
from support.stores import rows
from whodid.event import Event
from whodid.reading.dialect import dialect_of
from whodid.reading.read import definition
from whodid.stores import duckdb_hours, postgresql
from whodid.stores.base import Store

DAY = datetime(2026, 5, 4, tzinfo=UTC)
SESSIONS = [f"0b0e9f0a-7f50-4b0c-8f0e-{number:012d}" for number in range(12)]

# By every column of the counts: so many events, runs and errors, from when to when.
KEYS = 'type, level, topic, function, "user", acting_for, project'
COUNTED = f"""
SELECT hour, {KEYS}, sum(events) AS events, sum(runs) AS runs, sum(errors) AS errors, min(first) AS first,
    max(last) AS last
FROM {{event_hours}} GROUP BY hour, {KEYS}
"""
RAW = f"""
SELECT date_trunc('hour', time) AS hour, {KEYS}, count(*) AS events,
    count(*) FILTER (WHERE {definition("run")}) AS runs, count(*) FILTER (WHERE {definition("error")}) AS errors,
    min(time) AS first, max(time) AS last
FROM {{events}} e GROUP BY date_trunc('hour', time), {KEYS}
"""
PEOPLE = 'level, topic, "user", acting_for'
COUNTED_PEOPLE, RAW_PEOPLE = (
    sql.replace(KEYS, PEOPLE).replace("{event_hours}", "{user_hours}") for sql in (COUNTED, RAW)
)
PRESENT = 'SELECT DISTINCT hour, CAST(session AS varchar) AS session, "user", acting_for FROM {session_hours}'
RAW_PRESENT = """
SELECT DISTINCT date_trunc('hour', time) AS hour, CAST(session AS varchar) AS session, "user", acting_for
FROM {events} WHERE session IS NOT NULL
"""


def assert_counts_are_exact(store: Store) -> None:
    names = dialect_of(store.kind)._asdict()
    for counted, raw in ((COUNTED, RAW), (COUNTED_PEOPLE, RAW_PEOPLE), (PRESENT, RAW_PRESENT)):
        told, expected = (sorted(map(repr, rows(store, sql.format_map(names)))) for sql in (counted, raw))
        assert told == expected


@pytest.fixture(autouse=True)
def counts_are_gathered_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 40)
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX_BUSY", 200)
    monkeypatch.setattr(postgresql, "LOOK_EVENTS", 0)
    monkeypatch.setattr(postgresql, "WAITING_ROWS_MAX", 40)


def any_event(chance: random.Random) -> Event:
    fields: dict[str, Any] = {
        "type": chance.choice(("query-start", "login", "it's \U0001f600")),
        "level": chance.choice(("audit", "usage", "error", "info")),
        "topic": chance.choice(("generic", "authfail")),
        "user": chance.choice((None, "ann", "ben", "api:key")),
        "acting_for": chance.choice((None, None, "ann")),
        "session": chance.choice((None, *SESSIONS)),
        "function": chance.choice((None, "Sales:Orders")),
        "duration_ms": chance.choice((None, 0.0, 12.5)),
        "error_message": chance.choice((None, None, "no")),
        "entities": chance.choice(([], [entity("project", "SALES")], [entity("a", "b"), entity("project", "CHURN")])),
        "parameters": chance.choice(({}, {"projectKey": "SALES"}, {"project": ""})),
    }
    hours = chance.choice((0, 1, 2, 3, 400, -50_000))
    return event(time=DAY + timedelta(hours=hours, microseconds=chance.randrange(3_600_000_000)), **fields)


class Story:
    """Random writes to a store: duplicates, late events, old ones forgotten, restarts, and deaths in a write."""

    def __init__(self, place: StorePlace, chance: random.Random):
        self.place = place
        self.chance = chance
        self.store = place.open()
        self.batches = place.batches()
        self.written: list[Event] = []

    def batch(self) -> FileBatch:
        """New events, some of them twice, and some that were there before."""
        events = [any_event(self.chance) for _ in range(self.chance.randrange(1, 60))]
        events += self.chance.choices(events, k=2)
        if self.written:
            events += self.chance.choices(self.written, k=5)
        self.chance.shuffle(events)
        self.written += events
        return self.batches.of(events, in_file=self.chance.random() < 0.8)

    def write(self) -> None:
        self.store.write([self.batch() for _ in range(self.chance.randrange(1, 4))])

    def write_again(self) -> None:
        """Batches that are stored already, as after a restart."""
        batches = [self.batch(), self.batch()]
        self.store.write(batches[:1])
        self.store.write(batches)

    def rest(self) -> None:
        self.store.rest()

    def forget(self) -> None:
        self.store.forget(self.chance.choice(("usage", "info")), DAY + timedelta(hours=2.5))

    def restart(self) -> None:
        self.store.close()
        self.store = self.place.open()

    def die(self, point: str) -> None:
        self.store.close()
        batches = [self.batch()]
        assert self.place.write_in_child(batches, point) == -9
        self.store = self.place.open()
        self.store.write(batches)


@pytest.mark.parametrize("seed", range(8))
def test_counts_by_the_hour_are_exact_after_any_writes(store_place: StorePlace, seed: int) -> None:
    story = Story(store_place, random.Random(seed))
    steps = (story.write, story.write, story.write_again, story.rest, story.rest, story.forget, story.restart)
    for _ in range(14):
        story.chance.choice(steps)()
        assert_counts_are_exact(story.store)
    assert rows(story.store, "SELECT count(*) > 0 AS some FROM events")[0]["some"]


@pytest.mark.crash
@pytest.mark.parametrize("point", ["store.before-commit", "store.after-commit"])
def test_counts_by_the_hour_are_exact_after_a_crash(store_place: StorePlace, point: str) -> None:
    story = Story(store_place, random.Random(point))
    for _ in range(2):
        story.write()
        story.die(point)
        assert_counts_are_exact(story.store)


def test_events_that_only_the_careful_way_takes_are_counted(store: Store, batches: Batches) -> None:
    """A key that comes twice is refused by one engine's reader, NUL by the other's text."""
    twice = replace(event(session=SESSIONS[0]), parameters=Raw(b'{"a":1,"a":2}'))
    text = event(1, user="a\0b", function="x\0", parameters={"b": "\0"})
    store.write([batches.of([twice, text, event(2)])])
    assert rows(store, "SELECT count(*) AS n FROM events") == [{"n": 3}]
    assert_counts_are_exact(store)


def test_what_waits_is_gathered_when_there_is_time(store: Store, batches: Batches) -> None:
    for number in range(60):
        store.write([batches.of([event(number, session=SESSIONS[0])])])
    store.rest()
    for name in (dialect_of(store.kind).event_hours, dialect_of(store.kind).session_hours):
        assert rows(store, f"SELECT count(*) AS n FROM {name}") == [{"n": 1}]
    assert_counts_are_exact(store)


def test_several_receivers_are_counted_each_by_itself(store_place: StorePlace) -> None:
    """Their numbers say nothing of each other."""
    store = store_place.open()
    ahead, behind = store_place.batches("ahead"), Batches(store_place.journal_path / "b", "it's behind")
    store.write([ahead.of(many(60))])
    store.rest()
    for turn in range(3):
        store.write([behind.of([event(turn, user="ann")])])
        store.write([ahead.of([event(100 + turn)])])
        assert_counts_are_exact(store)
    store.rest()
    assert_counts_are_exact(store)


def test_numbers_that_are_used_anew_are_counted(store: Store, batches: Batches) -> None:
    store.write([batches.of(many(60))])
    store.rest()
    batches.seq = 1
    store.write([batches.of([event(number, user="ann") for number in range(100, 110)])])
    assert_counts_are_exact(store)
    store.rest()
    assert_counts_are_exact(store)
