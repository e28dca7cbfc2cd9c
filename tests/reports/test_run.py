"""Reports on the demo's story: right, and the same rows on every store."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from support.story import END, REJECTED
from whodid import catalogue, reports
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.reports.words import translated
from whodid.stores.base import Result, Store

SINCE = END - timedelta(days=20)
SPAN: dict[str, Any] = {"since": SINCE, "until": END}


def rows(result: Result | reports.Reported) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result.table.to_pylist()
    return found


def in_span(told: list[Event]) -> list[Event]:
    return [event for event in told if event.time >= SINCE]


def person(event: Event) -> str | None:
    login = event.acting_for or event.user
    return None if login is None or login.startswith("api:") else login


def test_the_overview_counts_against_the_equal_time_before(store: Store, told: list[Event]) -> None:
    found = {row["measure"]: row for row in rows(reports.run(store, "overview", **SPAN))}
    current = in_span(told)
    before = [event for event in told if SINCE - timedelta(days=20) <= event.time < SINCE]
    people = {person(event) for event in current} - {None}
    assert found["active users"]["value"] == len(people)
    assert found["sessions"]["value"] == len({event.session for event in current if event.session})
    assert found["events"]["value"] == len(current)
    assert found["events"]["previous"] == len(before)
    assert found["events"]["change_percent"] == pytest.approx(
        100 * (len(current) - len(before)) / len(before), abs=0.05001
    )
    known = {person(event) for event in told if event.time < SINCE}
    assert found["new users"]["value"] == len(people - known)
    assert found["errors"]["value"] == sum(event.level == "error" for event in current)


def test_the_overview_does_not_take_an_unrecorded_time_for_a_quiet_one(store: Store) -> None:
    found = rows(reports.run(store, "overview", since=END - timedelta(days=70), until=END))
    told = {row["measure"]: row["previous"] for row in found}
    assert {name for name, previous in told.items() if previous is not None} == {
        "active users, last day",
        "active users, last 7 days",
        "active users, last 30 days",
    }


def test_types_are_ordered_and_their_cut_is_shown(store: Store, told: list[Event]) -> None:
    counted = Counter(event.type for event in in_span(told))
    answer = reports.run(store, "types", **SPAN, limit=5)
    assert [row["events"] for row in rows(answer)] == [count for _, count in counted.most_common(5)]
    assert (answer.total, answer.truncated) == (len(counted), True)


def test_users_are_persons_with_what_programs_did_for_them(store: Store, told: list[Event]) -> None:
    found = {row["person"]: row for row in rows(reports.run(store, "users", **SPAN, limit=1000))}
    counted = Counter(person(event) for event in in_span(told))
    del counted[None]
    assert {login: row["events"] for login, row in found.items() if row["events"]} == counted
    days = {event.time.date() for event in in_span(told) if person(event) == "erika.brandt"}
    assert found["erika.brandt"]["active_days"] == len(days)
    assert all(first["events"] >= second["events"] for first, second in itertools.pairwise(found.values()))


def test_errors_are_grouped_by_hash_with_the_latest_message_and_version(store: Store, told: list[Event]) -> None:
    found = rows(reports.run(store, "errors", **SPAN))
    counted = Counter(event.error_hash for event in in_span(told) if event.error_hash)
    assert {str(row["error_hash"]): row["errors"] for row in found if row["error_hash"]} == counted
    release = [row for row in found if row["version"] == "2.4.0"]
    assert [row["message"].split(":")[0] for row in release] == ["NoSuchMethodError"]


def test_the_first_of_an_error_is_the_first_in_the_time_and_the_report_says_so(store: Store, told: list[Event]) -> None:
    firsts: dict[str, datetime] = {}
    for event in in_span(told):
        if event.error_hash:
            firsts[event.error_hash] = min(event.time, firsts.get(event.error_hash, event.time))
    found = rows(reports.run(store, "errors", **SPAN))
    assert {str(row["error_hash"]): row["first"].replace(tzinfo=UTC) for row in found if row["error_hash"]} == firsts
    told_of = {column.name: column.help for column in reports.report("errors").columns}
    assert told_of["first"].startswith("first in this time;")
    assert reports.report("errors").question.endswith("when first and last in this time?")


def test_functions_tell_their_percentiles(store: Store, told: list[Event]) -> None:
    found = rows(reports.run(store, "functions", **SPAN))
    top = found[0]
    durations = sorted(
        event.duration_ms for event in in_span(told) if event.function == top["function"] and event.duration_ms
    )
    place = 0.95 * (len(durations) - 1)
    low = durations[int(place)]
    expected = low + (durations[min(int(place) + 1, len(durations) - 1)] - low) * (place % 1)
    assert top["p95_ms"] == pytest.approx(expected)
    assert top["p50_ms"] <= top["p95_ms"] <= top["p99_ms"]
    assert top["runs"] == len(durations)


def test_unknown_types_are_those_the_catalogue_does_not_know(store: Store, told: list[Event]) -> None:
    found = {row["type"]: row for row in rows(reports.run(store, "unknown-types", **SPAN))}
    unknown = Counter(event.type for event in in_span(told) if event.type not in set(catalogue.known_types()))
    assert {name: row["events"] for name, row in found.items()} == unknown
    assert found["release-announced"]["node"] == "platform-1"


def test_rejects_are_counted_by_reason(store: Store) -> None:
    found = rows(reports.run(store, "rejects", since=END - timedelta(days=1), until=END + timedelta(days=1)))
    assert [(row["code"], row["rejects"]) for row in found] == [("bad_json", 2), ("bad_time", 1)]
    assert sum(row["rejects"] for row in found) == len(REJECTED)


def test_parameters_may_be_text_as_in_an_address(store: Store, told: list[Event]) -> None:
    since = f"{SINCE:%Y-%m-%dT%H:%M:%SZ}"
    until = f"{END:%Y-%m-%dT%H:%M:%SZ}"
    assert rows(reports.run(store, "types", since=since, until=until, limit="3")) == rows(
        reports.run(store, "types", **SPAN, limit=3)
    )


def test_who_says_only_until_when_is_told_of_the_usual_time_before_it(duckdb_store: Store, told: list[Event]) -> None:
    until = END - timedelta(days=1)
    usual = rows(reports.run(duckdb_store, "types", until=until))
    assert usual and usual == rows(reports.run(duckdb_store, "types", since=until - timedelta(days=30), until=until))


@pytest.mark.parametrize(
    ("name", "given", "code", "named"),
    [
        ("overvew", {}, "not_found", "overview"),
        ("types", {"colour": "red"}, "invalid", "colour"),
        ("types", {"since": "yesterdayish"}, "invalid", "since"),
        ("types", {"since": "2026-11-02", "until": "2026-11-01"}, "invalid", "lies after until"),
        ("types", {"limit": "0"}, "invalid", "limit"),
        ("unknown-types", {"known": "a"}, "invalid", "known"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    duckdb_store: Store, name: str, given: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(WhodidError) as refused:
        reports.run(duckdb_store, name, **given)
    assert refused.value.code == code
    assert named in str(refused.value)


def test_a_value_cannot_leave_its_place(duckdb_store: Store) -> None:
    with pytest.raises(WhodidError):
        reports.run(duckdb_store, "types", limit="1; DROP TABLE events")


def test_each_store_has_its_own_words() -> None:
    sql = "SELECT percentile(0.5, e.duration_ms), parameter('it''em') FROM events e WHERE e.time > $since"
    assert "whodid.events AS e" in translated(sql, "postgresql")
    assert "->> 'it''em'" in translated(sql, "postgresql")
    assert "->> '/it''em'" in translated(sql, "duckdb")
    assert "$since" in translated(sql, "postgresql")


def test_the_catalogue_of_reports_is_plain_data() -> None:
    listed = msgspec.to_builtins(reports.catalogue())
    assert [row["name"] for row in listed] == sorted(row["name"] for row in listed)
    assert {"overview", "types", "users", "errors", "functions", "unknown-types", "rejects"} <= {
        row["name"] for row in listed
    }


def test_what_is_asked_first_takes_of_the_time_there_is(
    duckdb_store: Store, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    clock = itertools.count(step=2)

    def query(*asked: Any, timeout_ms: int, **how: Any) -> Result:
        limits.append(timeout_ms)
        return duckdb_store.query(*asked, **how)

    store = cast("Store", SimpleNamespace(kind=duckdb_store.kind, query=query))
    monkeypatch.setattr(import_module("whodid.reports.run"), "time", SimpleNamespace(monotonic=lambda: next(clock)))
    for timeout_ms in (9_000, 1_500):
        assert rows(reports.run(store, "origin", entity="dataset:SALES.orders_clean", timeout_ms=timeout_ms, **SPAN))
    assert limits == [9_000, 7_000, 1_500, 1]
