"""What every store does, whichever engine it has."""

from __future__ import annotations

import json
import signal
import uuid
from typing import Any

import pytest

from contracts.conftest import StorePlace
from support.batches import RECEIVED_AT, Batches, FileBatch
from support.events import FULL, entity, event, many
from support.stores import ids, one, rows
from whodid.event import Rejection
from whodid.stores.base import COLUMNS, Store

# Writing once


def test_events_of_several_batches_are_found_again(store: Store, batches: Batches) -> None:
    first, second = many(3), many(2)
    written = store.write([batches.of(first), batches.of(second)])
    assert (written.events, written.duplicates, written.rejects) == (5, 0, 0)
    assert ids(store) == sorted(event.id for event in [*first, *second])
    assert store.position("receiver-a") == 2


def test_a_batch_without_events_moves_the_position(store: Store, batches: Batches) -> None:
    assert store.position("receiver-a") == 0
    assert store.write([batches.of([])]).events == 0
    assert store.position("receiver-a") == 1


def test_the_positions_of_all_receivers_are_told(store_place: StorePlace, store: Store, batches: Batches) -> None:
    assert store.positions() == {}
    other = store_place.batches("receiver-b")
    store.write([batches.of([event()]), batches.of([event()])])
    store.write([other.of([event()])])
    assert store.positions() == {"receiver-a": 2, "receiver-b": 1}


class Divided:
    """A batch whose part behind number 7 is another batch; see `journal.base.Divisible`."""

    def __init__(self, whole: FileBatch, rest: FileBatch):
        self._whole = whole
        self._rest = rest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def behind(self, number: int) -> FileBatch:
        return self._rest if number >= 7 else self._whole


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "frames"])
def test_of_a_batch_that_others_have_stored_in_part_the_rest_is_taken(
    store: Store, batches: Batches, in_file: bool
) -> None:
    first, second = event(), event(1)
    reject = Rejection(index=0, code="invalid", message="m")
    part, rest = batches.of([first], rejects=[reject], in_file=in_file), batches.of([second], in_file=in_file)
    whole = batches.of([first, second], rejects=[reject], in_file=in_file)
    part.number, rest.number, whole.number = 7, 10, 10
    store.write([part])
    written = store.write([Divided(whole, rest)])
    assert (written.events, written.duplicates, written.rejects) == (1, 0, 0)
    assert ids(store) == sorted([first.id, second.id]) and store.stats().rejects == 1
    assert store.position("receiver-a") == 10


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "frames"])
def test_an_id_is_stored_once_within_a_batch_and_across_batches(store: Store, batches: Batches, in_file: bool) -> None:
    twice = event(user="first")
    again = event(id=twice.id, at=60, user="second")
    written = store.write([batches.of([twice, again], in_file=in_file)])
    assert (written.events, written.duplicates) == (1, 1)
    written = store.write([batches.of([again, event(1)], in_file=in_file)])
    assert (written.events, written.duplicates) == (1, 1)
    assert one(store, twice)["user"] == "first"


def test_an_id_is_stored_once_across_receivers_and_restarts(store_place: StorePlace) -> None:
    events = many(4)
    store = store_place.open()
    store.write([store_place.batches("receiver-a").of(events)])
    store.close()
    store = store_place.open()
    written = store.write([store_place.batches("receiver-b").of(events)])
    assert (written.events, written.duplicates) == (0, 4)
    assert len(ids(store)) == 4
    assert (store.position("receiver-a"), store.position("receiver-b")) == (1, 1)


@pytest.mark.parametrize(
    "ids_of",
    [
        pytest.param(lambda number: str(uuid.UUID(int=number * 2**90 % 2**128, version=4)), id="random"),
        pytest.param(lambda number: str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), id="foreign"),
        pytest.param(lambda number: None, id="by time"),
    ],
)
def test_any_kind_of_id_is_known_again(store: Store, batches: Batches, ids_of: Any) -> None:
    days_apart = [event(number * 86_400, id=ids_of(number + 1)) for number in range(40)]
    assert store.write([batches.of(days_apart[:30])]).events == 30
    late_and_recent = [*days_apart[::7], *days_apart[28:]]
    expected_new = {event.id for event in days_apart[30:]}
    written = store.write([batches.of(list({event.id: event for event in late_and_recent}.values()))])
    assert written.events == len(expected_new)
    assert set(ids(store)) == {event.id for event in days_apart}


def test_batches_that_are_stored_already_change_nothing(store: Store, batches: Batches) -> None:
    batch = batches.of(many(3), rejects=[Rejection(index=0, code="invalid", message="No type.")])
    store.write([batch])
    written = store.write([batch, batches.of([event(9)])])
    assert (written.events, written.rejects) == (1, 0)
    assert store.stats().rejects == 1


@pytest.mark.crash
def test_a_crash_before_the_commit_leaves_nothing(store_place: StorePlace) -> None:
    store_place.open().close()
    batch = store_place.batches().of(many(5), rejects=[Rejection(index=0, code="invalid", message="No type.")])
    assert store_place.write_in_child([batch], "store.before-commit") == -signal.SIGKILL
    store = store_place.open()
    assert (store.position("receiver-a"), store.stats().events, store.stats().rejects) == (0, 0, 0)
    assert store.write([batch]).events == 5


