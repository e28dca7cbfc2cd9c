"""How the embedded store loads: by its engine, around what that refuses, without repeats."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from support.batches import RECEIVED_AT, Batches
from support.duckdb_store import rows
from support.events import entity, event, many
from whodid.journal.base import Draft
from whodid.stores import duckdb_careful, duckdb_load
from whodid.stores.duckdb import DuckDBStore
from whodid.stores.duckdb_load import _neighbours

ALIKE = [*many(40), event(entities=[entity("a", "1"), entity("b", "2")], description="ü", duration_ms=1.5)]


def test_segments_are_loaded_by_the_engine_and_not_event_by_event(
    store: DuckDBStore, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_careful, "stage", None)
    assert store.write([batches.of(many(1_200)), batches.of(many(3))]).events == 1_203


def test_events_are_stored_alike_whether_read_from_an_array_or_from_frames(tmp_path: Path) -> None:
    stored = []
    for way in ("array", "frames"):
        batches = Batches(tmp_path / way)
        store = DuckDBStore(tmp_path / f"{way}.duckdb", journal_path=batches.folder)
        made = [
            Draft(
                received_at=RECEIVED_AT + timedelta(seconds=start),
                events=msgspec.json.encode(ALIKE[start : start + 10]),
                count=len(ALIKE[start : start + 10]),
                orig_address=f"10.0.0.{start}" if start else None,
            )
            for start in range(0, len(ALIKE), 10)
        ]
        batch = batches.of_drafts(made)
        assert batch.array() is not None
        if way == "frames":
            batch.array = lambda: None  # type: ignore[method-assign]
        assert store.write([batch]).events == len(ALIKE)
        stored.append(rows(store, "SELECT * FROM events ORDER BY seq"))
        store.close()
    assert stored[0] == stored[1]
    assert [row["seq"] for row in stored[0]] == list(range(1, len(ALIKE) + 1))
    assert [row["id"] for row in stored[0]] == [each.id for each in ALIKE]
    assert stored[0][-1]["orig_address"] == "10.0.0.40"


def test_what_large_loads_left_is_there_again_and_goes_on(tmp_path: Path, batches: Batches) -> None:
    path = tmp_path / "events.duckdb"
    made = [many(1_000) for _ in range(3)]
    store = DuckDBStore(path, journal_path=batches.folder, bulk=True)
    for events in made[:2]:
        assert store.write([batches.of(events)]).events == 1_000
    store.close()
    again = DuckDBStore(path, journal_path=batches.folder)
    assert again.write([batches.of(made[2])]).events == 1_000
    stored = rows(again, "SELECT id FROM events ORDER BY seq")
    again.close()
    assert [row["id"] for row in stored] == [event.id for events in made for event in events]


@pytest.mark.parametrize("reason", ["bulk", "behind", "neither"])
def test_segments_that_are_read_one_by_one_or_two_at_once_keep_their_numbers(
    tmp_path: Path, batches: Batches, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason != "behind":
        monkeypatch.setattr(duckdb_load, "BEHIND_S_MIN", float("inf"))
    store = DuckDBStore(tmp_path / "events.duckdb", journal_path=batches.folder, bulk=reason == "bulk")
    made = [many(count) for count in (30, 5, 25, 20, 40)]
    assert store.write([batches.of(events) for events in made]).events == 120
    stored = rows(store, "SELECT id FROM events ORDER BY seq")
    store.close()
    assert [row["id"] for row in stored] == [event.id for events in made for event in events]


def test_one_segment_the_reader_refuses_does_not_hold_up_its_neighbours(store: DuckDBStore, batches: Batches) -> None:
    before = batches.of(many(3))
    twice = '{"id":"019f1b73-c5f6-7571-b381-62aaf0824765","time":"2026-05-04T09:00:00Z","type":"a","type":"b"}'
    refused = batches.of_raw(twice)
    after = batches.of(many(4))
    written = store.write([before, refused, after])
    assert (written.events, written.rejects) == (8, 0)
    assert rows(store, "SELECT type FROM events WHERE seq = 4") == [{"type": "b"}]
    assert store.position("receiver-a") == 3


def test_an_event_that_fails_alone_is_kept_whole_with_its_reason(store: DuckDBStore, batches: Batches) -> None:
    bad = event(session="not a uuid", user="ann", parameters={"a": 1})
    written = store.write([batches.of([event(), bad, event()])])
    assert (written.events, written.rejects) == (2, 1)
    (reject,) = rows(store, 'SELECT code, message, raw, "index", seq, receiver FROM rejected_events')
    assert reject["code"] == "invalid"
    assert "not a uuid" in reject["message"]
    raw = json.loads(reject["raw"])
    assert (raw["id"], raw["user"], raw["parameters"]) == (bad.id, "ann", {"a": 1})
    assert (reject["index"], reject["receiver"]) == (1, "receiver-a")


def test_lines_longer_than_usual_are_read_too(
    store: DuckDBStore, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_careful, "stage", None)
    wide = [event(number, parameters={"text": "x" * 900_000}) for number in range(15)]
    assert store.write([batches.of(wide)]).events == 15


def test_little_memory_is_enough_for_long_lines(path: Path, batches: Batches) -> None:
    store = DuckDBStore(path, journal_path=batches.folder, memory_bytes_max=96 * 1024**2)
    wide = [event(number, parameters={"text": "x" * 900_000}) for number in range(12)]
    assert store.write([batches.of(wide)]).events == 12
    store.close()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{}", "{}"),
        (b"null", "{}"),
        (b'{"a":1,"a":2}', '{"a":2}'),
        (b'{"a":123456789012345678901234567890}', '{"a":123456789012345678901234567890}'),
        (b'{"a":1e999}', '{"a":"1e999"}'),
        (b'{"a":1.0}', '{"a":1.0}'),
        (b'{"a":"x\\u0000y"}', '{"a":"x\ufffdy"}'),
        (b'{"a\\u0000":1}', '{"a\ufffd":1}'),
        (b'{"a":"\\\\u0000"}', '{"a":"\\\\u0000"}'),
        (b'{"a":"x\\ud800y"}', '{"a":"x?y"}'),
        ('{"a":"\\ud83d\\ude00é"}'.encode(), '{"a":"😀é"}'),
    ],
)
def test_the_careful_way_mends_json(raw: bytes, expected: str) -> None:
    assert duckdb_careful.mended(raw) == expected


def test_late_ids_are_looked_for_near_their_time_only() -> None:
    near = [f"{number:06x}" for number in range(100, 110)]
    assert _neighbours(near, 16) == [near]
    assert _neighbours(["000001", *near], 16) == [["000001"], near]
    far_apart = [f"{number * 1000:06x}" for number in range(40)]
    groups = _neighbours(far_apart, 16)
    assert len(groups) == 16
    assert [prefix for group in groups for prefix in group] == far_apart


def test_a_repeat_far_in_the_past_is_found_among_recent_events(store: DuckDBStore, batches: Batches) -> None:
    old = [event(number * 86_400, entities=[entity("a", "1"), entity("b", "2")]) for number in range(60)]
    store.write([batches.of(old)])
    recent = [event(61 * 86_400 + number) for number in range(5)]
    written = store.write([batches.of([old[3], *recent, old[40]])])
    assert (written.events, written.duplicates) == (5, 2)
    assert rows(store, "SELECT count(*) AS n FROM event_entities") == [{"n": 60}]


def test_own_rows_are_told_from_stored_ones(store: DuckDBStore, batches: Batches) -> None:
    """The row ids of a transaction's own rows are an inner matter of the engine: it has to stay as it is."""
    store.write([batches.of(many(3))])
    connection = store._connection
    connection.execute("BEGIN")
    connection.execute("INSERT INTO events FROM events")
    found = connection.execute(
        "SELECT count(*) FILTER (rowid >= $own), count(*) FILTER (rowid < $own) FROM events",
        {"own": duckdb_load.OWN_ROWS},
    ).fetchall()
    connection.execute("ROLLBACK")
    assert found == [(3, 3)]


def test_a_large_load_with_repeats_among_stored_and_own_rows_is_exact(store: DuckDBStore, batches: Batches) -> None:
    """More than a row group (122,880 rows), so that rows are on disk before the repeats are taken out."""
    first = many(62_000)
    store.write([batches.of(first)])
    fresh = many(62_000)
    written = store.write([batches.of([*fresh, *first]), batches.of(fresh[:1_000])])
    assert (written.events, written.duplicates) == (62_000, 63_000)
    (counts,) = rows(store, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events")
    assert counts == {"n": 124_000, "ids": 124_000}
