"""Pages are whole and in order while events arrive; activity and usage count what they define."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from support.reading import NOW, NoGroups, event
from whodid.errors import WhodidError
from whodid.reading import read, selection
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import EventFilter, make_filter

GROUPS = NoGroups()


def page_ids(store: Any, **given: Any) -> tuple[list[str], str | None]:
    page = read.events(store, GROUPS, make_filter(**given))
    return page.table.column("id").to_pylist(), page.next_cursor


def walk(store: Any, **given: Any) -> list[str]:
    ids, cursor = page_ids(store, **given)
    while cursor:
        more, cursor = page_ids(store, cursor=cursor, **given)
        ids += more
    return ids


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_hold_each_event_once_though_many_share_a_time(filled: Any, order: str) -> None:
    stored = [event(at=NOW - timedelta(seconds=i // 7), id=str(uuid.uuid4())) for i in range(50)]
    ids = walk(filled(stored), order=order, limit=4)
    assert sorted(ids) == sorted(one.id for one in stored)
    expected = sorted(stored, key=lambda one: (one.time, one.id), reverse=order == "newest")
    assert ids == [one.id for one in expected]


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize(
    ("asked", "named_max"),
    [({}, 200), ({"entity": "query:q"}, 200), ({"entity": "query:q"}, 2), ({"entity": "query:q"}, 0)],
)
def test_pages_are_whole_whether_events_lie_near_or_far_apart(
    filled: Any, monkeypatch: pytest.MonkeyPatch, order: str, asked: dict[str, str], named_max: int
) -> None:
    monkeypatch.setattr(selection, "FURTHER_MAX", named_max)
    now = datetime.now(UTC)
    hours = [-5, 0.1, 0.2, 0.9, 1, 1.1, 23, 24, 25, 24 * 29, 24 * 30, 24 * 31, 24 * 400, 24 * 400]
    touched = [("project", "p"), ("query", "q")]
    stored = [event(at=now - timedelta(hours=hour), id=str(uuid.uuid4()), entities=touched) for hour in hours]
    others = [event(at=one.time, entities=[("query", "r")]) for one in stored] if asked else []
    store = filled([*stored, *others])
    expected = [one.id for one in sorted(stored, key=lambda one: (one.time, one.id), reverse=order == "newest")]
    for limit in (2, 13, 14):
        assert walk(store, order=order, limit=limit, **asked) == expected
        assert walk(store, order=order, limit=limit, since="500d", **asked) == expected
        within = walk(store, order=order, limit=limit, since="26h", until="50m", **asked)
        assert sorted(within) == sorted(one.id for one, hour in zip(stored, hours, strict=True) if 50 / 60 < hour <= 25)


def test_events_that_arrive_meanwhile_move_no_page(filled: Any) -> None:
    store = filled([event(at=NOW - timedelta(minutes=i)) for i in range(10)])
    before = walk(store, limit=3)
    ids, cursor = page_ids(store, limit=3)
    store.add([event(at=NOW + timedelta(minutes=1))])
    while cursor:
        more, cursor = page_ids(store, limit=3, cursor=cursor)
        ids += more
    assert ids == before


def test_the_last_page_has_no_cursor_even_when_it_is_full(filled: Any) -> None:
    store = filled([event(at=NOW - timedelta(minutes=i)) for i in range(6)])
    _, cursor = page_ids(store, limit=3)
    assert page_ids(store, limit=3, cursor=cursor)[1] is None


def bad_cursors() -> list[str]:
    def packed(value: Any) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode()

    return [
        "x",
        "",
        "é",
        "'; DROP TABLE events; --",
        "A" * 5_000,
        packed(["2026-01-01T00:00:00", "not-a-uuid", "0"]),
        packed(["2026-01-01T00:00:00Z", "01a1f914-4e8f-7ec4-9e68-88e4d2aa2cf8", "0"]),
        packed({"time": 1}),
        packed([1, 2, 3]),
    ]


@pytest.mark.parametrize("cursor", bad_cursors())
def test_a_bad_cursor_is_a_clear_error(filled: Any, cursor: str) -> None:
    with pytest.raises(WhodidError, match="cursor") as caught:
        page_ids(filled(), cursor=cursor)
    assert caught.value.code == "invalid"


def test_a_cursor_holds_for_its_filter_only_but_for_any_page_size(filled: Any) -> None:
    store = filled([event(at=NOW - timedelta(minutes=i), user="erika") for i in range(6)])
    _, cursor = page_ids(store, user="erika", limit=2)
    assert len(page_ids(store, user="erika", limit=4, cursor=cursor)[0]) == 4
    for other in ({"user": "otto"}, {"user": "erika", "order": "oldest"}, {}):
        with pytest.raises(WhodidError, match="another filter"):
            page_ids(store, cursor=cursor, **other)


def test_all_pages_of_an_export_together_keep_its_limit(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "PAGE_ROWS", 4)
    store = filled([event(at=NOW - timedelta(minutes=i)) for i in range(11)])

    def rows(**given: Any) -> list[int]:
        return [page.table.num_rows for page in read.event_pages(store, GROUPS, EventFilter(**given))]

    assert rows(limit=9) == [4, 4, 1]
    assert rows(limit=100, since="2020-01-01") == [4, 4, 3]


def test_one_event_is_found_by_its_id_in_any_writing(filled: Any) -> None:
    one = event(user="erika")
    store = filled([one])
    assert read.event(store, one.id.upper()).column("user").to_pylist() == ["erika"]
    with pytest.raises(WhodidError, match="no event"):
        read.event(store, str(uuid.uuid4()))
    with pytest.raises(WhodidError, match="no UUID"):
        read.event(store, "' OR 1=1 --")


def story(filled: Any) -> Any:
    now = datetime.now(UTC)

    def ago(type: str, hours: int, **more: Any) -> Any:
        return event(type, at=now - timedelta(hours=hours), **{"entities": [("query", "q-1", "Sales")], **more})

    return filled(
        [
            ago("query-edited", 1, user="erika"),
            ago("query-run", 2, user="bot", acting_for="otto", duration_ms=10.0),
            ago("query-run", 3, user="erika", duration_ms=30.0, level="usage", source="server"),
            ago("click", 4, user="erika", level="usage"),
            ago("note", 5, user="erika", level="debug", source="server"),
            ago("query-failed", 6, level="error", error_message="No such table"),
            ago("query-edited", 9 * 24, user="erika"),
            ago("query-edited", 1, user="erika", entities=[("query", "q-2")]),
            ago("move", 7, user="mia", entities=[("project", "p-1"), ("query", "q-1")]),
        ]
    )


def test_activity_is_audited_and_server_side_actions_of_the_last_seven_days_newest_first(filled: Any) -> None:
    page = read.activity(story(filled), GROUPS, make_filter(entity="query:q-1"))
    assert list(zip(page.table["type"].to_pylist(), page.table["user"].to_pylist(), strict=True)) == [
        ("query-edited", "erika"),
        ("query-run", "bot"),
        ("query-run", "erika"),
        ("move", "mia"),
    ]


def test_activity_reaches_back_as_far_as_asked_and_pages(filled: Any) -> None:
    store = story(filled)
    first = read.activity(store, GROUPS, make_filter(entity="query:q-1", since="30d", limit=3))
    rest = read.activity(store, GROUPS, make_filter(entity="query:q-1", since="30d", limit=3, cursor=first.next_cursor))
    assert first.table.num_rows + rest.table.num_rows == 5
    assert rest.table["type"].to_pylist()[-1] == "query-edited"


def test_activity_of_a_user_holds_what_programs_did_for_them(filled: Any) -> None:
    page = read.activity(story(filled), GROUPS, make_filter(user="otto"))
    assert page.table["user"].to_pylist() == ["bot"]


def test_usage_counts_people_runs_and_errors_of_an_entity(filled: Any) -> None:
    usage = read.usage(story(filled), GROUPS, make_filter(entity="query:q-1"))
    numbers = usage.parts["numbers"].to_pylist()[0]
    assert {name: numbers[name] for name in ("events", "people", "runs", "errors", "sessions")} == {
        "events": 7,
        "people": 3,
        "runs": 2,
        "errors": 1,
        "sessions": 0,
    }
    assert numbers["duration_ms_median"] == 20.0
    assert usage.until - usage.since == timedelta(days=7)
    assert sum(usage.parts["by_day"]["events"].to_pylist()) == 7
    assert usage.parts["by_type"].to_pylist()[0] == {
        "type": "query-run",
        "events": 2,
        "people": 2,
        "errors": 0,
        "of": 6,
    }
    top = usage.parts["top_users"].to_pylist()
    assert [(row["user"], row["events"]) for row in top] == [("erika", 4), ("mia", 1), ("otto", 1)]
    assert usage.parts["top_errors"].to_pylist()[0]["message"] == "No such table"
    assert usage.parts["durations"].to_pylist()[0]["duration_ms_max"] == 30.0
    assert usage.parts["top_entities"]["entity_id"].to_pylist() == ["q-1", "p-1"]


@pytest.mark.parametrize("named_max", [0, 1, 200])
def test_events_that_touched_an_entity_besides_are_found_however_many(
    filled: Any, monkeypatch: pytest.MonkeyPatch, named_max: int
) -> None:
    monkeypatch.setattr(selection, "FURTHER_MAX", named_max)
    store = filled(
        [
            event("first", at=NOW, entities=[("query", "q"), ("query", "q")]),
            event("second", at=NOW - timedelta(hours=1), entities=[("project", "p"), ("query", "q"), ("query", "q")]),
            event("third", at=NOW - timedelta(hours=2), entities=[("project", "p"), ("project", "r"), ("query", "q")]),
            event("other", at=NOW - timedelta(hours=3), entities=[("project", "p"), ("query", "r")]),
        ]
    )
    found = read.events(store, GROUPS, make_filter(entity="query:q"))
    assert found.table["type"].to_pylist() == ["first", "second", "third"]
    usage = read.usage(store, GROUPS, make_filter(entity="query:q", since="2026-01-01", until="2027-01-01"))
    assert usage.parts["numbers"]["events"].to_pylist() == [3]


@pytest.mark.parametrize(("named_max", "times"), [(2, 1), (3, 2)])
def test_that_many_events_touched_a_thing_is_asked_once(
    filled: Any, monkeypatch: pytest.MonkeyPatch, named_max: int, times: int
) -> None:
    monkeypatch.setattr(selection, "FURTHER_MAX", named_max)
    store = filled([event(str(place), entities=[("project", "p"), ("query", "q")]) for place in range(3)])
    questions: list[str] = []
    ask = store.query

    def query(sql: str, *args: Any, **given: Any) -> Any:
        questions.append(sql)
        return ask(sql, *args, **given)

    store.query = query
    touched = f'FROM {dialect_of(store.kind).event_entities} x WHERE x."id" = CAST($name AS varchar)'
    sql = f'SELECT CAST(x."event_id" AS varchar) AS id {touched}'
    found = [selection.finding(store)(sql, {"name": "q"}) for _ in range(2)]
    assert [None if ids is None else len(ids) for ids in found] == ([None, None] if named_max < 3 else [3, 3])
    assert len(questions) == times


def test_usage_of_nothing_is_a_row_of_zeros(filled: Any) -> None:
    usage = read.usage(story(filled), GROUPS, make_filter(user="nobody"))
    numbers = usage.parts["numbers"].to_pylist()[0]
    assert (numbers["events"], numbers["people"], numbers["first"]) == (0, 0, None)
    assert usage.parts["by_day"].num_rows == 0


def test_a_page_has_the_columns_of_events_with_times_in_utc(filled: Any) -> None:
    page = read.events(story(filled), GROUPS, EventFilter())
    assert page.table.schema.equals(read.events_schema())
    assert page.table["time"][0].as_py().tzinfo is not None
