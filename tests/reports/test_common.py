"""The parameters that reports have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from support.events import entity, event
from support.reporting import Desk, at
from whodid import reports
from whodid.errors import WhodidError
from whodid.reading.sight import Sight
from whodid.reports.common import Shift, shifts


@pytest.mark.parametrize(
    ("given", "types"),
    [
        ({}, "abcde"),
        ({"users": ["ann"]}, "ab"),
        ({"users": ["ann", "dan"]}, "abd"),
        ({"groups": ["Chemistry"]}, "abc"),
        ({"groups": ["Everyone"], "users": ["dan"]}, "abd"),
        ({"entities": ["query:q-1"]}, "ac"),
        ({"entities": ["query:q-1"], "users": ["ann"]}, "a"),
        ({"projects": ["SALES"]}, "cd"),
        ({"topics": ["authfail"]}, "e"),
        ({"types": ["a", "b*"]}, "ab"),
        ({"levels": ["error", "usage"]}, "bd"),
        ({"users": ["x' OR TRUE --"]}, ""),
    ],
)
def test_filters_choose_events(desk: Desk, given: dict[str, Any], types: str) -> None:
    query, sales = entity("query", "q-1"), entity("project", "SALES")
    desk.put(
        event(time=at(2), type="a", user="ann", entities=[query]),
        event(time=at(3), type="b", user="api:x", acting_for="ann", level="usage"),
        event(time=at(4), type="c", user="bob", entities=[sales, query]),
        event(time=at(5), type="d", user="dan", level="error", parameters={"projectKey": "SALES"}),
        event(time=at(6), type="e", topic="authfail"),
    )
    assert "".join(sorted(row["type"] for row in desk.rows("types", **given))) == types


def test_a_text_stands_for_a_list_of_one(desk: Desk) -> None:
    desk.put(event(time=at(2), type="a,b"), event(time=at(2), type="a"))
    assert [row["type"] for row in desk.rows("types", types="a,b")] == ["a,b"]


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        ({"groups": ["Nobodies"]}, "not_found", "Nobodies"),
        ({"entities": ["q-1"]}, "invalid", "type:id"),
        ({"levels": ["loud"]}, "invalid", "loud"),
        ({"users": [""]}, "invalid", "user"),
        ({"users": [str(number) for number in range(1_001)]}, "invalid", "1,001"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(
    desk: Desk, given: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(WhodidError) as refused:
        desk.rows("types", **given)
    assert refused.value.code == code
    assert named in str(refused.value) + str(refused.value.hint)


def test_groups_need_a_directory(desk: Desk) -> None:
    with pytest.raises(WhodidError) as refused:
        reports.run(desk.store, "types", groups=["Chemistry"])
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(("name", "value"), [("zone", "Europe/Atlantis"), ("zone", "../etc/passwd"), ("by", "minute")])
def test_zones_and_choices_are_those_that_there_are(desk: Desk, name: str, value: str) -> None:
    with pytest.raises(WhodidError) as refused:
        desk.rows("activity", **{name: value})
    assert refused.value.code == "invalid"
    assert name in refused.value.message


def test_what_was_asked_is_told_back_with_its_defaults(desk: Desk) -> None:
    values = desk.answer("types", users="ann").values
    assert values["users"] == ["ann"]
    assert values["since"] == datetime(2026, 11, 1)
    assert values["limit"] == 100


def test_a_zone_is_shifted_at_the_moment_its_clocks_change() -> None:
    found = shifts("Europe/Berlin", datetime(2026, 1, 1), datetime(2026, 12, 31))
    assert found == (
        Shift(None, 3_600),
        Shift(datetime(2026, 3, 29, 1), 7_200),
        Shift(datetime(2026, 10, 25, 1), 3_600),
    )
    assert shifts("Asia/Kolkata", datetime(2026, 1, 1), datetime(2026, 12, 31)) == (Shift(None, 19_800),)


def test_a_filter_costs_nothing_where_it_is_not_given(desk: Desk) -> None:
    plain = reports.prepare(desk.store, "activity", since=at(1), until=at(2))
    assert " AND TRUE" in plain.sql
    assert "p0" not in plain.params
    chosen = reports.prepare(desk.store, "activity", since=at(1), until=at(2), users="ann", zone="Europe/Berlin")
    assert chosen.params["p0"] == "ann"
    assert "ann" not in chosen.sql


@pytest.mark.parametrize("name", ["types", "overview", "origin", "interface-unused", "entity-history"])
def test_a_limited_sight_gets_a_report_of_what_it_may_see(desk: Desk, name: str) -> None:
    hidden = {"item": "hidden", "project": "HIDDEN"}
    desk.put(
        event(time=at(2), type="mine", user="ann"),
        event(
            time=at(2), type="click", user="hidden", session="00000000-0000-4000-8000-000000000001", parameters=hidden,
            entities=[entity("dataset", "d-1", role="input"), entity("script", "hidden")], duration_ms=7.0,
        ),
    )  # fmt: skip
    given = {"origin": {"entity": "dataset:d-1"}, "entity-history": {"entities": "dataset:d-1"}}.get(name, {})
    whole = str(desk.rows(name, **given))
    limited = str(desk.rows(name, sight=Sight(users=("ann",)), **given))
    assert limited != whole
    assert "hidden" not in limited
    if name == "types":
        assert "mine" in limited


def test_a_report_that_tells_of_more_needs_the_sight_of_everything(desk: Desk) -> None:
    for name in ("rejects", "groups"):
        with pytest.raises(WhodidError) as refused:
            desk.rows(name, sight=Sight(users=("ann",)))
        assert refused.value.code == "forbidden"


@pytest.mark.parametrize("report", reports.catalogue(), ids=lambda report: report.name)
def test_every_look_at_events_says_whether_it_is_filtered(report: reports.Report) -> None:
    if report.family in ("overview", "users", "functions", "interface", "entities", "adoption"):
        known = {"groups", "group-features", "user-clusters"}
        assert report.keeps_to_sight or report.name in known