@pytest.mark.crash
def test_a_crash_after_the_commit_leaves_everything(store_place: StorePlace) -> None:
    store_place.open().close()
    batch = store_place.batches().of(many(5))
    assert store_place.write_in_child([batch], "store.after-commit") == -signal.SIGKILL
    store = store_place.open()
    assert (store.position("receiver-a"), store.stats().events) == (1, 5)
    assert store.write([batch]).events == 0
    assert len(ids(store)) == 5


# Round trips


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "frames"])
def test_every_column_comes_out_as_it_went_in(store: Store, batches: Batches, in_file: bool) -> None:
    store.write([batches.of([event(), FULL], in_file=in_file)])
    row = one(store, FULL)
    assert json.loads(row.pop("parameters")) == json.loads(bytes(FULL.parameters))
    entities = [{k: v for k, v in entity.items() if v is not None} for entity in json.loads(row.pop("entities"))]
    assert entities == [
        {"type": "query", "id": "q-1", "name": "Orders ☂", "role": "query"},
        {"type": "project", "id": "p-1"},
    ]
    same = [column.name for column in COLUMNS if hasattr(FULL, column.name) and column.name in row]
    expected = {name: getattr(FULL, name) for name in same}
    expected |= {
        "time": FULL.time.replace(tzinfo=None),
        "received_at": RECEIVED_AT.replace(tzinfo=None),
        "entity_type": "query",
        "entity_id": "q-1",
        "entity_name": "Orders ☂",
        "orig_address": "10.0.0.1",
        "key_id": "key-1",
        "format": "native",
        "receiver": "receiver-a",
        "seq": 2,
    }
    assert row == expected


def test_what_a_sender_left_out_has_its_default(store: Store, batches: Batches) -> None:
    bare = event()
    store.write([batches.of([bare])])
    row = one(store, bare)
    defaults = {"level": "audit", "topic": "generic", "source": "client", "entities": "[]", "parameters": "{}"}
    assert {name: row[name] for name in defaults} == defaults
    absent = {"routing_key", "session", "user", "acting_for", "via", "entity_type", "entity_id", "entity_name"}
    absent |= {"description", "function", "duration_ms", "request_id", "status", "node", "node_type"}
    absent |= {"error_message", "error_stack_trace", "error_hash"}
    assert {row[name] for name in absent} == {None}


RAW = '{"id":"%s","time":"2026-05-04T09:00:00.5Z","type":"t"%s}'
RAW_ID = "019f1b73-c5f6-7571-b381-62aaf0824765"


@pytest.mark.parametrize(
    ("fields", "column", "expected"),
    [
        (',"parameters":{"n":9007199254740993}', "parameters", {"n": 9007199254740993}),
        (',"parameters":{"n":18446744073709551616123}', "parameters", {"n": 18446744073709551616123}),
        (',"parameters":{"n":-0.5e-3,"m":1.0}', "parameters", {"n": -0.0005, "m": 1.0}),
        (',"parameters":{"a":1,"a":2}', "parameters", {"a": 2}),
        (',"parameters":{"a":{"b":1,"b":{"c":3}}}', "parameters", {"a": {"b": {"c": 3}}}),
        (',"parameters":{"a":"\\u00e9\\/\\ud83d\\ude00"}', "parameters", {"a": "é/😀"}),
        (',"parameters":{ "a" : [ 1 , 2 ] }', "parameters", {"a": [1, 2]}),
        (',"duration_ms":1', "duration_ms", 1.0),
        (',"duration_ms":0.1', "duration_ms", 0.1),
        (',"user":null', "user", None),
        (',"user":"a"', "user", "a"),
        (',"type":"u"', "type", "u"),
        (',"description":"a\\tb"', "description", "a\tb"),
        (',"description":""', "description", ""),
    ],
)
def test_json_as_senders_write_it(store: Store, batches: Batches, fields: str, column: str, expected: object) -> None:
    neighbour = event()
    raw_neighbour = RAW % (neighbour.id, "")
    written = store.write([batches.of_raw(RAW % (RAW_ID, fields), raw_neighbour)])
    assert (written.events, written.rejects) == (2, 0)
    (row,) = rows(store, f"SELECT \"{column}\" AS value FROM events WHERE id = '{RAW_ID}'")
    value = json.loads(row["value"]) if column == "parameters" else row["value"]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    "fields",
    [
        ',"description":"a\\u0000b"',
        ',"parameters":{"a":"a\\u0000b"}',
        ',"entities":[{"type":"t","id":"a\\u0000b"}]',
        ',"session":"no uuid"',
        ',"error_hash":"no uuid"',
        ',"parameters":{"a":1e999}',
        ',"parameters":[1,2]',
        ',"parameters":null',
    ],
)
def test_what_an_engine_cannot_hold_is_mended_or_kept_as_a_rejection(
    store: Store, batches: Batches, fields: str
) -> None:
    before, after = event(), event(1)
    written = store.write([batches.of_raw(RAW % (before.id, ""), RAW % (RAW_ID, fields), RAW % (after.id, ""))])
    assert written.events + written.rejects == 3
    assert {before.id, after.id} <= set(ids(store))
    assert store.position("receiver-a") == 1
    assert store.stats().rejects == written.rejects


