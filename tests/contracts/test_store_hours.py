"""What a store counts by the hour is what counting its events gives, whatever happened before."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from contracts.conftest import StorePlace
from support.batches import Batches, FileBatch
from support.events import entity, event, many
from support.stores import rows
from whodid.event import Entity, Event, new_id
from whodid.reading.dialect import dialect_of
from whodid.reports import kept
from whodid.reports.words import translated
from whodid.stores import clickhouse_counting, duckdb_hours, postgresql
from whodid.stores.base import KEPT, Store

# The long round: WHODID_TEST_STORIES=50.
STORIES = int(os.environ.get("WHODID_TEST_STORIES", "3"))
DAY = datetime(2026, 5, 4, tzinfo=UTC)
SESSIONS = [f"0b0e9f0a-7f50-4b0c-8f0e-{number:012d}" for number in range(12)]

# What tells of few events.
OF_OTHER_EVENTS = (
    "flow_hours", "flow_days", "run_hours", "run_lists", "usage_hours", "usage_days", "item_hours", "version_hours",
    "query_hours", "entity_query_hours", "pod_hours",
)  # fmt: skip
SUM, FIRST, LAST = "CAST(sum({}) AS double precision)", "CAST(min({}) AS varchar)", "CAST(max({}) AS varchar)"
# What is told of fractions comes to something else in another order, far behind the point.
ROUNDED = "CAST(round(CAST(sum({}) AS decimal(30, 15)), 9) AS varchar)"
SUMS = {
    **dict.fromkeys(("events", "uses", "runs", "errors", "failed", "row_count", "total_ms"), SUM),
    "first": FIRST, "last": LAST, "entity_name": LAST,
    **dict.fromkeys(
        ("memory_mb_s", "cpu_ms", "sql_ms", "llm_queries", "prompt_tokens", "completion_tokens", "llm_cost_usd",
         "cache_hits", "running_ms"),
        LAST,
    ),
    **dict.fromkeys(("measured_s", "memory_gb_h", "cpu_h", "memory_request_gb_h", "cpu_request_h"), ROUNDED),
}  # fmt: skip
# How long runs took lies in lists, which come apart in other places than the hours do.
LISTED = "listed_percentiles(durations, 0.0, 0.3, 0.5, 0.9, 1.0)"
# Every event with each thing that it touched, once.
TOUCHED = """
SELECT t.*, t."entity_type" AS touched_type, t."entity_id" AS touched_id, t."entity_name" AS touched_name
FROM ({form}) t
UNION ALL
SELECT t.*, x."type", x."id", x.name
FROM ({form}) t
JOIN (SELECT event_id, "type", "id", min(name) AS name FROM {event_entities} GROUP BY 1, 2, 3) x ON x.event_id = t."id"
WHERE t."entity_type" <> x."type" OR t."entity_id" <> x."id"
"""


def kept_rows(store: Store, name: str, relation: str, columns: Mapping[str, str]) -> list[str]:
    """The rows of a relation, those with the same key as one; `columns` are what its columns are called there."""
    told = {column: f'"{columns.get(column, column)}"' for column in KEPT[name]}
    if (length := KEPT[name][0]) in ("hour", "day"):
        told[length] = f"date_trunc('{length}', {told[length]})"
    if "is_census" in told:
        # Engines write truth in words or numbers.
        told["is_census"] = f"CASE WHEN {told['is_census']} THEN 1 ELSE 0 END"
    keys = [column for column in KEPT[name] if column not in (*SUMS, "durations")]
    listed = [f'CAST({told[column]} AS varchar) AS "{column}"' for column in keys]
    listed += [f'{SUMS[column].format(told[column])} AS "{column}"' for column in KEPT[name] if column in SUMS]
    if "durations" in KEPT[name]:
        listed.append(translated(f"SELECT {LISTED} AS durations", store.kind).removeprefix("SELECT "))
    return sorted(
        map(
            repr,
            rows(
                store, f"SELECT {', '.join(listed)} FROM {relation} e GROUP BY {', '.join(told[key] for key in keys)}"
            ),
        )
    )


def assert_counts_are_exact(store: Store, names: Iterable[str] = KEPT) -> None:
    """What the store keeps is what the reports make of the events."""
    dialect = dialect_of(store.kind)
    for name in names:
        if (relation := dialect.kept.get(name)) is None:
            continue
        form = translated(kept._form(name), store.kind)
        columns = {"hour": "time", "day": "time"}
        if name in ("entity_hours", "entity_days", "entity_query_hours"):
            if "entity_name" not in KEPT[name]:
                form = f"SELECT q.*, CAST(NULL AS varchar) AS entity_name FROM ({form}) q"
            form = TOUCHED.format(form=form, event_entities=dialect.event_entities)
            columns |= {f"entity_{part}": f"touched_{part}" for part in ("type", "id", "name")}
        assert kept_rows(store, name, relation, {}) == kept_rows(store, name, f"({form})", columns), name


@pytest.fixture(autouse=True)
def counts_are_gathered_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX", 40)
    monkeypatch.setattr(duckdb_hours, "WAITING_MAX_BUSY", 200)
    monkeypatch.setattr(postgresql, "LOOK_EVENTS", 0)
    monkeypatch.setattr(postgresql, "WAITING_ROWS_MAX", 40)
    for limit in ("CHANGED_S", "COUNTING_S", "LOOK_S", "PASSED_S", "STEP_S"):
        monkeypatch.setattr(clickhouse_counting, limit, 0)
    monkeypatch.setattr(clickhouse_counting, "ROWS_AT_ONCE", 100)


TYPES = (
    "query-start", "login", "login-failure", "it's \U0001f600", "dataset-save", "project-deleted", "click",
    "dialog show", "prediction-query", "ground-truth", "compute-resource-usage-update", "dataset-read-data",
)  # fmt: skip
ENTITIES: tuple[list[Entity], ...] = (
    [],
    [entity("project", "SALES")],
    [entity("a", "b"), entity("project", "CHURN")],
    [
        entity("a", "b", role="input"),
        entity("c", "d", role="output"),
        entity("a", "b", role="output"),
        entity("c", "d"),
    ],
    [entity("dataset", "SALES.orders")],
    [entity("dataset", "SALES.orders", role="query")],
    [entity("dataset", "with \\"), entity("query", "input", role="query")],
)
PARAMETERS: tuple[dict[str, Any], ...] = (
    {},
    {"projectKey": "SALES", "rows": 12},
    {"project": "", "rows": "many", "authSource": "SCENARIO"},
    {"projectKey": "", "authSource": "USER_FROM_UI", "jobId": "Build_1"},
    {"scenarioId": "NIGHTLY"},
    {"package": "Charts", "version": "1.2", "rows": "7.5", "authSource": "USER_FROM_UI"},
    {"version": "2", "login": "eve", "ip": "10.0.0.1", "item": "Open", "dialog": "Cluster", "target": "grid"},
    {"serviceId": "churn", "key": "C-1", "outcome": "stay", "match": "context.customer"},
    {"serviceId": "churn", "endpoint": "predict", "context": {"caller": "a", "version": "3"}, "timing": {"total": 8}},
    {
        "computeResourceUsage": {
            "id": "r1", "type": "LOCAL_PROCESS", "startTime": 1777000000000, "totalTime": "20",
            "context": {"type": "UNKNOWN", "projectKey": "SALES", "authIdentifier": "ann", "jobId": "j"},
            "localProcess": {"cpuTotalMS": 5, "vmRSSTotalMBS": "x", "rssMBSeconds": 2.5},
        },
    },
)  # fmt: skip


CENSUS = {"topic": "compute-resource-usage", "type": "kubernetes-cluster-usage-status"}


def any_pod(chance: random.Random) -> dict[str, Any]:
    return {
        "namespace": chance.choice(("dss", "other")), "name": chance.choice(("a", "b")),
        "phase": chance.choice((None, "Running", "Failed")), "memoryMB": chance.choice((None, 12.5, 700)),
        "memoryRequestMB": chance.choice((-1, 1024)), "cpuMillis": chance.choice((3, "x")), "cpuRequestMillis": 500,
        "labels": {"dataiku.com/dku-project-key": "sales"},
    }  # fmt: skip


def any_census(chance: random.Random) -> dict[str, Any]:
    pods = [any_pod(chance) for _ in range(chance.randrange(3))]
    return CENSUS | {"parameters": {"clusterId": chance.choice("kl"), "podsStatus": {"pods": pods}}}


def any_event(chance: random.Random) -> Event:
    fields: dict[str, Any] = {
        "type": chance.choice(TYPES),
        "level": chance.choice(("audit", "usage", "error", "info")),
        "topic": chance.choice(("generic", "authfail", "apinode-query", "compute-resource-usage")),
        "user": chance.choice((None, "ann", "ben", "api:key", "no:auth")),
        "acting_for": chance.choice((None, None, "ann")),
        "via": chance.choice((None, None, "scenario:nightly")),
        "node": chance.choice((None, "n1", "n2")),
        "node_type": chance.choice((None, "design")),
        "session": chance.choice((None, *SESSIONS)),
        "function": chance.choice((None, "Sales:Orders")),
        "duration_ms": chance.choice((None, 0.0, 12.5)),
        "status": chance.choice((None, "failed", "done")),
        "error_message": chance.choice((None, None, "no: 12 rows", "it's\n42")),
        "error_stack_trace": chance.choice((None, "Error: no\n  at main.py:3")),
        "description": chance.choice((None, "done")),
        "entities": chance.choice(ENTITIES),
        "parameters": chance.choice(PARAMETERS),
    }
    if chance.random() < 0.2:
        fields |= any_census(chance)
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
        if self.chance.random() < 0.5:
            # One after the other, which leaves few rows.
            events = [
                replace(events[0], id=new_id(), time=events[0].time + timedelta(minutes=number))
                for number in range(len(events))
            ]
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
        for _ in range(self.chance.choice((1, 20))):
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


@pytest.mark.parametrize("seed", range(STORIES))
def test_counts_by_the_hour_are_exact_after_any_writes(store_place: StorePlace, seed: int) -> None:
    story = Story(store_place, random.Random(seed))
    steps = (story.write, story.write, story.write_again, story.rest, story.rest, story.forget, story.restart)
    story.write()
    for _ in range(14 if store_place.kind != "clickhouse" else 8):
        story.chance.choice(steps)()
        # All of them each time would take most of the time of all tests.
        assert_counts_are_exact(story.store, story.chance.sample(sorted(KEPT), 2))
    assert_counts_are_exact(story.store)
    assert rows(story.store, "SELECT count(*) > 0 AS some FROM events")[0]["some"]


@pytest.mark.crash
@pytest.mark.parametrize("point", ["store.before-commit", "store.after-commit"])
def test_counts_by_the_hour_are_exact_after_a_crash(store_place: StorePlace, point: str) -> None:
    story = Story(store_place, random.Random(point))
    for _ in range(2):
        story.write()
        story.die(point)
        assert_counts_are_exact(story.store, story.chance.sample(sorted(KEPT), 8))


def test_events_that_only_the_careful_way_takes_are_counted(store: Store, batches: Batches) -> None:
    """A key that comes twice is refused by one engine's reader, NUL by the other's text."""
    twice = replace(event(session=SESSIONS[0]), parameters=Raw(b'{"a":1,"a":2}'))
    text = event(1, user="a\0b", function="x\0", parameters={"b": "\0"})
    store.write([batches.of([twice, text, event(2)])])
    assert rows(store, "SELECT count(*) AS n FROM events") == [{"n": 3}]
    assert_counts_are_exact(store)


def test_what_waits_is_gathered_when_there_is_time(
    store: Store, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clickhouse_counting, "STEP_S", 60)
    for number in range(60 if store.kind != "clickhouse" else 6):
        store.write([batches.of([event(number, session=SESSIONS[0])])])
    store.rest()
    counted = [name for name in dialect_of(store.kind).kept.items() if KEPT[name[0]][0] in ("hour", "day")]
    for name, relation in counted:
        told = rows(store, f"SELECT count(*) AS n FROM {relation}")
        assert told == [{"n": 0 if name in OF_OTHER_EVENTS else 1}], name
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