def test_a_frame_at_its_limits(store: Store, batches: Batches) -> None:
    wide = [event(number, parameters={f"p{key}": "x" * 1_000 for key in range(900)}) for number in range(12)]
    assert store.write([batches.of(wide, frame_events=12), batches.of(many(3))]).events == 15
    found = rows(store, "SELECT length(CAST(parameters AS VARCHAR)) AS size FROM events ORDER BY 1 DESC LIMIT 1")
    assert found[0]["size"] > 900_000


def test_rejections_are_kept_with_their_reason(store: Store, batches: Batches) -> None:
    rejects = [
        Rejection(index=3, code="invalid", message="`time` is missing.", line=7, source="audit.log", raw='{"a"'),
        Rejection(
            index=4, code="too_large", message="Over 1 MiB.", raw="AP8=", raw_encoding="base64", raw_size_bytes=9
        ),
    ]
    written = store.write([batches.of(many(2), rejects=rejects), batches.of([], rejects=rejects[:1])])
    assert (written.events, written.rejects, store.stats().rejects) == (2, 3, 3)
    found = rows(store, 'SELECT "index", code, message, line, source, raw, raw_encoding, raw_size_bytes, receiver, '
                        'seq, id FROM rejected_events ORDER BY seq, "index"')  # fmt: skip
    expected = {name: getattr(rejects[0], name) for name in Rejection.__struct_fields__}
    assert {name: found[0][name] for name in expected} == expected
    assert found[1]["raw_encoding"] == "base64"
    assert [row["seq"] for row in found] == [1, 1, 3]


def test_a_line_that_comes_in_again_is_rejected_once(store: Store, batches: Batches) -> None:
    lines = [
        Rejection(index=0, code="not_json", message="No JSON.", line=number, source="audit.log", id=f"{number:032x}")
        for number in range(4)
    ]
    nameless = Rejection(index=0, code="not_json", message="No JSON.")
    first = batches.of(many(2), rejects=[lines[0], lines[1], lines[1], nameless])
    assert store.write([first]).rejects == 3
    # One without a file goes another way into the table.
    again = [batches.of([event(9)], rejects=lines[1:3], in_file=False), batches.of([], rejects=[*lines, nameless])]
    assert store.write(again).rejects == 3
    assert store.stats().rejects == 6
    assert len(rows(store, "SELECT DISTINCT id FROM rejected_events WHERE id IS NOT NULL")) == 4


def test_an_event_is_found_by_each_of_its_entities(store: Store, batches: Batches) -> None:
    touched = event(entities=[entity("project", "p"), entity("query", "q", "Orders", "input"), entity("model", "m")])
    store.write([batches.of([touched, event(1, entities=[entity("project", "p")])])])
    found = rows(store, "SELECT event_id, type, id, role, name, time FROM event_entities ORDER BY id DESC")
    assert [(row["type"], row["id"], row["role"], row["name"]) for row in found] == [
        ("query", "q", "input", "Orders"),
        ("model", "m", None, None),
    ]
    assert {row["event_id"] for row in found} == {touched.id}
    assert found[0]["time"] == touched.time.replace(tzinfo=None)


# Mentions


def test_a_write_tells_whom_and_what_it_mentioned(store: Store, batches: Batches) -> None:
    session = "0b0e9f0a-7f50-4b0c-8f0e-1f2a3b4c5d6e"
    events = [
        event(5, user="ann", session=session, entities=[entity("query", "q", "New")]),
        event(1, user="ann", session=session, entities=[entity("query", "q", "Old"), entity("project", "p", "P")]),
        event(3, user="robot", acting_for="ann"),
        event(9, user="ben", entities=[entity("project", "p")]),
        event(4),
    ]
    mentions = store.write([batches.of(events)]).mentions
    span = {seen.login: (seen.first, seen.last) for seen in mentions.users}
    assert set(span) == {"ann", "ben", "robot"}
    assert span["ann"] == (events[1].time, events[0].time)
    (seen,) = mentions.sessions
    assert (seen.id, seen.user, seen.orig_address, seen.source) == (session, "ann", "10.0.0.1", "client")
    assert (seen.first, seen.last) == (events[1].time, events[0].time)
    entities = {(seen.type, seen.id, seen.name): (seen.first, seen.last) for seen in mentions.entities}
    assert entities == {
        ("query", "q", "New"): (events[0].time, events[0].time),
        ("query", "q", "Old"): (events[1].time, events[1].time),
        ("project", "p", "P"): (events[1].time, events[1].time),
        ("project", "p", None): (events[3].time, events[3].time),
    }


def test_what_is_stored_already_mentions_nobody(store: Store, batches: Batches) -> None:
    events = many(2, user="ann")
    store.write([batches.of(events)])
    mentions = store.write([batches.of(events)]).mentions
    assert (mentions.users, mentions.sessions, mentions.entities) == ([], [], [])
